// Compare: the selected trial against the one of the menu.
(() => {
  const { one, selected } = page;
  const table = document.getElementById("compare-table");
  const data = page.data.compare;
  if (!table || !data || !page.data.table) return;
  const menu = document.getElementById("compare-with");
  const { sites, configurations } = page.data.table;
  const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

  // The same digits as `format.measured`: three significant ones, fewer where the error is large.
  function decimals(value) {
    if (!value || !isFinite(value)) return 0;
    return Math.max(2 - Number(Math.abs(value).toExponential(2).split("e")[1]), 0);
  }

  function measured(value, error, unit) {
    if (value === null || isNaN(value)) return "–";
    let [scale, shown] = [1, unit];
    if (unit === "B") {
      const power = UNITS.findIndex((_, i) => Math.abs(value) / 1000 ** i < 999.5);
      [scale, shown] = [1000 ** power, UNITS[power]];
    }
    const [number, spread] = [value / scale, error / scale];
    let digits = shown === "B" ? 0 : decimals(number);
    let text = number.toFixed(digits);
    if (spread > 0 && isFinite(spread)) {
      const exponent = Math.floor(Math.log10(spread));
      const kept = Number((spread / 10 ** exponent).toFixed(6)) >= 3 ? 1 : 2;
      const wanted = Math.max(0, kept - 1 - exponent);
      if (wanted <= digits + 2) text = `${number.toFixed(wanted)} ± ${spread.toFixed(wanted)}`;
    }
    return `${text} ${shown}`.trim();
  }

  function correlation(a, b, index) {
    const { trials, correlation: matrix } = data.paired;
    const [row, column] = [trials.indexOf(Number(a)), trials.indexOf(Number(b))];
    return index === 0 && row >= 0 && column >= 0 ? matrix[row][column] : 0;
  }

  function difference(a, b, index) {
    const [x, ex] = data.values[a][index];
    const [y, ey] = data.values[b][index];
    if (x === null || y === null) return "–";
    const common = 2 * correlation(a, b, index) * ex * ey;
    const error = Math.sqrt(Math.max(ex * ex + ey * ey - common, 0));
    const sign = x > y ? "+" : x < y ? "−" : "";
    const { unit } = data.objectives[index];
    return sign + measured(Math.abs(x - y), error, unit === "%" ? "points" : unit);
  }

  function placed(packed) {
    const found = new Map();
    for (const { module, size, sites: places } of packed.groups) {
      if (size === 0) continue;
      for (const index of places) found.set(`${sites[index]} ${module}`, `${size ?? "on"}`);
    }
    return found;
  }

  function sitesText(a, b) {
    const [left, right] = [placed(configurations[a]), placed(configurations[b])];
    const keys = [...new Set([...left.keys(), ...right.keys()])];
    const order = new Intl.Collator("en", { numeric: true }).compare;
    const changed = keys.filter((key) => left.get(key) !== right.get(key)).sort(order);
    if (!changed.length) return "They have the same modules at the same sites.";
    const text = (key) => `${key} ${left.get(key) ?? "·"} against ${right.get(key) ?? "·"}`;
    const more = changed.length > 6 ? `; and ${changed.length - 6} more` : "";
    const count = changed.length === 1 ? "one site" : `${changed.length} places`;
    return `They differ at ${count}: ${changed.slice(0, 6).map(text).join("; ")}${more}.`;
  }

  function row(name, texts) {
    const line = document.createElement("tr");
    const head = line.appendChild(document.createElement("th"));
    head.scope = "row";
    head.textContent = name;
    for (const text of texts) line.appendChild(document.createElement("td")).textContent = text;
    return line;
  }

  function show() {
    const [a, b] = [selected(), menu.value];
    if (!data.values[a] || !data.values[b]) return;
    const objectives = data.objectives.map(({ label }, index) =>
      row(label, [data.texts[a][index], data.texts[b][index], difference(a, b, index)]));
    const facts = Object.keys(data.facts[a]).map((name) =>
      row(name, [data.facts[a][name], data.facts[b][name], ""]));
    one("tbody", table).replaceChildren(...objectives, ...facts);
    const heads = one("thead tr", table).children;
    heads[1].textContent = `#${a}`;
    heads[2].textContent = `#${b}`;
    document.getElementById("compare-sites").textContent = sitesText(a, b);
  }

  menu.addEventListener("change", show);
  page.listen(show);
})();
