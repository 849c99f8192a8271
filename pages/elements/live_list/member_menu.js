// The menu of a member. One button opens it, moved to the row under the mouse or with the keyboard
// focus; so do a long press on a touch screen, and Enter or the menu key on a focused row.

import { LongPress } from "long_press";
import { createMenu, openMenu } from "popup_menu";

export class MemberMenu {
  #list;
  #rows;
  #listItems;
  #button;
  #menu = null;
  #row; // whose menu is open
  #longPress;

  // `listItems` returns the items for a row, which is shown at a place: pairs of a text and an action.
  // Tab reaches the button unless the list is one tab stop.
  constructor(list, rows, { label, listItems, tabIndex = 0 }) {
    this.#list = list;
    this.#rows = rows;
    this.#listItems = listItems;
    this.#button = document.createElement("button");
    this.#button.type = "button";
    this.#button.tabIndex = tabIndex;
    this.#button.className = "button icon-only quiet icon-more more";
    Object.assign(this.#button, { ariaLabel: label, title: label, ariaHasPopup: "menu", ariaExpanded: "false" });
    this.#button.ariaLive = "off"; // it moves inside a log, which announces what is added
    this.#button.addEventListener("click", () => this.#open(this.#button));
    list.addEventListener("pointerover", (event) => event.pointerType !== "touch" && this.#moveButton(event.target));
    list.addEventListener("pointerleave", () => this.#moveButton(list.querySelector("[data-key]:focus-visible")));
    list.addEventListener("focusin", ({ target }) => this.#onFocus(target));
    list.addEventListener("focusout", ({ relatedTarget }) => this.#onBlur(relatedTarget));
    this.#longPress = new LongPress(list, {
      isRow: (element) => this.#find(element) !== undefined,
      isOpen: () => this.#menu !== null,
      open: (element, x, y) => this.#open(element, new DOMRect(x, y, 0, 0)),
    });
    list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  // Takes the menu and its button off a row that is about to be removed; the row keeps the focus.
  leave(row) {
    if (row === this.#row) this.close();
    if (row.node.contains(this.#button)) this.#moveButton(null);
  }

  // Stays open when `put` replaces its row by another one.
  keepOn(existing, row, put) {
    const hadFocus = document.activeElement === this.#button;
    put();
    if (!existing) return;
    if (existing === this.#row) {
      this.#row = row;
      row.node.classList.toggle("chosen", this.#menu !== null);
    }
    if (!existing.node.contains(this.#button)) return;
    row.node.append(this.#button);
    if (hadFocus) this.#button.focus({ preventScroll: true });
  }

  close() {
    this.#longPress.end();
    const menu = this.#menu;
    if (!menu) return;
    this.#menu = null;
    document.removeEventListener("pointerdown", this.#onOutside, true);
    document.removeEventListener("wheel", this.#onOutside, true);
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    this.#button.ariaExpanded = "false";
    const { node } = this.#row;
    node.classList.remove("chosen");
    if (hadFocus) (node.contains(this.#button) ? this.#button : node).focus({ preventScroll: true });
  }

  #find(element) {
    return this.#rows.get(element?.closest("[data-key]")?.dataset.key);
  }

  #moveButton(element) {
    const row = this.#find(element);
    if (this.#menu || this.#button.parentNode === row?.node) return;
    // A moved button loses the focus: its row keeps the place of the keyboard.
    if (document.activeElement === this.#button) this.#button.parentNode.focus({ preventScroll: true });
    if (row) row.node.append(this.#button);
    else this.#button.remove();
  }

  #onFocus(element) {
    if (!this.#longPress.isTouched && element.matches(":focus-visible")) this.#moveButton(element);
  }

  #onBlur(next) {
    if (!this.#list.contains(next)) this.#moveButton(this.#list.querySelector("[data-key]:hover"));
  }

  #onKey(event) {
    const isMenuKey = event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey);
    if (!isMenuKey && event.key !== "Enter") return;
    if (this.#find(event.target)?.node !== event.target) return; // a link or the button
    event.preventDefault();
    this.#moveButton(event.target);
    this.#open(this.#button);
  }

  #open(element, place = element.getBoundingClientRect()) {
    const row = this.#find(element);
    this.close();
    if (!row) return; // removed during a long press
    this.#row = row;
    row.node.classList.add("chosen");
    this.#menu = this.#createMenu(row, place);
    this.#list.after(this.#menu);
    openMenu(this.#menu, place);
    this.#button.ariaExpanded = "true";
    document.addEventListener("pointerdown", this.#onOutside, true);
    document.addEventListener("wheel", this.#onOutside, true);
  }

  #createMenu(row, place) {
    const menu = createMenu(this.#button.ariaLabel, this.#listItems(row, place), () => this.close());
    menu.addEventListener("focusout", ({ relatedTarget }) => {
      // The end of a long press moves the focus to the message.
      if (!this.#longPress.isTouched && !menu.contains(relatedTarget)) this.close();
    });
    return menu;
  }

  #onOutside = ({ target }) => {
    if (!this.#menu.contains(target)) this.close();
  };
}
