// The rows of a list: by key, in their order, and on the page.

const TARGETS = "a, button"; // what one can be on inside a row

export class Row {
  #day;

  constructor(key, order, html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    this.key = key;
    this.order = order;
    this.node = template.content.firstElementChild;
    this.node.dataset.key = key;
    const { from, until, group, dedup } = this.node.dataset;
    this.from = Number(from);
    this.until = Number(until ?? Infinity);
    this.group = group;
    this.dedup = dedup;
    this.lines = {}; // what stands above it (see headings.js)
  }

  get day() {
    return (this.#day ??= new Date(this.from).toDateString());
  }

  get top() {
    return this.lines.day ?? this.lines.fresh ?? this.node;
  }
}

export class Rows {
  #list;
  #keyed = new Map();
  #ordered = [];
  #touched = new Set();

  constructor(list) {
    this.#list = list;
  }

  get size() {
    return this.#ordered.length;
  }

  get first() {
    return this.#ordered[0];
  }

  get last() {
    return this.#ordered.at(-1);
  }

  [Symbol.iterator]() {
    return this.#ordered.values();
  }

  get(key) {
    return this.#keyed.get(key);
  }

  has(key) {
    return this.#keyed.has(key);
  }

  keys() {
    return this.#ordered.map((row) => row.key);
  }

  slice(from, to) {
    return this.#ordered.slice(from, to);
  }

  neighbour(row, away) {
    return this.#ordered[this.#indexOf(row) + away];
  }

  countAfter(order) {
    return this.size - this.#seek((row) => row.order > order);
  }

  // The first row of which something is true that is true of all after it.
  find(isTrue) {
    return this.#ordered[this.#seek(isTrue)];
  }

  put(row) {
    const known = this.#keyed.get(row.key);
    const focused = known ? targets(known).indexOf(document.activeElement) : -1;
    if (known?.order === row.order) this.#replace(known, row);
    else {
      if (known) this.remove(known);
      this.#insert(row);
    }
    if (focused >= 0) targets(row)[focused]?.focus({ preventScroll: true });
  }

  remove(row) {
    const [above, below] = [this.neighbour(row, -1), this.neighbour(row, 1)];
    const hadFocus = row.node.contains(document.activeElement);
    this.#ordered.splice(this.#indexOf(row), 1);
    this.#keyed.delete(row.key);
    this.#touched.delete(row);
    this.#touch(below);
    for (const line of Object.values(row.lines)) line.remove();
    row.node.remove();
    if (hadFocus) (below ?? above)?.node.focus({ preventScroll: true }); // the keys go on from there
  }

  // Hands out the rows that are new, or have a new neighbour above, since it was last asked.
  takeTouched() {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  #replace(known, row) {
    row.lines = known.lines;
    known.node.replaceWith(row.node);
    this.#ordered[this.#indexOf(known)] = row;
    this.#keyed.set(row.key, row);
    this.#touched.delete(known);
    this.#touch(row);
  }

  #insert(row) {
    const index = this.#seek((other) => other.order > row.order);
    const next = this.#ordered[index];
    if (next) next.top.before(row.node);
    else if (index) this.last.node.after(row.node);
    else this.#list.prepend(row.node);
    this.#ordered.splice(index, 0, row);
    this.#keyed.set(row.key, row);
    this.#touch(row);
    this.#touch(next);
  }

  #touch(row) {
    if (row) this.#touched.add(row);
  }

  #indexOf(row) {
    let index = this.#seek((other) => other.order >= row.order);
    while (this.#ordered[index] !== row) index += 1; // a few may share an order
    return index;
  }

  #seek(isTrue) {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isTrue(this.#ordered[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function targets({ node }) {
  return [node, ...node.querySelectorAll(TARGETS)];
}
