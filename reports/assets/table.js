// The table: sorting, filtering, the keyboard, and the configuration of the selected trial.
(() => {
  const { one, all, select, copy, selected } = page;
  const table = document.getElementById("trials");
  if (!table) return;
  const { sites, configurations } = page.data.table;
  const quote = JSON.stringify;

  // Settings and rates come as JSON text: a number read by JavaScript would lose that it is 2.0.
  function asJson(packed) {
    const placements = packed.groups.flatMap((group) =>
      group.sites.map((index) => ({ ...group, site: sites[index] })));
    placements.sort((a, b) => ([a.site, a.module] < [b.site, b.module] ? -1 : 1));
    const lines = placements.map(({ site, module, settings }) =>
      `  {"module": ${quote(module)}, "settings": ${settings}, "site": ${quote(site)}}`);
    const list = lines.length ? `[\n${lines.join(",\n")}\n]` : "[]";
    return `{"learning_rate": ${packed.learning_rate}, "placements": ${list}}\n`;
  }

  function asYaml(packed) {
    const lines = [`learning_rate: ${packed.learning_rate}`];
    lines.push(packed.groups.length ? "placements:" : "placements: []");
    for (const group of packed.groups) {
      lines.push(`  - module: ${group.module}`, `    settings: ${group.settings}`, "    sites:");
      lines.push(...group.sites.map((index) => `      - ${sites[index]}`));
    }
    return lines.join("\n") + "\n";
  }

  const formats = { json: asJson, yaml: asYaml, python: () => page.loraConfig(selected()) };

  function showConfiguration(trial) {
    const packed = configurations[trial];
    document.getElementById("configuration").hidden = !packed;
    if (!packed) return;
    document.getElementById("configuration-name").textContent = `#${trial}`;
    document.getElementById("configuration-text").textContent = asYaml(packed);
    one('[data-format="python"]').disabled = page.loraConfig(trial) === null;
  }

  function copyConfiguration(format) {
    const packed = configurations[selected()];
    if (packed) copy(formats[format](packed), `Configuration of #${selected()}`);
  }

  const rows = () => all("tbody tr", table);
  const shown = () => rows().filter((row) => row.offsetParent !== null);

  function sortBy(head) {
    const index = all("th", head.parentElement).indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    const value = (row) => row.children[index].dataset.sort;
    const number = (row) => (isNaN(value(row)) ? Infinity : Number(value(row)));
    const order = head.dataset.kind === "number"
      ? (a, b) => number(a) - number(b) || 0
      : (a, b) => value(a).localeCompare(value(b));
    const sorted = rows().sort((a, b) => (up ? order(a, b) : order(b, a)));
    all("th", head.parentElement).forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    one("tbody", table).append(...sorted);
    settleRows();
  }

  function filterRows() {
    const wanted = document.getElementById("table-filter").value.toLowerCase().split(/\s+/);
    table.classList.toggle("all", document.getElementById("table-all").checked);
    for (const row of rows()) {
      const text = row.textContent.toLowerCase();
      row.classList.toggle("filtered", !wanted.every((word) => text.includes(word)));
    }
    settleRows();
  }

  function settleRows() {
    const visible = shown();
    const stop = visible.find((row) => row.dataset.trial === selected()) ?? visible[0];
    rows().forEach((row) => (row.tabIndex = row === stop ? 0 : -1));
    document.getElementById("table-count").textContent = `${visible.length} shown`;
  }

  function moveInTable(event) {
    const visible = shown();
    const at = visible.indexOf(event.target.closest("tr"));
    const goals = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: visible.length - 1 };
    if (event.key === "Enter" && at >= 0) {
      select(visible[at].dataset.trial);
      copyConfiguration("json");
    } else if (event.key in goals && at >= 0) {
      event.preventDefault();
      const row = visible[Math.max(0, Math.min(visible.length - 1, goals[event.key]))];
      select(row.dataset.trial);
      row.focus();
    }
  }

  page.listen((trial) => {
    rows().forEach((row) => row.setAttribute("aria-current", row.dataset.trial === trial));
    settleRows();
    showConfiguration(trial);
  });
  one("thead", table).addEventListener("click", (event) => {
    const head = event.target.closest(".sort")?.closest("th");
    if (head) sortBy(head);
  });
  one("tbody", table).addEventListener("keydown", moveInTable);
  document.getElementById("table-filter").addEventListener("input", filterRows);
  document.getElementById("table-all").addEventListener("change", filterRows);
  for (const button of all("[data-format]")) {
    button.addEventListener("click", () => copyConfiguration(button.dataset.format));
  }
  filterRows();
})();
