// The part of a long list that is on the page, and the requests that load more of it.

export const BEFORE = "before";
export const AFTER = "after";
export const END = "end";
export const FROM = "from"; // a given key

const CHANGES_MAX = 1_000;
let lastNumber = 0;

// A row without an order replaces another one with its key, and keeps its place.
function inPlaceOf(existing, [key, order, html]) {
  return [key, order ?? existing?.[1] ?? null, html];
}

// An unanswered request. It records the changes received meanwhile, which may be newer than the
// response.
export class PendingRequest {
  constructor(keys = []) {
    this.keys = keys; // of the rows on the page
  }

  number = (lastNumber += 1);
  sentAt = Date.now();
  hasOverflowed = false; // too many changes to record: the response has to be ignored
  changes = new Map(); // rows by key, null for removed ones

  receive({ put = [], drop = [] }) {
    for (const row of put) this.changes.set(row[0], inPlaceOf(this.changes.get(row[0]), row));
    for (const key of drop) this.changes.set(key, null);
    if (this.changes.size <= CHANGES_MAX) return;
    this.hasOverflowed = true;
    this.changes.clear();
  }

  // Returns the newest state of a row of the response, or null if it was removed meanwhile.
  update(row) {
    const change = this.changes.get(row[0]);
    return change ? inPlaceOf(row, change) : change === null ? null : row;
  }
}

export class ListWindow {
  #rows;
  #emit;
  #pending = null;
  #side;

  constructor(rows, { before, after, emit }) {
    this.#rows = rows;
    this.#emit = emit;
    this.before = before; // whether the server has rows before the first, and after the last
    this.after = after;
  }

  get isLoading() {
    return this.#pending !== null;
  }

  isAfterWindow({ key, order }) {
    return this.after && !this.#rows.has(key) && !(order <= this.#rows.last?.order);
  }

  receive(packet) {
    this.#pending?.receive(packet);
  }

  request(side, from) {
    if (this.isLoading && side !== END && side !== FROM) return;
    const cursor = {};
    if (side === FROM) cursor.after = String(from - 1);
    else if (side === BEFORE && this.#rows.size) cursor.before = this.#rows.first.key;
    else if (side === AFTER && this.#rows.size) cursor.after = this.#rows.last.key;
    else side = END;
    this.#pending = new PendingRequest();
    this.#side = side;
    this.#emit({ question: this.#pending.number, ...cursor });
  }

  // Removes rows from one end of the page; a pending request for rows beyond that end is dropped.
  evict(side, count, remove) {
    const rows = side === BEFORE ? this.#rows.slice(0, count) : this.#rows.slice(-count);
    for (const row of rows) remove(row);
    this[side] = true;
    if (this.#side === side) this.#pending = null;
  }

  // Drops the pending request after a reconnection; a request for the end is sent again.
  resetRequest() {
    const wantedEnd = this.isLoading && this.#side === END;
    this.#pending = null;
    if (wantedEnd) this.request(END);
  }

  // Returns the side and the current rows of a requested page, or null if it is out of date.
  receivePage({ question, rows, more }) {
    if (question !== this.#pending?.number) return null;
    const pending = this.#pending;
    const { changes, hasOverflowed } = pending;
    this.#pending = null;
    if (hasOverflowed) return null;
    const current = rows.map((row) => pending.update(row));
    if (this.#side === BEFORE) this.before = more;
    else if (this.#side === AFTER) this.after = more;
    else if (this.#side === FROM) [this.before, this.after] = [true, more];
    else [this.before, this.after] = [more, false];
    const later = this.after ? [] : [...changes.values()];
    return { side: this.#side, rows: [...current, ...later].filter(Boolean) };
  }
}
