// What the reader alone is told: a note above the box that stays until it is closed.

const TEXTS_MAX = 5;

export class Note {
  #box;
  #label;
  #onClose;

  constructor(box, { label, onClose }) {
    this.#box = box; // it exists before it has to speak
    this.#label = label;
    this.#onClose = onClose;
  }

  get isOpen() {
    return this.#box.childElementCount > 0;
  }

  show(text) {
    const texts = this.#box.querySelector(".texts") ?? this.#open();
    const part = document.createElement("p");
    part.dir = "auto";
    part.textContent = text;
    texts.append(part);
    if (texts.childElementCount > TEXTS_MAX) texts.firstElementChild.remove();
    if (texts.scrollHeight > texts.clientHeight) texts.tabIndex = 0; // the arrow keys scroll it
    part.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.#box.replaceChildren();
  }

  #open() {
    const note = document.createElement("div");
    note.className = "note";
    note.role = "status";
    const texts = document.createElement("div");
    texts.className = "texts";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button icon-only quiet icon-close";
    button.ariaLabel = this.#label;
    button.addEventListener("click", () => {
      this.close();
      this.#onClose();
    });
    note.append(texts, button);
    this.#box.append(note);
    return texts;
  }
}
