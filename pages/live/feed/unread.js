// What is unread in other rooms: the row says what there is, the reader's mark what is known.

export class Unread {
  #rows;
  #marks;

  constructor(rows, marks) {
    this.#rows = rows;
    this.#marks = { ...marks };
  }

  mark(marks) {
    for (const [key, seq] of Object.entries(marks)) {
      this.#marks[key] = Math.max(this.#marks[key] || 0, seq);
      if (this.#rows.has(key)) this.show(this.#rows.get(key));
    }
  }

  show({ key, node }) {
    const label = node.querySelector("[data-unread]");
    if (!label) return;
    const count = node.dataset.last - Math.max(this.#marks[key] || 0, node.dataset.first - 1);
    label.hidden = count <= 0;
    label.firstChild.textContent = count > 99 ? "99+" : count;
  }
}
