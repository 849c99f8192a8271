// The dialog in which an emoji is chosen: a search box, a button for each group, and a grid.

import { loadEmoji } from "emoji_data";
import { EmojiGrid } from "emoji_grid";
import { findEmoji } from "emoji_search";
import { placeBeside } from "popup_menu";

const SHEET = "(max-width: 760px)"; // as in theme.css: at the bottom of the screen

export class EmojiDialog {
  #texts;
  #url;
  #node;
  #box;
  #status;
  #groups;
  #grid;
  #all = [];

  // `emoji` says where the emoji are and how parts are called; `choose` is called with the chosen one.
  constructor({ url, texts }, choose) {
    this.#url = url;
    this.#texts = texts;
    this.#node = create("dialog", { className: "dialog emoji-dialog", ariaLabel: texts.label, tabIndex: -1 });
    this.#status = create("p", { className: "hint", role: "status" });
    this.#grid = new EmojiGrid(texts, { onChoose: (emoji) => this.#choose(emoji, choose), onLeave: () => this.#box.focus() });
    this.#groups = this.#createGroups();
    this.#node.append(this.#createHead(), this.#groups, this.#status, this.#grid.node);
    this.#node.addEventListener("click", ({ target }) => target === this.#node && this.close()); // beside it
    this.#node.addEventListener("close", () => this.#node.remove());
    this.#node.addEventListener("keydown", (event) => this.#onKey(event));
  }

  // Shows it beside a place of the page.
  async open(place) {
    document.body.append(this.#node);
    this.#node.showModal();
    if (!matchMedia(SHEET).matches) placeBeside(this.#node, place);
    // With the focus in the box, the keyboard of a touch screen would cover half of it.
    (matchMedia("(hover: hover)").matches ? this.#box : this.#node).focus();
    try {
      this.#all = await loadEmoji(this.#url);
    } catch {
      return this.#say(this.#texts.failed);
    }
    this.#search();
  }

  close() {
    this.#node.close(); // the focus returns to the element that had it
  }

  #choose(emoji, choose) {
    this.close();
    choose(emoji);
  }

  #createHead() {
    const { search, close } = this.#texts;
    this.#box = create("input", {
      type: "text", // Escape would clear a box of the type "search" instead of closing the dialog
      role: "searchbox",
      ariaLabel: search,
      placeholder: search,
      autocomplete: "off",
      enterKeyHint: "done",
      maxLength: 60,
    });
    this.#box.addEventListener("input", () => this.#search());
    const field = create("div", { className: "field" });
    field.append(create("i", { className: "icon icon-search", ariaHidden: "true" }), this.#box);
    const cross = create("button", { type: "button", className: "button icon-only quiet icon-close", ariaLabel: close, title: close });
    cross.addEventListener("click", () => this.close());
    const head = create("div", { className: "emoji-head" });
    head.append(field, cross);
    return head;
  }

  #createGroups() {
    const box = create("div", { className: "emoji-groups" });
    for (const [index, [sign, name]] of this.#texts.groups.entries()) {
      const button = create("button", { type: "button", className: "button icon-only quiet", textContent: sign, ariaLabel: name, title: name });
      button.addEventListener("click", () => this.#grid.showGroup(index));
      box.append(button);
    }
    return box;
  }

  #search() {
    const typed = this.#box.value.trim();
    const found = typed ? findEmoji(this.#all, typed) : this.#all;
    this.#groups.hidden = typed !== "";
    this.#grid.show(found, { isGrouped: !typed });
    this.#say(found.length ? "" : this.#texts.none);
  }

  #say(text) {
    this.#status.textContent = text;
  }

  #onKey(event) {
    if (event.isComposing) return;
    const isTyping = event.target === this.#box;
    const isText = event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "Escape") this.close();
    else if (isTyping && event.key === "ArrowDown") this.#grid.focus();
    else if (isTyping && event.key === "Enter") this.#box.value.trim() && this.#grid.chooseFirst();
    else {
      if (isText && !isTyping) this.#box.focus(); // where the character is typed then
      return;
    }
    event.preventDefault();
  }
}

function create(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
