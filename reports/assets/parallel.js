// Parallel coordinates: lines over the axes; an axis can be flipped, made logarithmic and narrowed.
(() => {
  const { selected } = page;
  const id = "parallel-figure";
  const data = page.data.parallel;
  if (!data) return;
  const [BLUE, GREY, ORANGE] = ["#1f7ac4", "#808890", "#c4581a"];
  const axes = data.axes.map((axis) => ({ ...axis, low: 0, high: 1, ...ends(axis) }));
  const control = (name) => document.getElementById(`parallel-${name}`);
  const chosen = () => axes[Number(control("axis").value)];

  function ends({ values, words }) {
    const known = values.filter((value) => value !== null);
    if (words) return { names: [...new Set(known)].sort() };
    return { least: Math.min(...known), most: Math.max(...known) };
  }

  // The place of a value on its axis, 0 to 1; null where there is none.
  function place(axis, value) {
    if (value === null || (axis.log && value <= 0)) return null;
    let share = 0.5;
    if (axis.words) share = (axis.names.indexOf(value) + 0.5) / axis.names.length;
    else if (axis.most > axis.least) {
      const scale = axis.log ? Math.log : (x) => x;
      share = (scale(value) - scale(axis.least)) / (scale(axis.most) - scale(axis.least));
    }
    return axis.flip ? 1 - share : share;
  }

  const narrowed = () => axes.filter(({ low, high }) => low > 0 || high < 1);
  const passes = (row) => narrowed().every((axis) => {
    const at = place(axis, axis.values[row]);
    return at !== null && at >= axis.low - 1e-9 && at <= axis.high + 1e-9;
  });

  function lines(rows, style) {
    const [x, y, customdata] = [[], [], []];
    for (const row of rows) {
      axes.forEach((axis, index) => {
        x.push(index);
        y.push(place(axis, axis.values[row]));
        customdata.push(data.trials[row]);
      });
      x.push(null);
      y.push(null);
      customdata.push(null);
    }
    const hovertemplate = "%{hovertext}<extra></extra>";
    return { x, y, customdata, hovertemplate, mode: "lines+markers", ...style };
  }

  function traces() {
    const rows = data.trials.map((_, row) => row);
    const kept = rows.filter(passes);
    const rest = rows.filter((row) => !kept.includes(row));
    control("count").textContent = `${kept.length} of ${rows.length} trials`;
    const style = (name, color, width, opacity) =>
      ({ name, opacity, line: { color, width }, marker: { color, size: 2 + width } });
    const made = [
      lines(rest, { ...style("left out", GREY, 0.5, 0.15), hoverinfo: "skip", hovertemplate: null }),
      lines(kept.filter((row) => !data.front[row]), style("others", GREY, 1, 0.5)),
      lines(kept.filter((row) => data.front[row]), style("front", BLUE, 1.5, 1)),
      lines(kept.filter((row) => `${data.trials[row]}` === selected()),
        style("selected", ORANGE, 3.5, 1)),
    ];
    return made.filter(({ x }) => x.length);
  }

  function tick(axis, value) {
    return axis.words ? value : Number(value.toPrecision(3)).toString();
  }

  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

  function labels() {
    return axes.flatMap((axis, x) => {
      const names = axis.words ? axis.names : [axis.least, axis.most];
      const texts = names.filter((name) => name !== undefined && (axis.words || isFinite(name)));
      return texts.map((name) => {
        const y = place(axis, name) ?? 0;
        const yshift = axis.words ? 0 : y > 0.5 ? 9 : -9;
        const text = escaped(tick(axis, name));
        return { x, y, yshift, text, showarrow: false, bgcolor: "rgba(0,0,0,0)" };
      });
    });
  }

  function shapes() {
    const bars = axes.map((_, x) => (
      { type: "line", x0: x, x1: x, y0: 0, y1: 1, line: { color: GREY, width: 1 } }));
    const boxes = axes.map(({ low, high }, x) => ({
      type: "rect", x0: x - 0.08, x1: x + 0.08, y0: low, y1: high,
      fillcolor: ORANGE, opacity: 0.25, line: { width: 0 },
    }));
    return [...bars, ...boxes.filter((box) => box.y0 > 0 || box.y1 < 1)];
  }

  page.makers[id] = () => ({
    data: traces(),
    layout: {
      xaxis: {
        range: [-0.4, axes.length - 0.6],
        tickvals: axes.map((_, index) => index),
        ticktext: axes.map(({ label, log }) =>
          escaped(label).replace(/[ _]/g, "<br>") + (log ? "<br>(log)" : "")),
        tickangle: 0, zeroline: false, showgrid: false, fixedrange: true, automargin: true,
      },
      yaxis: { visible: false, range: [-0.1, 1.1], fixedrange: true },
      annotations: labels(), shapes: shapes(), dragmode: "select", hovermode: "closest",
      selections: [], showlegend: true, uirevision: Math.random(),
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      margin: { l: 8, r: 8, t: 8, b: 8 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      newselection: { line: { color: ORANGE } },
    },
  });

  function showAxis() {
    const { low, high, words, least } = chosen();
    control("low").value = 100 * low;
    control("high").value = 100 * high;
    control("log").disabled = words || !(least > 0);
  }

  function change(edit) {
    edit(chosen());
    showAxis();
    page.redraw(id);
  }

  function brushed(range) {
    const [left, right] = [...range.x].sort((a, b) => a - b);
    const [low, high] = [...range.y].sort((a, b) => a - b).map((y) => Math.max(0, Math.min(1, y)));
    axes.forEach((axis, x) => {
      if (x >= left && x <= right) Object.assign(axis, { low, high });
    });
  }

  function clear() {
    for (const axis of axes) Object.assign(axis, { low: 0, high: 1 });
    showAxis();
    page.redraw(id);
  }

  document.getElementById(id).addEventListener("drawn", (event) => {
    event.target.on("plotly_selected", (chosenPart) => {
      if (chosenPart?.range) brushed(chosenPart.range);
      showAxis();
      page.redraw(id);
    });
    event.target.on("plotly_deselect", clear);
  });
  control("axis").addEventListener("change", showAxis);
  control("flip").addEventListener("click", () => change((axis) => {
    Object.assign(axis, { flip: !axis.flip, low: 1 - axis.high, high: 1 - axis.low });
  }));
  control("log").addEventListener("click", () => change((axis) => (axis.log = !axis.log)));
  control("low").addEventListener("input", (event) => change((axis) => {
    axis.low = Math.min(event.target.value / 100, axis.high);
  }));
  control("high").addEventListener("input", (event) => change((axis) => {
    axis.high = Math.max(event.target.value / 100, axis.low);
  }));
  control("clear").addEventListener("click", clear);
  showAxis();
})();
