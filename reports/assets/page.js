"use strict";
// What every view shares: the selected trial, which lives in the address, and copying.
const page = await (async () => {
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" +
    "!#$%&()*+-;,=>?@^_`{|}~";

  // Base 85: five digits are four bytes; what the last group lacks is filled up with its last digit.
  function bytesOf(packed) {
    const values = new Uint8Array(128);
    [...DIGITS].forEach((digit, value) => (values[digit.charCodeAt(0)] = value));
    const missing = (5 - (packed.length % 5)) % 5;
    const text = packed + "~".repeat(missing);
    const bytes = new DataView(new ArrayBuffer((text.length / 5) * 4));
    for (let at = 0; at < text.length; at += 5) {
      let group = 0;
      for (let i = at; i < at + 5; i += 1) group = group * 85 + values[text.charCodeAt(i)];
      bytes.setUint32((at / 5) * 4, group);
    }
    return new Uint8Array(bytes.buffer, 0, bytes.byteLength - missing);
  }

  async function unpacked(id) {
    const bytes = bytesOf(document.getElementById(id).textContent.trim());
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  const data = JSON.parse(await unpacked("page-data"));
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const listeners = [];
  document.documentElement.classList.add("script");

  let selected = null;
  const asked = () => new URLSearchParams(location.hash.slice(1)).get("trial");

  function select(trial) {
    if (!/^\d+(-\d+)?$/.test(trial)) return;
    // `replace` leaves no trail of steps behind the back button; it works from file:// too.
    if (asked() !== trial) location.replace(`#trial=${trial}`);
    mark(trial);
  }

  function mark(trial) {
    selected = trial;
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

  // Called when every view listens.
  async function start() {
    if (asked() === null && data.compare) mark(String(data.compare.first[0]));
    followAddress();
    await shared.finish?.();
    document.documentElement.classList.add("drawn");
  }

  document.addEventListener("click", follow);
  addEventListener("hashchange", followAddress);
  const listen = (listener) => listeners.push(listener);
  const shared = { data, one, all, select, copy, unpacked, listen, start, makers: {} };
  return Object.assign(shared, { selected: () => selected });
})();
