// Where the reader is in a list that they scroll.

const NEAR = 80; // pixels from the end that still count as being there

export class Place {
  #list;
  #rows;

  constructor(list, rows) {
    this.#list = list;
    this.#rows = rows;
    this.isAtEnd = false; // where the reader begins is decided when there are rows
  }

  get isNearStart() {
    return this.#above < 4 * NEAR;
  }

  get isNearEnd() {
    return this.#below < 4 * NEAR;
  }

  get isFarFromEnd() {
    return this.#below > 2 * this.#list.clientHeight;
  }

  get isInUpperHalf() {
    return this.#above < this.#below;
  }

  look() {
    this.isAtEnd = this.#below < NEAR;
  }

  toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.isAtEnd = true;
  }

  // Whatever changes above or below: what the reader sees holds still.
  hold(change) {
    const top = this.#list.getBoundingClientRect().top;
    const seen = this.#rows.find((row) => row.node.getBoundingClientRect().bottom > top);
    const before = seen?.node.getBoundingClientRect().top;
    change();
    if (seen?.node.isConnected) this.#list.scrollTop += seen.node.getBoundingClientRect().top - before;
    this.look();
  }

  get #above() {
    return this.#list.scrollTop;
  }

  get #below() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight;
  }
}
