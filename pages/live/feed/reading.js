// What the reader has read: told to the server, and counted in the title of a hidden tab.

const PAUSE = 1_000;

export class Reading {
  #rows;
  #isAtEnd;
  #tell;
  #title = document.title;
  #heard = 0; // the last that was heard of, be it on the page or not
  #seen = null; // the last that came while the tab was looked at, or was opened
  #apart = 0; // so many came since, and are not on the page
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
    if (document.hidden || this.#timer || !this.#isAtEnd()) return;
    const last = this.#rows.last?.order ?? 0;
    if (last <= this.#told) return;
    this.#told = last;
    this.#tell(last);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.look();
    }, PAUSE);
  }

  // What was told to a lost connection was told to nobody.
  begin() {
    this.stop();
    this.#told = 0;
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
