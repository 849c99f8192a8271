// The messages that the reader has not seen yet, on the page or not: above the visible ones, because
// they were skipped, or below.

const ROWS_MAX = 1_000;
const COUNT_MAX = 99;
const RANGES_MAX = 100;

export class Unseen {
  #read; // the read mark when the page was opened
  #seen = []; // ranges of orders that were visible; scrolling joins them
  #rows = new Map(); // order and end of each unseen row, by key

  constructor(read) {
    this.#read = read;
  }

  get size() {
    return this.#rows.size;
  }

  // The key and order of the first one.
  get first() {
    let first;
    for (const [key, { order }] of this.#rows) if (!(order > first?.order)) first = { key, order };
    return first;
  }

  // Rows that are loaded again are no news.
  add({ key, order, until }) {
    const isSeen = this.#seen.some(([from, to]) => order >= from && order <= to);
    if (!isSeen && order > this.#read && this.size < ROWS_MAX) this.#rows.set(key, { order, until });
  }

  remove(key) {
    this.#rows.delete(key);
  }

  // These and all between them are visible.
  see(first, last) {
    for (const [key, { order }] of this.#rows) {
      if (order >= first.order && order <= last.order) this.#rows.delete(key);
    }
    const isApart = ([from, to]) => to < first.order || from > last.order;
    const joined = [[first.order, last.order], ...this.#seen.filter((range) => !isApart(range))].flat();
    const range = [Math.min(...joined), Math.max(...joined)];
    this.#seen = [...this.#seen.filter(isApart), range].slice(-RANGES_MAX);
  }

  // Removes expired rows, and returns when the next one expires.
  expire(now) {
    let next = Infinity;
    for (const [key, { until }] of this.#rows) {
      if (until <= now) this.#rows.delete(key);
      else next = Math.min(next, until);
    }
    return next;
  }

  countBefore(row) {
    return this.#count((order) => order < row.order);
  }

  countAfter(row) {
    return this.#count((order) => order > row.order);
  }

  // When the first of them disappears.
  nextBefore(row) {
    return this.#next((order) => order < row.order);
  }

  nextAfter(row) {
    return this.#next((order) => order > row.order);
  }

  #next(isCounted) {
    let next = Infinity;
    for (const { order, until } of this.#rows.values()) if (isCounted(order)) next = Math.min(next, until);
    return next;
  }

  #count(isCounted) {
    let count = 0;
    for (const { order } of this.#rows.values()) if (isCounted(order)) count += 1;
    return count;
  }
}

export function formatCount(count) {
  return count > COUNT_MAX ? `${COUNT_MAX}+` : String(count);
}
