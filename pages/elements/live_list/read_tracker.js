// Sends the read mark to the server, and counts unseen rows in the title of a hidden tab.

import { showUnseen } from "title";

const DELAY = 4_000; // ms, plus a random part of JITTER: the readers of a room must not send at once
const JITTER = 6_000;

export class ReadTracker {
  #rows;
  #gone; // order up to which all rows had expired when the page was opened
  #isAtEnd;
  #send;
  #received = 0; // order of the newest row received, on the page or not
  #seen = null; // order of the newest row received while the tab was visible, or when it was opened
  #offPage = 0; // how many rows were received since and are not on the page
  #read = 0; // order of the newest row read
  #sent = 0;
  #timer = null;

  constructor(rows, { gone, isAtEnd, send }) {
    this.#rows = rows;
    this.#gone = gone;
    this.#isAtEnd = isAtEnd;
    this.#send = send;
  }

  get received() {
    return this.#received;
  }

  // Records a row; returns whether it is newer than all before.
  receive({ order }, isOnPage) {
    if (order <= this.#received) return false;
    this.#received = order;
    if (!isOnPage) this.#offPage += 1;
    return true;
  }

  update() {
    this.#updateTitle();
    if (document.hidden || !this.#isAtEnd()) return;
    this.#read = Math.max(this.#read, this.#rows.last?.order ?? this.#gone);
    if (!this.#sent) this.flush();
    else if (this.#read > this.#sent) {
      this.#timer ??= setTimeout(() => this.flush(), DELAY + Math.random() * JITTER);
    }
  }

  flush() {
    this.cancel();
    if (this.#read <= this.#sent) return;
    this.#sent = this.#read;
    this.#send(this.#sent);
  }

  // Starts over after a reconnection: the last mark may be lost.
  reset() {
    this.cancel();
    this.#sent = this.#read = 0;
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = null;
    showUnseen({ here: 0 });
  }

  #updateTitle() {
    if (!document.hidden || this.#seen === null) this.#seen = this.#received;
    if (this.#seen >= this.#received || this.#rows.last?.order >= this.#received) this.#offPage = 0;
    const unseen = this.#rows.countAfter(this.#seen) + this.#offPage;
    showUnseen({ here: unseen });
  }
}
