// Figures: each id has one figure per choice of its menus, the first one by default. A view may
// register `page.makers[id]`, which changes its figure before it is drawn.
await (async () => {
  const { one, all, select, selected, makers } = page;
  const views = Object.values(page.data);
  const figures = Object.assign({}, ...views.map((view) => view.figures ?? {}));
  const words = Object.assign({}, ...views.map((view) => view.words ?? {}));
  const ids = all(".figure").map((element) => element.id).filter((id) => figures[id]);
  if (!ids.length) return;
  const config = {
    showSendToCloud: false,
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["select2d", "lasso2d"],
  };
  const menus = (id) => all(`select[data-figure="${id}"]`);

  function variant(id) {
    const key = menus(id).map((menu) => menu.value).join("/");
    return structuredClone(figures[id][key] ?? Object.values(figures[id])[0]);
  }

  async function draw(id) {
    const figure = makers[id]?.(variant(id)) ?? variant(id);
    for (const trace of figure.data) {
      if (trace.customdata) trace.hovertext = trace.customdata.map((trial) => words[trial]);
    }
    const logarithmic = { type: "log", range: null, dtick: "D2" };
    if (one(`[data-log="${id}"]`)?.checked) Object.assign(figure.layout.xaxis, logarithmic);
    place(figure.data);
    await Plotly.react(id, figure.data, figure.layout, config);
  }

  function place(traces) {
    const mark = traces.find((trace) => trace.meta === "selection");
    if (!mark) return false;
    const at = (trace) => (trace.customdata ?? []).findIndex((trial) => `${trial}` === selected());
    const home = traces.find((trace) => at(trace) >= 0);
    mark.x = home ? [home.x[at(home)]] : [];
    mark.y = home ? [home.y[at(home)]] : [];
    return true;
  }

  function markSelection() {
    for (const id of ids) {
      const element = document.getElementById(id);
      if (!element.data) continue;
      if (makers[id]) draw(id);
      else if (place(element.data)) {
        const index = element.data.findIndex((trace) => trace.meta === "selection");
        const { x, y } = element.data[index];
        Plotly.restyle(element, { x: [x], y: [y] }, [index]);
      }
    }
  }

  function followMenus(id) {
    for (const menu of menus(id)) {
      let before = menu.value;
      menu.addEventListener("change", () => {
        const twin = menus(id).find((other) => other !== menu && other.value === menu.value);
        if (twin) {
          twin.value = before;
          twin.dispatchEvent(new Event("change"));
        }
        before = menu.value;
        draw(id);
      });
    }
    one(`[data-log="${id}"]`)?.addEventListener("change", () => draw(id));
  }

  async function start(id) {
    await draw(id);
    const element = document.getElementById(id);
    element.on("plotly_click", ({ points }) => {
      if (points[0]?.customdata !== undefined) select(String(points[0].customdata));
    });
    element.dispatchEvent(new Event("drawn"));
    followMenus(id);
  }

  async function loadPlotly() {
    if (document.getElementById("plotly-gzip")) {
      const element = document.createElement("script");
      element.textContent = await page.unpacked("plotly-gzip");
      document.head.append(element);
    }
    if (!window.Plotly) throw new Error("plotly.js is missing");
  }

  // One after the other, with a breath in between: the first is usable before the last is drawn.
  async function startAll() {
    for (const id of ids) {
      await start(id);
      await new Promise((resume) => setTimeout(resume));
    }
  }

  page.redraw = (id) => document.getElementById(id)?.data && draw(id);
  page.listen(markSelection);
  page.finish = () => loadPlotly().then(startAll).catch((error) => {
    console.error(error);
    for (const id of ids) {
      const element = document.getElementById(id);
      element.classList.add("undrawn");
      element.textContent = "This figure could not be drawn here; the table has the same data.";
    }
  });
})();
