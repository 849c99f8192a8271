// How time passes for rows: they say what is left, their line shrinks, and at their end they go.

const SOON = 60_000; // the last minute of a row
const MARK = 250; // what changes with time changes at these marks: all rows of one in one frame
const STEPS = 100; // an animation of hours would keep the processor awake for as long

export class Ageing {
  #times;
  #fade;
  #end;
  #followed = new Map();

  constructor(times, { fade, end }) {
    this.#times = times;
    this.#fade = fade;
    this.#end = end;
  }

  hasEnded(row) {
    return this.#times.left(row.until) <= 0;
  }

  follow(row) {
    const left = [...row.node.querySelectorAll("[data-left]")];
    const since = [...row.node.querySelectorAll("[data-since]")];
    for (const time of row.node.querySelectorAll("time")) this.#times.write(time);
    this.#followed.set(row, { left, since });
    this.#look(row);
  }

  leave(row) {
    clearTimeout(this.#followed.get(row)?.timer);
    this.#followed.delete(row);
  }

  lookAtAll() {
    for (const row of [...this.#followed.keys()]) this.#look(row);
  }

  stop() {
    for (const row of [...this.#followed.keys()]) this.leave(row);
  }

  #look(row) {
    const followed = this.#followed.get(row);
    clearTimeout(followed.timer);
    // What begins to fade in time is gone in time.
    const end = untilMark(this.#times.left(row.until) - this.#fade, Math.floor);
    if (end <= 0) return this.#end(row);
    const change = untilMark(this.#show(row, followed), Math.ceil);
    const next = Math.min(end, change);
    if (next < Infinity) followed.timer = setTimeout(() => this.#look(row), next);
  }

  // Shows how things stand, and returns for how long they stay so.
  #show(row, { left, since }) {
    const lasts = [this.#showLine(row)];
    for (const label of left) {
      lasts.push(write(label, this.#times.sayLeft(label.dataset.left)));
      const isSoon = this.#times.left(label.dataset.left) <= SOON;
      (label.closest("[data-until]") || label).classList.toggle("soon", isSoon);
    }
    for (const label of since) lasts.push(write(label, this.#times.saySince(label.dataset.since)));
    return Math.min(...lasts);
  }

  #showLine(row) {
    if (!row.from) return Infinity;
    const step = (row.until - row.from) / STEPS;
    const steps = Math.ceil(this.#times.left(row.until) / step);
    row.node.style.setProperty("--share", Math.min(1, Math.max(0, steps / STEPS)));
    return this.#times.left(row.until) - (steps - 1) * step;
  }
}

function write(label, [words, lasts]) {
  const text = (label.dataset.say || "{}").replace("{}", words);
  if (label.textContent !== text) label.textContent = text;
  return lasts;
}

function untilMark(wait, round) {
  const now = Date.now();
  return round((now + wait) / MARK) * MARK - now;
}
