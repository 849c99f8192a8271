// The popover in which the reader chooses the emoji of a reaction.

import { openMenu } from "popup_menu";

const QUICK = ["👍", "❤️", "😂", "🎉", "😮", "😢"];
const LENGTH_MAX = 40;

export class ReactionPicker {
  #list;
  #texts;
  #box = null;
  #giveBack;

  constructor(list, texts) {
    this.#list = list;
    this.#texts = texts;
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
    box.append(...QUICK.map((emoji) => drawChoice(emoji, act)), drawForm(this.#texts.emoji_label, act));
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
    const box = this.#box;
    if (!box) return;
    this.#box = null;
    document.removeEventListener("pointerdown", this.#onOutside, true);
    document.removeEventListener("wheel", this.#onOutside, true);
    const hadFocus = box.contains(document.activeElement);
    box.remove();
    if (hadFocus) this.#giveBack();
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

function drawForm(label, act) {
  const form = document.createElement("form");
  const box = document.createElement("input");
  Object.assign(box, { type: "text", maxLength: LENGTH_MAX, ariaLabel: label, placeholder: label, autocomplete: "off", enterKeyHint: "done" });
  form.className = "field";
  form.append(box);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (box.value.trim()) act(box.value.trim());
  });
  return form;
}
