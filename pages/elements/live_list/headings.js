// Group headings and dividers, which depend on the row above: a row can start a group, a day or the
// unread messages.

const GROUP_SPAN = 300_000; // ms; consecutive rows of one author within it share a heading

export class Headings {
  #rows;
  #times;
  #unreadText;
  #firstUnread;
  #today;

  constructor(rows, times, unreadText) {
    this.#rows = rows;
    this.#times = times;
    this.#unreadText = unreadText;
    this.#today = today();
  }

  setFirstUnread(key) {
    this.#firstUnread = key;
    if (this.#rows.has(key)) this.update([this.#rows.get(key)]);
  }

  update(changed) {
    for (const row of changed) this.#updateRow(row);
    if (this.#today === today()) return;
    this.#today = today();
    for (const row of this.#rows) if (row.dividers.day) this.#updateRow(row);
  }

  #updateRow(row) {
    const above = this.#rows.neighbour(row, -1);
    const isNewDay = above?.day !== row.day;
    const isFirstUnread = row.key === this.#firstUnread;
    setDivider(row, "fresh", isFirstUnread ? this.#unreadText : "");
    setDivider(row, "day", isNewDay ? this.#times.formatDay(row.from) : "");
    const continuesGroup = above?.group === row.group && row.from - above.from < GROUP_SPAN;
    row.node.classList.toggle("first", isNewDay || isFirstUnread || !continuesGroup);
  }
}

function setDivider(row, kind, text) {
  // An unchanged divider is kept, so that screen readers announce new content only.
  const existing = row.dividers[kind];
  if ((existing?.textContent ?? "") === text) return;
  existing?.remove();
  delete row.dividers[kind];
  if (!text) return;
  const next = kind === "day" ? row.firstNode : row.node;
  const divider = document.createElement("div");
  divider.className = `divider ${kind}`;
  divider.textContent = text;
  next.before(divider);
  row.dividers[kind] = divider;
}

function today() {
  return new Date().toDateString();
}
