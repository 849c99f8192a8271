// The reactions below a message: which of them are the reader's, and whose the others are.

const NAMES_MAX = 10;

export class Reactions {
  #rows;
  #me;
  #texts;
  #list;
  #toggle;

  // `toggle` is called with the key of a row, an emoji, and whether the reader reacts with it now.
  constructor(list, rows, { me, language, texts, toggle }) {
    this.#rows = rows;
    this.#me = me;
    this.#texts = texts;
    this.#list = new Intl.ListFormat(language);
    this.#toggle = toggle;
    for (const type of ["pointerover", "focusin"]) list.addEventListener(type, ({ target }) => this.#name(find(target)));
    list.addEventListener("click", ({ target }) => this.#onClick(find(target)));
  }

  add({ node }) {
    for (const chip of node.querySelectorAll(".reaction")) {
      chip.ariaPressed = String(authorsOf(chip).includes(this.#me));
      this.#name(chip);
    }
  }

  // Names may become known later, and change.
  #name(chip) {
    if (!chip) return;
    const names = authorsOf(chip).map((author) => this.#nameOf(author)).filter(Boolean).slice(0, NAMES_MAX);
    const areAllNamed = names.length === authorsOf(chip).length;
    chip.title = this.#list.format(areAllNamed ? names : [...names, this.#texts.others]);
  }

  #nameOf(author) {
    if (author === this.#me) return this.#texts.you;
    const member = document.querySelector(`.feed-members > [data-key="${CSS.escape(author)}"] .who`);
    const who = member ?? [...this.#rows].find(({ group }) => group === author)?.node.querySelector(".who");
    return who?.textContent;
  }

  #onClick(chip) {
    if (!chip) return;
    const { key } = chip.closest("[data-key]").dataset;
    this.#toggle(key, chip.dataset.emoji, chip.ariaPressed !== "true");
  }
}

function find(element) {
  return element.closest(".reaction");
}

function authorsOf(chip) {
  return chip.dataset.authors.split(" ");
}
