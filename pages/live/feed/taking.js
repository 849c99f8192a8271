// The button that takes a row back: one for the whole list, in the row that one points at or is on.

export class TakeBack {
  #rows;
  #mine;
  #texts;
  #button;

  constructor(rows, { mine, texts }) {
    this.#rows = rows;
    this.#mine = mine; // which rows are the reader's to take back: their group, or null for all
    this.#texts = texts;
    this.#button = document.createElement("button");
    this.#button.type = "button";
    this.#button.className = "button take-back";
    this.#button.dataset.act = "delete";
    this.#disarm();
  }

  // Stands in the row around that place, if it may be taken back.
  follow(place) {
    const row = this.#rows.get(place.closest("[data-key]")?.dataset.key);
    if (!row || this.#button.parentNode === row.node) return;
    this.#disarm();
    if (this.#mine === null || row.group === this.#mine) row.node.append(this.#button);
    else this.#button.remove();
  }

  // Asks back at the first click; tells whether it was the second.
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
