// The unread counts of rooms: from the first and last seq in the row and the visitor's read mark.

export class Unread {
  #rows;
  #readMarks;

  constructor(rows, marks) {
    this.#rows = rows;
    this.#readMarks = { ...marks };
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
  }
}
