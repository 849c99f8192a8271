// A menu that opens at a place of the page: its items, where it is shown, and the keys that move the
// focus between them.

const GAP = 4; // px
const MOVES = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity };

// `items` are a text and an action, and of what can be checked role and state; `close` is called before
// the action of the chosen one.
export function createMenu(label, items, close) {
  const menu = document.createElement("div");
  menu.className = "menu";
  menu.role = "menu";
  menu.popover = "manual"; // the end of a long press would close an automatic one
  menu.ariaLabel = label;
  for (const [text, act, { role, isChecked } = { role: "menuitem" }] of items) {
    const item = document.createElement("button");
    item.type = "button";
    item.className = "menu-item";
    item.role = role;
    if (isChecked !== undefined) item.ariaChecked = String(isChecked);
    item.tabIndex = -1;
    item.textContent = text;
    item.addEventListener("click", () => {
      close();
      act();
    });
    menu.append(item);
  }
  menu.addEventListener("keydown", (event) => onKey(event, menu, close));
  menu.addEventListener("contextmenu", (event) => event.preventDefault()); // of the key that opened it
  return menu;
}

// Shows it beside the place, and moves the focus into it: to what is chosen already, or the first item.
export function openMenu(menu, place) {
  menu.showPopover();
  placeBeside(menu, place);
  (menu.querySelector('[aria-checked="true"]') ?? menu.firstChild).focus();
}

// A menu that opens beside its button, and closes when something else is touched or focused.
export class ButtonMenu {
  #button;
  #menu = null;

  // Opens it, or closes it. `items` are those of `createMenu`.
  toggle(button, label, items) {
    if (this.#menu) return this.close();
    this.#button = button;
    this.#menu = createMenu(label, items, () => this.close());
    this.#menu.addEventListener("focusout", ({ relatedTarget }) => {
      // Safari does not focus a button that is clicked: then there is no other target.
      if (relatedTarget && !this.#menu?.contains(relatedTarget)) this.close();
    });
    button.after(this.#menu);
    button.ariaExpanded = "true";
    openMenu(this.#menu, button.getBoundingClientRect());
    document.addEventListener("pointerdown", this.#onOutside, true);
  }

  close() {
    const menu = this.#menu;
    if (!menu) return;
    this.#menu = null;
    document.removeEventListener("pointerdown", this.#onOutside, true);
    this.#button.ariaExpanded = "false";
    const hadFocus = menu.contains(document.activeElement);
    menu.remove();
    if (hadFocus) this.#button.focus();
  }

  #onOutside = ({ target }) => {
    if (!this.#menu.contains(target) && !this.#button.contains(target)) this.close();
  };
}

// Moves what is shown below the place if there is room, else above it.
export function placeBeside({ offsetWidth, offsetHeight, style }, { right, top, bottom }) {
  const isRoomBelow = bottom + offsetHeight + 2 * GAP <= window.innerHeight;
  style.left = `${Math.max(GAP, Math.min(right, window.innerWidth - GAP) - offsetWidth)}px`;
  style.top = `${isRoomBelow ? bottom + GAP : Math.max(GAP, top - offsetHeight - GAP)}px`;
}

function onKey(event, menu, close) {
  if (event.key === "Escape" || event.key === "Tab") close();
  else if (event.key in MOVES) moveFocus(menu, MOVES[event.key]);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function moveFocus(menu, offset) {
  const items = [...menu.children];
  const index = items.indexOf(document.activeElement) + offset;
  const next = Number.isFinite(index) ? index % items.length : offset > 0 ? -1 : 0;
  items.at(next).focus();
}
