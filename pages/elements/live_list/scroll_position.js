// The scroll position of a list.

const NEAR = 80; // pixels from the end that count as the end
const READABLE = 16; // pixels of a row that have to be visible

export class ScrollPosition {
  #list;
  #rows;

  constructor(list, rows) {
    this.#list = list;
    this.#rows = rows;
    this.isAtEnd = false; // set when the first rows are scrolled to
  }

  get isNearStart() {
    return this.#pixelsAbove < 4 * NEAR;
  }

  get isNearEnd() {
    return this.#pixelsBelow < 4 * NEAR;
  }

  get isFarFromEnd() {
    return this.#pixelsBelow > 2 * this.#list.clientHeight;
  }

  get isInUpperHalf() {
    return this.#pixelsAbove < this.#pixelsBelow;
  }

  // The first and the last row that can be read, if there are any.
  get visible() {
    const { top, bottom } = this.#list.getBoundingClientRect();
    const first = this.#rows.findFirst((row) => row.node.getBoundingClientRect().bottom >= top + READABLE);
    const below = this.#rows.findFirst((row) => row.node.getBoundingClientRect().top > bottom - READABLE);
    return [first, below ? this.#rows.neighbour(below, -1) : this.#rows.last];
  }

  update() {
    this.isAtEnd = this.#pixelsBelow < NEAR;
  }

  scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.isAtEnd = true;
  }

  // Applies a change of the rows and keeps the first visible row in place.
  preserve(change) {
    const top = this.#list.getBoundingClientRect().top;
    const visible = this.#rows.findFirst((row) => row.node.getBoundingClientRect().bottom > top);
    const before = visible?.node.getBoundingClientRect().top;
    change();
    if (visible?.node.isConnected) {
      this.#list.scrollTop += visible.node.getBoundingClientRect().top - before;
    }
    this.update();
  }

  get #pixelsAbove() {
    return this.#list.scrollTop;
  }

  get #pixelsBelow() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight;
  }
}
