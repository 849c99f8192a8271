// The unread counts of rooms: from the first and last seq in the row and the visitor's read mark.

import { showUnseen } from "title";

export class Unread {
  #rows;
  #readMarks;
  #opened; // the key of the open room, whose messages are counted by its own list
  #counts = new Map();
  #total = 0;

  constructor(rows, marks) {
    this.#rows = rows;
    this.#readMarks = { ...marks };
  }

  setOpened(key) {
    const previous = this.#opened;
    this.#opened = key;
    if (key) this.#count(key, 0);
    if (this.#rows.has(previous)) this.render(this.#rows.get(previous));
  }

  update(marks) {
    for (const [key, seq] of Object.entries(marks)) {
      this.#readMarks[key] = Math.max(this.#readMarks[key] || 0, seq);
      if (this.#rows.has(key)) this.render(this.#rows.get(key));
    }
  }

  render({ key, node }) {
    const label = node.querySelector("[data-unread]");
    if (!label) return;
    const count = node.dataset.last - Math.max(this.#readMarks[key] || 0, node.dataset.first - 1);
    label.hidden = count <= 0;
    label.firstChild.textContent = count > 99 ? "99+" : count;
    if (key !== this.#opened) this.#count(key, Math.max(count, 0));
  }

  remove({ key }) {
    this.#count(key, 0);
  }

  #count(key, count) {
    const change = count - (this.#counts.get(key) ?? 0);
    if (!change) return;
    if (count) this.#counts.set(key, count);
    else this.#counts.delete(key);
    this.#total += change;
    showUnseen({ elsewhere: this.#total });
  }
}
