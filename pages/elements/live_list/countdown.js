// Updates the remaining time and the progress bar of rows, and reports expired rows. A time with
// `data-ends` is hidden once it is over.

const SOON = 60_000; // ms before its expiry a row is highlighted
const TICK = 250; // ms; updates are aligned to it, so that many rows change in one frame
const STEPS = 100; // of the bar: a CSS animation of hours would never let the CPU sleep

export class Countdown {
  #times;
  #fade;
  #onExpire;
  #entries = new Map();

  constructor(times, { fade, onExpire }) {
    this.#times = times;
    this.#fade = fade;
    this.#onExpire = onExpire;
  }

  hasExpired(row) {
    return this.#times.timeLeft(row.until) <= 0;
  }

  add(row) {
    const left = [...row.node.querySelectorAll("[data-left]")];
    const since = [...row.node.querySelectorAll("[data-since]")];
    for (const time of row.node.querySelectorAll("time")) this.#times.render(time);
    this.#entries.set(row, { left, since });
    this.#update(row);
  }

  remove(row) {
    clearTimeout(this.#entries.get(row)?.timer);
    this.#entries.delete(row);
  }

  // Takes over the times that have changed in a row.
  restart(row) {
    if (!this.#entries.has(row)) return;
    this.remove(row);
    this.add(row);
  }

  updateAll() {
    for (const row of [...this.#entries.keys()]) this.#update(row);
  }

  clear() {
    for (const row of [...this.#entries.keys()]) this.remove(row);
  }

  #update(row) {
    const entry = this.#entries.get(row);
    clearTimeout(entry.timer);
    // The fade-out has to be over when the row expires.
    const expiry = untilTick(this.#times.timeLeft(row.until) - this.#fade, Math.floor);
    if (expiry <= 0) return this.#onExpire(row);
    const change = untilTick(this.#render(row, entry), Math.ceil);
    const next = Math.min(expiry, change);
    if (next < Infinity) entry.timer = setTimeout(() => this.#update(row), next);
  }

  // Renders the current state and returns for how many milliseconds it is valid.
  #render(row, { left, since }) {
    const durations = [this.#renderBar(row)];
    for (const label of left) {
      durations.push(setText(label, this.#times.formatLeft(label.dataset.left)));
      if ("ends" in label.dataset) label.hidden = this.#times.timeLeft(label.dataset.left) <= 0;
      const isSoon = this.#times.timeLeft(label.dataset.left) <= SOON;
      (label.closest("[data-until]") || label).classList.toggle("soon", isSoon);
    }
    for (const label of since) {
      durations.push(setText(label, this.#times.formatSince(label.dataset.since)));
    }
    return Math.min(...durations);
  }

  #renderBar(row) {
    if (!row.from) return Infinity;
    const step = (row.until - row.from) / STEPS;
    const steps = Math.ceil(this.#times.timeLeft(row.until) / step);
    row.node.style.setProperty("--share", Math.min(1, Math.max(0, steps / STEPS)));
    return this.#times.timeLeft(row.until) - (steps - 1) * step;
  }
}

function setText(label, [time, validFor]) {
  const text = (label.dataset.say || "{}").replace("{}", time);
  if (label.textContent !== text) label.textContent = text;
  return validFor;
}

// Rounds a delay so that it ends at a multiple of TICK.
function untilTick(delay, round) {
  const now = Date.now();
  return round((now + delay) / TICK) * TICK - now;
}
