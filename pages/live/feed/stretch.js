// The stretch of a long list that is on the page, and what is asked of the server to move it.

export const BEFORE = "before";
export const AFTER = "after";
export const END = "end";

const MOST = 1_000;
let asked = 0;

// What was asked and is not answered yet. News that is heard meanwhile is newer than the answer.
export class Question {
  constructor(keys = []) {
    this.keys = keys; // what was on the page
  }

  number = (asked += 1);
  at = Date.now();
  isOverrun = false; // too much was heard to be remembered: the answer is worth nothing
  news = new Map(); // rows by key, null for those that went

  hear({ put = [], drop = [] }) {
    for (const row of put) this.news.set(row[0], row);
    for (const key of drop) this.news.set(key, null);
    if (this.news.size <= MOST) return;
    this.isOverrun = true;
    this.news.clear();
  }
}

export class Stretch {
  #rows;
  #emit;
  #asked = null;
  #side;

  constructor(rows, { before, after, emit }) {
    this.#rows = rows;
    this.#emit = emit;
    this.before = before; // whether there are rows before the first, and after the last
    this.after = after;
  }

  get isAsking() {
    return this.#asked !== null;
  }

  isBeyond({ key, order }) {
    return this.after && !this.#rows.has(key) && !(order <= this.#rows.last?.order);
  }

  hear(packet) {
    this.#asked?.hear(packet);
  }

  ask(side) {
    if (this.isAsking && side !== END) return;
    const wish = {};
    if (side === BEFORE && this.#rows.size) wish.before = this.#rows.first.key;
    else if (side === AFTER && this.#rows.size) wish.after = this.#rows.last.key;
    else side = END;
    this.#asked = new Question();
    this.#side = side;
    this.#emit({ question: this.#asked.number, ...wish });
  }

  // Takes rows off one side of the page; what was asked of their neighbours leads nowhere now.
  cut(side, count, remove) {
    const rows = side === BEFORE ? this.#rows.slice(0, count) : this.#rows.slice(-count);
    for (const row of rows) remove(row);
    this[side] = true;
    if (this.#side === side) this.#asked = null;
  }

  // What was asked of a lost connection is not answered, and is asked again if it is still wanted.
  forgetQuestion() {
    const wantedEnd = this.isAsking && this.#side === END;
    this.#asked = null;
    if (wantedEnd) this.ask(END);
  }

  // Returns where a page belongs that was asked for, and the rows that are to be shown for it.
  take({ question, rows, more }) {
    if (question !== this.#asked?.number) return null;
    const { news, isOverrun } = this.#asked;
    this.#asked = null;
    if (isOverrun) return null;
    const known = rows.map((row) => (news.has(row[0]) ? news.get(row[0]) : row));
    if (this.#side === BEFORE) this.before = more;
    else if (this.#side === AFTER) this.after = more;
    else [this.before, this.after] = [more, false];
    const late = this.after ? [] : [...news.values()];
    return { side: this.#side, rows: [...known, ...late].filter(Boolean) };
  }
}
