// The delete button: one for the whole list, moved to the row that is hovered or focused.

export class Deletion {
  #rows;
  #group;
  #texts;
  #button;

  constructor(rows, { group, texts }) {
    this.#rows = rows;
    this.#group = group; // group of the rows that the reader may delete, or null for all
    this.#texts = texts;
    this.#button = document.createElement("button");
    this.#button.type = "button";
    this.#button.className = "button take-back";
    this.#button.dataset.act = "delete";
    this.#disarm();
  }

  // Moves the button to the row around an element, if that row may be deleted.
  moveTo(element) {
    const row = this.#rows.get(element.closest("[data-key]")?.dataset.key);
    if (!row || this.#button.parentNode === row.node) return;
    this.#disarm();
    if (this.#group === null || row.group === this.#group) row.node.append(this.#button);
    else this.#button.remove();
  }

  // Handles a click on a button of a row; returns false if it was the first click on this button,
  // which only asks for confirmation.
  confirms(button) {
    if (button !== this.#button || this.#isArmed) {
      this.#disarm();
      return true;
    }
    this.#isArmed = true;
    this.#button.classList.add("danger");
    this.#button.textContent = this.#texts.sure;
    return false;
  }

  #isArmed = false;

  #disarm() {
    this.#isArmed = false;
    this.#button.classList.remove("danger");
    this.#button.textContent = this.#texts.takeBack;
  }
}
