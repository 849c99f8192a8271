// What is unread in rooms: counted from the first and last seq in the row and the visitor's read mark.

export class Unread {
  #rows;
  #readMarks;
  #mentions; // the seq of the last message that mentions the visitor
  #next; // when the next unread message disappears
  #redraw;
  #tellTotal;
  #opened; // the key of the open room, whose messages are counted by its own list
  #counts = new Map();
  #lasts = new Map(); // the seq of the last message that was shown, by the key of a row
  #total = 0;

  // All marks are by the key of a row. `redraw` is called when the times in a row have changed, and
  // `tellTotal` with the number of all unread messages.
  constructor(rows, { read, mentioned, next }, { redraw, tellTotal }) {
    this.#rows = rows;
    this.#readMarks = { ...read };
    this.#mentions = { ...mentioned };
    this.#next = { ...next };
    this.#redraw = redraw;
    this.#tellTotal = tellTotal;
  }

  setOpened(key) {
    const previous = this.#opened;
    this.#opened = key;
    if (key) this.#count(key, 0);
    this.#refresh([previous]);
  }

  // Takes over all that the server knows; returns the mentions that are new, by the key of a row.
  update({ read, mentioned, next }) {
    const news = Object.entries(mentioned).filter(([key, seq]) => !(this.#mentions[key] >= seq));
    this.#mentions = { ...mentioned };
    this.#next = { ...next };
    this.#raiseMarks(read);
    this.#refresh(this.#rows.keys());
    return Object.fromEntries(news);
  }

  // The visitor has read up to these messages.
  read(marks) {
    for (const [key, seq] of Object.entries(marks)) {
      if (seq >= this.#mentions[key]) delete this.#mentions[key];
      delete this.#next[key]; // it may have been read
    }
    this.#raiseMarks(marks);
    this.#refresh(Object.keys(marks));
  }

  // These messages mention the visitor.
  mention(seqs) {
    for (const [key, seq] of Object.entries(seqs)) this.#mentions[key] = Math.max(this.#mentions[key] || 0, seq);
    this.#refresh(Object.keys(seqs));
  }

  isOpened(key) {
    return key === this.#opened;
  }

  // Returns whether something is unread in a room that is not open.
  render({ key, node }) {
    const label = node.querySelector("[data-unread]");
    if (!label) return false;
    const { first, last } = node.dataset;
    const count = last - Math.max(this.#readMarks[key] || 0, first - 1);
    label.hidden = count <= 0;
    label.firstChild.textContent = count > 99 ? "99+" : count;
    const isMentioned = count > 0 && this.#mentions[key] >= first;
    node.querySelector("[data-mentioned]").hidden = !isMentioned;
    this.#noteNewest(key, node.dataset);
    this.#renderNext(key, node, label.querySelector("[data-say]"), count);
    if (this.isOpened(key)) return false;
    this.#count(key, Math.max(count, 0));
    return count > 0;
  }

  remove({ key }) {
    this.#lasts.delete(key);
    this.#count(key, 0);
  }

  // A new message may be the next one, unless one that is unread already is not known.
  #noteNewest(key, { last, lastUntil }) {
    const isNew = last > this.#lasts.get(key);
    this.#lasts.set(key, Number(last));
    if (!isNew || !lastUntil || this.isOpened(key)) return;
    const known = this.#counts.has(key) ? this.#next[key] : Infinity;
    if (known) this.#next[key] = Math.min(known, lastUntil);
  }

  // If nothing is read, the next one is the next one of the room.
  #renderNext(key, node, text, count) {
    const isNew = count > node.dataset.last - node.dataset.first;
    const next = isNew ? node.querySelector("small [data-left]").dataset.left : this.#next[key];
    if (count > 0 && next) return (text.dataset.left = next);
    delete text.dataset.left;
    text.textContent = "";
  }

  #raiseMarks(marks) {
    for (const [key, seq] of Object.entries(marks)) this.#readMarks[key] = Math.max(this.#readMarks[key] || 0, seq);
  }

  #refresh(keys) {
    for (const key of keys) {
      const row = this.#rows.get(key);
      if (!row) continue;
      this.render(row);
      this.#redraw(row);
    }
  }

  #count(key, count) {
    const change = count - (this.#counts.get(key) ?? 0);
    if (!change) return;
    if (count) this.#counts.set(key, count);
    else this.#counts.delete(key);
    this.#total += change;
    this.#tellTotal(this.#total);
  }
}
