// The table: sorting, filtering and the keyboard.
(() => {
  const { one, all, select, copy, selected } = page;
  const table = document.getElementById("trials");
  if (!table) return;
  one("tbody", table).insertAdjacentHTML("beforeend", page.data.table?.others ?? "");
  const rows = () => all("tbody tr", table);
  const shown = () => rows().filter((row) => row.offsetParent !== null);

  function sortBy(head) {
    const index = all("th", head.parentElement).indexOf(head);
    const up = head.getAttribute("aria-sort") !== "ascending";
    const cell = (row) => row.children[index];
    const value = (row) => cell(row).dataset.sort ?? cell(row).textContent;
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
    table.classList.toggle("all", document.getElementById("table-all")?.checked ?? true);
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
      if (visible[at].dataset.enter) copy(visible[at].dataset.enter, "Command");
      else page.copyConfiguration?.("json");
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
  });
  one("thead", table).addEventListener("click", (event) => {
    const head = event.target.closest(".sort")?.closest("th");
    if (head) sortBy(head);
  });
  one("tbody", table).addEventListener("keydown", moveInTable);
  document.getElementById("table-filter").addEventListener("input", filterRows);
  document.getElementById("table-all")?.addEventListener("change", filterRows);
  filterRows();
})();
