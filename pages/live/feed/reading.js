// What the reader has read: told to the server, and counted in the title of a hidden tab.

const PAUSE = 4_000; // with a share of SPREAD by chance: all who read a room shall not speak at once
const SPREAD = 6_000;

export class Reading {
  #rows;
  #isAtEnd;
  #tell;
  #title = document.title;
  #heard = 0; // the last that was heard of, be it on the page or not
  #seen = null; // the last that came while the tab was looked at, or was opened
  #apart = 0; // so many came since, and are not on the page
  #due = 0; // so far the reader has read
  #told = 0;
  #timer = null;

  constructor(rows, { isAtEnd, tell }) {
    this.#rows = rows;
    this.#isAtEnd = isAtEnd;
    this.#tell = tell;
  }

  get heard() {
    return this.#heard;
  }

  // Takes note of a row, and returns whether it is news.
  hear({ order }, isOnPage) {
    if (order <= this.#heard) return false;
    this.#heard = order;
    if (!isOnPage) this.#apart += 1;
    return true;
  }

  look() {
    this.#count();
    if (document.hidden || !this.#isAtEnd()) return;
    this.#due = Math.max(this.#due, this.#rows.last?.order ?? 0);
    if (!this.#told) this.say();
    else if (this.#due > this.#told) {
      this.#timer ??= setTimeout(() => this.say(), PAUSE + Math.random() * SPREAD);
    }
  }

  say() {
    this.stop();
    if (this.#due <= this.#told) return;
    this.#told = this.#due;
    this.#tell(this.#told);
  }

  // What was told to a lost connection was told to nobody.
  begin() {
    this.stop();
    this.#told = this.#due = 0;
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #count() {
    if (!document.hidden || this.#seen === null) this.#seen = this.#heard;
    if (this.#seen >= this.#heard || this.#rows.last?.order >= this.#heard) this.#apart = 0;
    const unseen = this.#rows.countAfter(this.#seen) + this.#apart;
    const title = unseen ? `(${unseen}) ${this.#title}` : this.#title;
    if (document.title !== title) document.title = title;
  }
}
