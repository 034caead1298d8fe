// Layers: the map of the selected trial, from what it ships or from the table's configurations.
(() => {
  const body = page.one("#layers-map tbody");
  const grid = page.data.layers;
  if (!body || !grid || !page.data.table) return;
  const { sites, configurations } = page.data.table;
  const STEPS = 10;

  function step(module, size) {
    if (size === null) return STEPS;
    if (size < 1) return 0;
    const most = Math.log2(1 + Math.max(grid.largest[module] ?? 1, 1));
    return Math.max(1, Math.min(STEPS, Math.round((STEPS * Math.log2(1 + size)) / most)));
  }

  function found(packed) {
    const sizes = new Map();
    for (const { module, size, sites: places } of packed.groups) {
      if (size === 0) continue;
      for (const index of places) {
        const [layer, ...role] = sites[index].split(".");
        sizes.set(`${layer} ${module} ${role.join(".")}`, size);
      }
    }
    return sizes;
  }

  function shipped(rows) {
    return new Map(rows.map(([layer, module, role, size]) => [`${layer} ${module} ${role}`, size]));
  }

  function show(trial) {
    const packed = configurations[trial];
    if (!packed) return;
    const sizes = grid.shipped[trial] ? shipped(grid.shipped[trial]) : found(packed);
    document.getElementById("layers-name").textContent = `#${trial}`;
    document.getElementById("layers-state").textContent = grid.states[trial] ?? "";
    [...body.rows].forEach((row, layer) => {
      grid.columns.forEach(([module, role], index) => {
        const size = sizes.get(`${layer} ${module} ${role}`);
        const cell = row.cells[index + 1];
        cell.className = size === undefined ? "s0" : `s${step(module, size)}`;
        cell.textContent = size === undefined ? "" : (size ?? "on");
      });
    });
  }

  page.listen(show);
})();
