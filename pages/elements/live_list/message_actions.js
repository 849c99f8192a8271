// The actions of a message: a group of buttons, the last of which opens a menu of further ones. There is
// one group, moved to the row under the mouse or with the keyboard focus. Enter and the menu key on a row
// move the focus into it. A long press on a touch screen shows it beside the finger.

import { LongPress } from "long_press";
import { createMenu, openMenu, placeBeside } from "popup_menu";

const OVERLAP = 5; // px of the row that the group covers: the mouse must get there
const FINGER = 24; // px around it that the group leaves free
const MOVES = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

export class MessageActions {
  #list;
  #rows;
  #actions;
  #listItems;
  #group;
  #more;
  #menu = null;
  #isBeside = false; // shown at the place of a long press
  #row; // whose menu is open, or beside which the group is shown
  #longPress;

  // `actions` are the buttons: an icon, a text, what is done with a row and the place of the button, and
  // for which rows. `listItems` returns the items of the menu for a row: pairs of a text and an action.
  constructor(list, rows, { label, more, actions, listItems }) {
    this.#list = list;
    this.#rows = rows;
    this.#actions = actions.map((action) => ({ ...action, button: drawButton(action) }));
    this.#listItems = listItems;
    this.#more = drawButton({ icon: "more", text: more, popup: "menu" });
    this.#more.ariaExpanded = "false";
    this.#group = this.#createGroup(label);
    list.addEventListener("pointerover", (event) => event.pointerType !== "touch" && this.#move(event.target));
    list.addEventListener("pointerleave", () => this.#move(this.#findFocused()));
    list.addEventListener("focusin", ({ target }) => this.#onFocus(target));
    list.addEventListener("focusout", ({ relatedTarget }) => this.#onBlur(relatedTarget));
    this.#longPress = new LongPress(list, {
      isRow: (element) => this.#find(element) !== undefined,
      isOpen: () => this.#isOpen,
      open: (element, x, y) => this.#showBeside(element, x, y),
    });
    list.addEventListener("keydown", (event) => this.#onRowKey(event));
  }

  // Takes everything off a row that is about to be removed; the row keeps the focus.
  leave(row) {
    if (row === this.#row) this.close();
    if (row.node.contains(this.#group)) this.#move(null);
  }

  // Stays when `put` replaces its row by another one.
  keepOn(existing, row, put) {
    const isActed = existing?.node.contains(this.#group);
    const focused = this.#group.contains(document.activeElement) && document.activeElement;
    put();
    if (!existing) return;
    if (existing === this.#row) {
      this.#row = row;
      row.node.classList.toggle("chosen", this.#isOpen);
    }
    if (!isActed) return;
    this.#putOn(row);
    if (focused) focused.focus({ preventScroll: true });
  }

  close() {
    this.#longPress.end();
    this.#closeMenu();
    this.#closeGroup();
  }

  get #isOpen() {
    return this.#menu !== null || this.#isBeside;
  }

  // The group

  #createGroup(label) {
    const group = document.createElement("div");
    group.className = "message-actions";
    group.role = "group";
    group.ariaLabel = label;
    group.ariaLive = "off"; // it moves inside a log, which announces what is added
    for (const { button, act } of this.#actions) button.addEventListener("click", () => this.#act(button, act));
    this.#more.addEventListener("click", () => (this.#menu ? this.#closeMenu() : this.#act(this.#more, this.#openMenu)));
    group.append(...this.#actions.map(({ button }) => button), this.#more);
    group.addEventListener("focusin", ({ target }) => this.#setStop(target));
    group.addEventListener("keydown", (event) => this.#onGroupKey(event));
    group.addEventListener("contextmenu", (event) => event.preventDefault()); // of the key that led here
    return group;
  }

  #act(button, act) {
    const row = this.#isBeside ? this.#row : this.#find(button);
    const place = button.getBoundingClientRect();
    this.close();
    act(row, place);
  }

  #find(element) {
    return this.#rows.get(element?.closest("[data-key]")?.dataset.key);
  }

  #findFocused() {
    const { activeElement } = document;
    return this.#list.contains(activeElement) && activeElement.matches(":focus-visible") ? activeElement : null;
  }

  // Moves the group to the row of an element, or takes it away.
  #move(element) {
    const row = this.#find(element);
    if (this.#isOpen || this.#group.parentNode === (row?.node ?? null)) return;
    // A moved button loses the focus: its row keeps the place of the keyboard.
    if (this.#group.contains(document.activeElement)) this.#group.parentNode.focus({ preventScroll: true });
    this.#group.parentNode?.classList.remove("acted");
    if (row) this.#putOn(row);
    else this.#group.remove();
  }

  #putOn(row) {
    this.#showAllowed(row);
    row.node.classList.add("acted");
    row.node.append(this.#group);
    // Above its row, or at the upper edge of the list.
    const [top, listTop] = [row.node, this.#list].map((node) => node.getBoundingClientRect().top);
    this.#group.style.top = `${Math.max(OVERLAP - this.#group.offsetHeight, listTop - top)}px`;
  }

  #showAllowed(row) {
    for (const { button, isAllowed } of this.#actions) button.hidden = isAllowed ? !isAllowed(row) : false;
    this.#setStop(this.#buttons[0]);
  }

  get #buttons() {
    return [...this.#group.children].filter((button) => !button.hidden);
  }

  #setStop(button) {
    for (const each of this.#group.children) each.tabIndex = each === button ? 0 : -1;
  }

  #onGroupKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Escape") this.#isBeside ? this.close() : this.#group.parentNode.focus({ preventScroll: true });
    else if (event.key in MOVES) this.#moveFocus(MOVES[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #moveFocus(offset) {
    const buttons = this.#buttons;
    const index = buttons.indexOf(document.activeElement) + offset;
    buttons.at(Number.isFinite(index) ? index % buttons.length : offset > 0 ? -1 : 0).focus();
  }

  #onFocus(element) {
    if (!this.#longPress.isTouched && element.matches(":focus-visible")) this.#move(element);
  }

  #onBlur(next) {
    if (!this.#list.contains(next)) this.#move(this.#list.querySelector("[data-key]:hover"));
  }

  #onRowKey(event) {
    const isMenuKey = event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey);
    if (!isMenuKey && event.key !== "Enter") return;
    if (this.#find(event.target)?.node !== event.target) return; // a link or a button
    event.preventDefault();
    this.#move(event.target);
    this.#buttons[0].focus();
  }

  // Long presses

  #showBeside(element, x, y) {
    const row = this.#find(element);
    if (!row) return; // removed during a long press
    this.#move(null);
    this.#hold(row);
    this.#isBeside = true;
    this.#showAllowed(row);
    this.#group.popover = "manual"; // the end of a long press would close an automatic one
    this.#list.after(this.#group);
    this.#group.showPopover();
    const { offsetWidth, offsetHeight } = this.#group;
    const isRoomAbove = y - FINGER - offsetHeight > 0;
    const top = isRoomAbove ? y - FINGER - offsetHeight : y + FINGER;
    placeBeside(this.#group, { right: x + offsetWidth / 2, top, bottom: top });
    this.#buttons[0].focus();
  }

  #closeGroup() {
    if (!this.#isBeside) return;
    this.#isBeside = false;
    const hadFocus = this.#group.contains(document.activeElement);
    this.#group.remove();
    this.#group.popover = null;
    this.#release();
    if (hadFocus) this.#row.node.focus({ preventScroll: true });
  }

  // The menu

  #openMenu = (row, place) => {
    this.#hold(row);
    this.#menu = createMenu(this.#more.ariaLabel, this.#listItems(row), () => this.close());
    this.#menu.addEventListener("focusout", ({ relatedTarget }) => {
      // The end of a long press moves the focus to the message; a click on the button closes it itself.
      if (!this.#longPress.isTouched && relatedTarget !== this.#more && !this.#menu?.contains(relatedTarget)) this.close();
    });
    this.#list.after(this.#menu);
    openMenu(this.#menu, place);
    this.#more.ariaExpanded = "true";
  };

  #closeMenu() {
    const menu = this.#menu;
    if (!menu) return;
    this.#menu = null;
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    this.#more.ariaExpanded = "false";
    this.#release();
    const { node } = this.#row;
    if (hadFocus) (node.contains(this.#more) ? this.#more : node).focus({ preventScroll: true });
  }

  // What is open for a row closes when something else is touched.

  #hold(row) {
    this.#row = row;
    row.node.classList.add("chosen");
    document.addEventListener("pointerdown", this.#onOutside, true);
    document.addEventListener("wheel", this.#onOutside, true);
  }

  #release() {
    this.#row.node.classList.remove("chosen");
    document.removeEventListener("pointerdown", this.#onOutside, true);
    document.removeEventListener("wheel", this.#onOutside, true);
  }

  #onOutside = ({ type, target }) => {
    const isOnButton = type === "pointerdown" && target === this.#more; // which closes the menu itself
    const isInside = this.#menu?.contains(target) || (this.#isBeside && this.#group.contains(target));
    if (!isInside && !isOnButton) this.close();
  };
}

function drawButton({ icon, text, popup }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `button icon-only quiet icon-${icon}`;
  Object.assign(button, { ariaLabel: text, title: text, ariaHasPopup: popup ?? null });
  return button;
}
