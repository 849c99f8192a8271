// Long presses of a finger on the rows of a list. Some browsers recognise them, too: there a long press
// is what would open the browser's own menu.

const DELAY = 500; // ms
const WOBBLE = 10; // px that the finger may move meanwhile

export class LongPress {
  #options;
  #press = null; // of a finger, which may become a long one

  // Whether the focus came by a touch: it is visible then, too, if it was in a text box before.
  isTouched = false;

  // `isRow` tells whether an element is in a row, `isOpen` whether what a long press opens is open
  // already, and `open` opens it for an element at a place.
  constructor(list, options) {
    this.#options = options;
    list.addEventListener("keydown", () => (this.isTouched = false), true);
    list.addEventListener("pointerdown", (event) => this.#begin(event));
    for (const end of ["pointerup", "pointercancel"]) list.addEventListener(end, () => this.end());
    list.addEventListener("pointermove", (event) => this.#onMove(event));
    list.addEventListener("contextmenu", (event) => this.#onContextMenu(event));
  }

  end() {
    clearTimeout(this.#press?.timer);
    this.#press = null;
  }

  #begin({ pointerType, target, clientX: x, clientY: y }) {
    const { isRow, isOpen, open } = this.#options;
    this.end();
    this.isTouched = pointerType === "touch";
    if (!this.isTouched || target.closest("a") || !isRow(target)) return;
    const openOnce = () => isOpen() || open(target, x, y);
    this.#press = { x, y, open: openOnce, timer: setTimeout(openOnce, DELAY) };
  }

  // The browser would end the press for its own menu.
  #onContextMenu(event) {
    if (!this.isTouched || !(this.#press || this.#options.isOpen())) return;
    event.preventDefault();
    this.#press?.open();
  }

  #onMove({ clientX, clientY }) {
    const { x, y } = this.#press ?? {};
    if (Math.hypot(clientX - x, clientY - y) > WOBBLE) this.end();
  }
}
