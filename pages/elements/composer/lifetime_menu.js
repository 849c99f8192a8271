// The menu in which the author chooses how long a message is kept.

import { createMenu, openMenu } from "popup_menu";

export class LifetimeMenu {
  #onToggle;
  #button;
  #menu = null;

  // `onToggle` is called with whether the menu is open.
  constructor({ onToggle }) {
    this.#onToggle = onToggle;
  }

  // Opens it beside its button, or closes it. `choices` are pairs of a value and a text.
  toggle(button, { label, choices, chosen, choose }) {
    if (this.#menu) return this.close();
    this.#button = button;
    const items = choices.map(([value, text]) => [
      text,
      () => choose(value),
      { role: "menuitemradio", isChecked: value === chosen },
    ]);
    this.#menu = createMenu(label, items, () => this.close());
    this.#menu.addEventListener("focusout", ({ relatedTarget }) => {
      // Safari does not focus a button that is clicked: then there is no other target.
      if (relatedTarget && !this.#menu?.contains(relatedTarget)) this.close();
    });
    button.after(this.#menu);
    openMenu(this.#menu, button.getBoundingClientRect());
    document.addEventListener("pointerdown", this.#onOutside, true);
    this.#onToggle(true);
  }

  close() {
    const menu = this.#menu;
    if (!menu) return;
    this.#menu = null;
    document.removeEventListener("pointerdown", this.#onOutside, true);
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    if (hadFocus) this.#button.focus();
    this.#onToggle(false);
  }

  #onOutside = ({ target }) => {
    if (!this.#menu.contains(target) && !this.#button.contains(target)) this.close();
  };
}
