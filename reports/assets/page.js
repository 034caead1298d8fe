"use strict";
// What every view shares: the selected trial, which lives in the address, and copying.
const page = (() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const listeners = [];
  document.documentElement.classList.add("script");

  let selected = null;
  const asked = () => new URLSearchParams(location.hash.slice(1)).get("trial");

  function select(trial) {
    if (!/^\d+$/.test(trial)) return;
    selected = trial;
    // `replace` leaves no trail of steps behind the back button; it works from file:// too.
    if (asked() !== trial) location.replace(`#trial=${trial}`);
    for (const item of all("[data-trial]:not(button)")) {
      item.classList.toggle("selected", item.dataset.trial === trial);
    }
    listeners.forEach((listener) => listener(trial));
  }

  async function copy(text, name) {
    try {
      await navigator.clipboard.writeText(text);
      announce(`${name} copied`);
    } catch {
      announce(copyBySelection(text) ? `${name} copied` : "Copying is not allowed here");
    }
  }

  function copyBySelection(text) {
    const before = document.activeElement;
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.style.cssText = "position:fixed;top:0;opacity:0";
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus();
    return done;
  }

  let silence = 0;
  function announce(text) {
    const status = document.getElementById("status");
    status.textContent = text;
    clearTimeout(silence);
    silence = setTimeout(() => (status.textContent = ""), 2500);
  }

  function follow(event) {
    const command = event.target.closest("[data-copy]");
    const trial = event.target.closest("[data-trial]");
    if (command) copy(command.dataset.copy, "Command");
    else if (trial) select(trial.dataset.trial);
  }

  function followAddress() {
    if (asked() !== null && asked() !== selected) select(asked());
  }

  document.addEventListener("click", follow);
  addEventListener("hashchange", followAddress);
  addEventListener("DOMContentLoaded", followAddress);
  return { data, one, all, select, copy, selected: () => selected, listen: (f) => listeners.push(f) };
})();
