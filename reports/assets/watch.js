// A page that is still being written: it loads itself again and keeps what was set in its controls.
(() => {
  const seconds = Number(document.documentElement.dataset.refresh);
  if (!seconds) return;
  const switched = document.getElementById("refresh-on");
  const controls = page.all("main input[id], main select, #refresh-on");
  const name = (control) => `${location.pathname} ${control.id || control.labels[0]?.textContent}`;
  const state = (control) => (control.type === "checkbox" ? "checked" : "value");

  // A browser may keep nothing for local files; then the controls begin anew.
  function remember() {
    try {
      for (const control of controls) {
        sessionStorage.setItem(name(control), JSON.stringify(control[state(control)]));
      }
    } catch { /* nothing is kept */ }
  }

  function restore() {
    try {
      for (const control of controls) {
        const kept = sessionStorage.getItem(name(control));
        if (kept === null) continue;
        control[state(control)] = JSON.parse(kept);
        control.dispatchEvent(new Event("change"));
        control.dispatchEvent(new Event("input"));
      }
    } catch { /* nothing was kept */ }
  }

  document.getElementById("refresh").hidden = false;
  document.getElementById("refresh-seconds").textContent = seconds;
  restore();
  setInterval(() => {
    if (!switched.checked) return;
    remember();
    location.reload();
  }, 1000 * seconds);
})();
