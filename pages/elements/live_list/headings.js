// Group headings and dividers, which depend on the row above: a row can start a group, a day or the
// unread messages.

const GROUP_SPAN = 300_000; // ms; consecutive rows of one author within it share a heading

export class Headings {
  #rows;
  #times;
  #unreadText;
  #firstUnread;
  #today;
  #timer;

  constructor(rows, times, unreadText) {
    this.#rows = rows;
    this.#times = times;
    this.#unreadText = unreadText;
    this.updateDays();
  }

  setFirstUnread(key) {
    const changed = [this.#firstUnread, key];
    this.#firstUnread = key;
    this.update(changed.map((each) => this.#rows.get(each)).filter(Boolean));
  }

  update(changed) {
    for (const row of changed) this.#updateRow(row);
  }

  // Tells whether a message that this group sends now needs a heading.
  startsGroup(group) {
    const [above, now] = [this.#rows.last, this.#times.now()];
    return above?.day !== new Date(now).toDateString() || !this.#continuesGroup(above, group, now);
  }

  // Updates the names of the days, which change at midnight.
  updateDays() {
    const now = new Date();
    const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.updateDays(), midnight - now);
    if (this.#today === now.toDateString()) return;
    this.#today = now.toDateString();
    for (const row of this.#rows) if (row.dividers.day) this.#updateRow(row);
  }

  clear() {
    clearTimeout(this.#timer);
  }

  #updateRow(row) {
    const above = this.#rows.neighbour(row, -1);
    const isNewDay = above?.day !== row.day;
    const isFirstUnread = row.key === this.#firstUnread;
    setDivider(row, "fresh", isFirstUnread ? this.#unreadText : "");
    setDivider(row, "day", isNewDay ? this.#times.formatDay(row.from) : "");
    const continuesGroup = above?.name === row.name && this.#continuesGroup(above, row.group, row.from);
    row.node.classList.toggle("first", isNewDay || isFirstUnread || !continuesGroup);
  }

  #continuesGroup(above, group, time) {
    return above?.group === group && time - above.from < GROUP_SPAN;
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
