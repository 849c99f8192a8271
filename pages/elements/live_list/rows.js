// The rows of a list, by key and in order, and their DOM nodes.

const TARGETS = "a, button, [tabindex]";

export class Row {
  #day;

  constructor(key, order, html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    this.key = key;
    this.order = order;
    this.node = template.content.firstElementChild;
    this.node.dataset.key = key;
    const { id, from, until, group, dedup } = this.node.dataset;
    this.id = id;
    this.from = Number(from);
    this.until = Number(until ?? Infinity);
    this.group = group;
    this.name = this.node.querySelector(".who")?.textContent; // one author may have several
    this.dedup = dedup;
    this.revision = Number(this.node.dataset.revision ?? 0);
    this.dividers = {}; // by kind, in front of the node (see headings.js)
    this.trailer = undefined; // what stands behind it (see join_notices.js)
  }

  get day() {
    return (this.#day ??= new Date(this.from).toDateString());
  }

  get firstNode() {
    return this.dividers.day ?? this.dividers.fresh ?? this.node;
  }

  // The elements that can have the focus; the row itself if there is no other.
  get targets() {
    const targets = [this.node, ...this.node.querySelectorAll(TARGETS)].filter((node) => node.matches(TARGETS));
    return targets.length ? targets : [this.node];
  }
}

export class Rows {
  #list;
  #byKey = new Map();
  #ordered = [];
  #changed = new Set();

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
    return this.#byKey.get(key);
  }

  has(key) {
    return this.#byKey.has(key);
  }

  keys() {
    return this.#ordered.map((row) => row.key);
  }

  slice(from, to) {
    return this.#ordered.slice(from, to);
  }

  neighbour(row, offset) {
    return this.#ordered[this.#indexOf(row) + offset];
  }

  countAfter(order) {
    return this.size - this.#findIndex((row) => row.order > order);
  }

  // Returns the first row for which the predicate is true; it must be true for all rows after it.
  findFirst(predicate) {
    return this.#ordered[this.#findIndex(predicate)];
  }

  // A row that is older than the one that is shown is ignored: an event may arrive after a response
  // that was newer.
  put(row) {
    const existing = this.#byKey.get(row.key);
    if (existing?.revision > row.revision) return;
    const focused = existing ? existing.targets.indexOf(document.activeElement) : -1;
    if (existing?.order === row.order) this.#replace(existing, row);
    else {
      if (existing) this.remove(existing);
      this.#insert(row);
    }
    if (focused >= 0) (row.targets[focused] ?? row.targets[0]).focus({ preventScroll: true });
  }

  remove(row) {
    const [above, below] = [this.neighbour(row, -1), this.neighbour(row, 1)];
    const hadFocus = row.node.contains(document.activeElement);
    this.#ordered.splice(this.#indexOf(row), 1);
    this.#byKey.delete(row.key);
    this.#changed.delete(row);
    this.#markChanged(below);
    for (const divider of Object.values(row.dividers)) divider.remove();
    row.dividers = {};
    row.trailer?.remove();
    row.trailer = undefined;
    row.node.remove();
    // The arrow keys continue from the focused row.
    if (hadFocus) ((below ?? above)?.targets[0] ?? this.#list).focus({ preventScroll: true });
  }

  // Returns the rows that are new or have a new row above since the last call.
  takeChanged() {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  #replace(existing, row) {
    row.dividers = existing.dividers;
    row.trailer = existing.trailer;
    existing.node.replaceWith(row.node);
    this.#ordered[this.#indexOf(existing)] = row;
    this.#byKey.set(row.key, row);
    this.#changed.delete(existing);
    this.#markChanged(row);
  }

  #insert(row) {
    const index = this.#findIndex((other) => other.order > row.order);
    const next = this.#ordered[index];
    if (next) next.firstNode.before(row.node);
    else if (index) (this.last.trailer ?? this.last.node).after(row.node);
    else this.#list.insertBefore(row.node, this.#list.querySelector("[data-pending]"));
    this.#ordered.splice(index, 0, row);
    this.#byKey.set(row.key, row);
    this.#markChanged(row);
    this.#markChanged(next);
  }

  #markChanged(row) {
    if (row) this.#changed.add(row);
  }

  #indexOf(row) {
    let index = this.#findIndex((other) => other.order >= row.order);
    while (this.#ordered[index] !== row) index += 1; // rows can share an order
    return index;
  }

  #findIndex(predicate) {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (predicate(this.#ordered[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
