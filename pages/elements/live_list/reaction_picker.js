// The popover in which the reader chooses the emoji of a reaction: some usual ones, or any other.

import { openMenu } from "popup_menu";

const QUICK = ["👍", "❤️", "😂", "🎉", "😮", "😢"];

export class ReactionPicker {
  #list;
  #texts;
  #emoji;
  #box = null;
  #dialog = null;
  #giveBack;

  // `emoji` is what the dialog of all emoji needs.
  constructor(list, texts, emoji) {
    this.#list = list;
    this.#texts = texts;
    this.#emoji = emoji;
  }

  // `choose` is called with the chosen emoji, `giveBack` to move the focus away when it closes.
  open(place, { choose, giveBack }) {
    this.close();
    this.#giveBack = giveBack;
    const act = (emoji) => {
      this.close();
      choose(emoji);
    };
    const box = document.createElement("div");
    Object.assign(box, { className: "menu reaction-picker", role: "dialog", popover: "manual", ariaLabel: this.#texts.react });
    box.append(...QUICK.map((emoji) => drawChoice(emoji, act)), this.#drawMore(place, choose));
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.close();
    });
    this.#box = box;
    this.#list.after(box);
    openMenu(box, place);
    document.addEventListener("pointerdown", this.#onOutside, true);
    document.addEventListener("wheel", this.#onOutside, true);
  }

  close() {
    this.#dialog?.close();
    this.#dialog = null;
    const box = this.#box;
    if (!box) return;
    this.#box = null;
    document.removeEventListener("pointerdown", this.#onOutside, true);
    document.removeEventListener("wheel", this.#onOutside, true);
    const hadFocus = box.contains(document.activeElement);
    box.remove();
    if (hadFocus) this.#giveBack();
  }

  #drawMore(place, choose) {
    const button = document.createElement("button");
    const label = this.#texts.more_emoji;
    Object.assign(button, { type: "button", className: "button icon-only quiet icon-plus", ariaLabel: label, title: label });
    button.addEventListener("click", async () => {
      this.close();
      const { EmojiDialog } = await import("emoji_dialog");
      if (!this.#list.isConnected) return; // the page was left meanwhile
      this.#dialog = new EmojiDialog(this.#emoji, choose);
      this.#dialog.open(place);
    });
    return button;
  }

  #onOutside = ({ target }) => {
    if (!this.#box.contains(target)) this.close();
  };
}

function drawChoice(emoji, act) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "button icon-only quiet", textContent: emoji });
  button.addEventListener("click", () => act(emoji));
  return button;
}
