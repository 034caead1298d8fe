// The configuration of the selected trial, to read and to copy in several formats.
(() => {
  const { one, all, copy, selected } = page;
  if (!page.data.table) return;
  const { sites, configurations, studies } = page.data.table;
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

  // `12` is trial 12 of the only study, `1-12` that of the second one.
  function trainCommand(trial) {
    const [number, study = 0] = trial.split("-").reverse();
    const folder = `train-${number}`;
    const command = `autopeft export ${studies[study]} ${number} --to train -o ${folder}`;
    return `${command} && python ${folder}/train.py`;
  }

  function showConfiguration(trial) {
    const packed = configurations[trial];
    document.getElementById("configuration").hidden = !packed;
    if (!packed) return;
    document.getElementById("configuration-name").textContent = `#${trial}`;
    document.getElementById("configuration-text").textContent = asYaml(packed);
    document.getElementById("configuration-command").textContent = trainCommand(trial);
    document.getElementById("configuration-copy").dataset.copy = trainCommand(trial);
    one('[data-format="python"]').disabled = page.loraConfig(trial) === null;
  }

  page.copyConfiguration = (format) => {
    const packed = configurations[selected()];
    if (packed) copy(formats[format](packed), `Configuration of #${selected()}`);
  };

  for (const button of all("[data-format]")) {
    button.addEventListener("click", () => page.copyConfiguration(button.dataset.format));
  }
  page.listen(showConfiguration);
})();
