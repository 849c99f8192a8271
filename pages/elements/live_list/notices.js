// Short notices over a list. Each ends after some seconds, but none while the pointer or the
// focus is on one of them.

const SHOWN = { status: 5_000, alert: 10_000 }; // ms, by role

export class Notices {
  #box = document.createElement("div");
  #shown = new Set();
  #isHovered = false;
  #isHeld = false;

  constructor(list) {
    this.#box.className = "notices";
    this.#box.ariaLive = "polite"; // exists before it has to speak
    // A notice that appears under a pointer at rest is not pointed at.
    this.#box.addEventListener("pointermove", () => this.#setHovered(true));
    this.#box.addEventListener("pointerleave", () => this.#setHovered(false));
    this.#box.addEventListener("focusin", () => this.#update());
    this.#box.addEventListener("focusout", ({ relatedTarget }) => this.#update(relatedTarget));
    list.after(this.#box);
  }

  // Shows a text, with a button if `action` is its text. `onEnd` is called unless the button is pressed
  // or the notice is dismissed.
  show(text, { role = "status", action, onAction, onEnd } = {}) {
    const notice = { node: create("div", "notice", ""), left: SHOWN[role], onEnd };
    notice.node.role = role;
    notice.node.append(create("span", "", text));
    if (action) {
      const button = create("button", "link", action);
      button.type = "button";
      button.addEventListener("click", () => {
        this.dismiss(notice);
        onAction();
      });
      notice.node.append(button);
    }
    this.#shown.add(notice);
    this.#box.append(notice.node);
    if (!this.#isHeld) this.#run(notice);
    return notice;
  }

  end(notice) {
    if (!this.#shown.has(notice)) return;
    this.dismiss(notice);
    notice.onEnd?.();
  }

  dismiss(notice) {
    clearTimeout(notice.timer);
    this.#shown.delete(notice);
    notice.node.remove();
    this.#setHovered(false); // not every browser tells that the pointer is no longer on it
  }

  clear() {
    for (const notice of this.#shown) this.dismiss(notice);
  }

  #setHovered(isHovered) {
    this.#isHovered = isHovered;
    this.#update();
  }

  #update(focused = document.activeElement) {
    const isHeld = this.#isHovered || this.#box.contains(focused);
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    for (const notice of this.#shown) isHeld ? pause(notice) : this.#run(notice);
  }

  #run(notice) {
    notice.ends = Date.now() + notice.left;
    notice.timer = setTimeout(() => this.end(notice), notice.left);
  }
}

function pause(notice) {
  clearTimeout(notice.timer);
  notice.left = notice.ends - Date.now();
}

function create(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}
