// Figures: each id has one figure per choice of its menus, the first one by default.
(() => {
  const { one, all, select, selected } = page;
  const views = Object.values(page.data);
  const figures = Object.assign({}, ...views.map((view) => view.figures ?? {}));
  const words = Object.assign({}, ...views.map((view) => view.words ?? {}));
  if (!Object.keys(figures).length) return;
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
    const figure = variant(id);
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
    const trial = selected() === null ? NaN : Number(selected());
    const home = traces.find((trace) => trace.customdata?.includes(trial));
    const at = home?.customdata.indexOf(trial);
    mark.x = home ? [home.x[at]] : [];
    mark.y = home ? [home.y[at]] : [];
    return true;
  }

  function markSelection() {
    for (const id of Object.keys(figures)) {
      const element = document.getElementById(id);
      if (!element?.data || !place(element.data)) continue;
      const index = element.data.findIndex((trace) => trace.meta === "selection");
      const { x, y } = element.data[index];
      Plotly.restyle(element, { x: [x], y: [y] }, [index]);
    }
  }

  async function start(id) {
    await draw(id);
    document.getElementById(id).on("plotly_click", ({ points }) => {
      if (points[0]?.customdata !== undefined) select(String(points[0].customdata));
    });
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

  async function loadPlotly() {
    const packed = document.getElementById("plotly-gzip");
    if (packed) {
      const bytes = Uint8Array.from(atob(packed.textContent.trim()), (char) => char.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const element = document.createElement("script");
      element.textContent = await new Response(stream).text();
      document.head.append(element);
    }
    if (!window.Plotly) throw new Error("plotly.js is missing");
  }

  loadPlotly().then(() => Promise.all(Object.keys(figures).map(start))).catch((error) => {
    console.error(error);
    for (const id of Object.keys(figures)) {
      const element = document.getElementById(id);
      element.classList.add("undrawn");
      element.textContent = "This figure could not be drawn here; the table has the same data.";
    }
  });

  page.listen(markSelection);
})();
