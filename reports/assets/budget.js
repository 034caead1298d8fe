// The budget: a slider along the steps of the stairs, and a line in the figure of the front.
(() => {
  const { one, select, makers, selected } = page;
  const [id, bar] = ["front-figure", document.getElementById("budget")];
  const budgets = page.data.front?.budgets;
  if (!bar || !budgets) return;
  const slider = document.getElementById("budget-step");
  const across = one(`select[data-figure="${id}"]`);
  const steps = () => budgets[across.value] ?? [];
  let chosen = null;

  function show() {
    bar.hidden = steps().length < 2;
    slider.max = Math.max(steps().length - 1, 0);
    const at = steps().findIndex(({ trial }) => `${trial}` === selected());
    if (at >= 0) [slider.value, chosen] = [at, steps()[at]];
    else chosen = null;
    const words = chosen?.words ?? "the selected trial is on no step of these stairs";
    document.getElementById("budget-text").textContent = words;
    slider.setAttribute("aria-valuetext", words);
  }

  makers[id] = (figure) => {
    if (chosen && steps().includes(chosen)) {
      const line = { width: 1, dash: "dash", color: "#c4581a" };
      figure.layout.shapes = [...figure.layout.shapes ?? [],
        { type: "line", x0: chosen.at, x1: chosen.at, yref: "paper", y0: 0, y1: 1, line }];
    }
    return figure;
  };

  slider.addEventListener("input", () => select(`${steps()[slider.value].trial}`));
  across.addEventListener("change", show);
  page.listen(show);
  show();
})();
