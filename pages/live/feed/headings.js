// What follows for a row from the one above it: whether it opens a group, and where a day or the
// unread begins.

const TOGETHER = 300_000; // rows of one group within so much time need only one heading

export class Headings {
  #rows;
  #times;
  #words;
  #fresh;
  #today;

  constructor(rows, times, words) {
    this.#rows = rows;
    this.#times = times;
    this.#words = words;
    this.#today = today();
  }

  beginFresh(key) {
    this.#fresh = key;
    if (this.#rows.has(key)) this.arrange([this.#rows.get(key)]);
  }

  arrange(touched) {
    for (const row of touched) this.#arrangeRow(row);
    if (this.#today === today()) return;
    this.#today = today();
    for (const row of this.#rows) if (row.lines.day) this.#arrangeRow(row);
  }

  #arrangeRow(row) {
    const above = this.#rows.neighbour(row, -1);
    const isNewDay = above?.day !== row.day;
    const isFresh = row.key === this.#fresh;
    draw(row, "fresh", isFresh ? this.#words : "");
    draw(row, "day", isNewDay ? this.#times.nameDay(row.from) : "");
    const goesOn = above?.group === row.group && row.from - above.from < TOGETHER;
    row.node.classList.toggle("first", isNewDay || isFresh || !goesOn);
  }
}

function draw(row, kind, words) {
  // A line that may stay is left alone: whoever listens to the list hears only what is new.
  const line = row.lines[kind];
  if ((line?.textContent ?? "") === words) return;
  line?.remove();
  delete row.lines[kind];
  if (!words) return;
  const next = kind === "day" ? row.top : row.node;
  row.lines[kind] = document.createElement("div");
  row.lines[kind].className = `divider ${kind}`;
  row.lines[kind].textContent = words;
  next.before(row.lines[kind]);
}

function today() {
  return new Date().toDateString();
}
