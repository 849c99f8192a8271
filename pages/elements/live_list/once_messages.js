// Messages that each reader can open once. What was opened is shown to this reader alone, in a dialog:
// it is not part of the message, which may be gone by then.

import { prepareSpoilers } from "marked_text";

export class OnceMessages {
  #times;
  #me;
  #texts;
  #ask;
  #giveBack;
  #asked = new Map(); // what the rows show that are about to be opened, by key
  #dialog = null;
  #timer;

  // `ask` is called with the key of a message to be opened; then `show` or `fail` is called. `giveBack`
  // is called with the key to move the focus there if the dialog has closed.
  constructor(times, { me, texts, ask, giveBack }) {
    this.#times = times;
    this.#me = me;
    this.#texts = texts;
    this.#ask = ask;
    this.#giveBack = giveBack;
  }

  // Fills in what differs by reader.
  draw(row) {
    const box = findBox(row);
    if (!box) return;
    if (this.canOpen(row)) return box.replaceChildren(this.#drawButton(row));
    box.textContent = this.#describe(row, box);
  }

  canOpen(row) {
    return namesOf(findBox(row)?.dataset.readers).includes(this.#me);
  }

  open(row) {
    if (this.#asked.has(row.key)) return;
    this.#asked.set(row.key, { name: row.node.querySelector(".who").textContent, until: row.until });
    this.#ask(row.key);
  }

  // Shows the text, drawn as HTML, until the reader closes it or it expires.
  show(key, html) {
    const { name, until } = this.#asked.get(key) ?? {};
    this.#asked.delete(key);
    if (!name) return;
    this.close();
    const dialog = (this.#dialog = drawDialog(name, html, this.#texts));
    dialog.addEventListener("close", () => {
      if (this.#dialog === dialog) this.close();
      if (document.activeElement === document.body) this.#giveBack(key);
    });
    document.body.append(dialog);
    dialog.showModal();
    this.#timer = setTimeout(() => this.close(), this.#times.timeLeft(until));
  }

  fail(key) {
    this.#asked.delete(key);
  }

  // Asks again where the server has not answered.
  reset() {
    this.#asked.clear();
  }

  close() {
    const dialog = this.#dialog;
    if (!dialog) return;
    clearTimeout(this.#timer);
    this.#dialog = null;
    dialog.close(); // the focus returns to the element that had it, if that is still there
    dialog.remove();
  }

  #drawButton(row) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "open-once", textContent: this.#texts.open_once });
    button.tabIndex = -1; // the arrow keys lead to it
    button.addEventListener("click", () => this.open(row));
    return button;
  }

  #describe(row, box) {
    const [readers, openers] = [namesOf(box.dataset.readers), namesOf(box.dataset.openers)];
    if (openers.includes(this.#me)) return this.#texts.opened;
    if (row.group !== this.#me) return this.#texts.not_for_you;
    const all = readers.length + openers.length;
    return this.#texts.opened_by.replace("{n}", openers.length).replace("{all}", all);
  }
}

// Whether a row is that of such a message.
export function isOnce(row) {
  return findBox(row) !== null;
}

function findBox({ node }) {
  return node.querySelector(".once");
}

function namesOf(authors) {
  return authors ? authors.split(" ") : [];
}

function drawDialog(name, html, texts) {
  const dialog = document.createElement("dialog");
  dialog.className = "dialog opened";
  const [before, after] = texts.opened_from.split("{}");
  const title = create("h2", { id: "opened-title" }, before, create("bdi", {}, name), after);
  const cross = create("button", { type: "button", className: "button icon-only quiet icon-close" });
  Object.assign(cross, { ariaLabel: texts.close, title: texts.close });
  cross.addEventListener("click", () => dialog.close());
  const body = create("div", { id: "opened-text", className: "dialog-body" });
  body.innerHTML = html; // drawn by the server, as rows are
  body.append(create("p", { className: "hint" }, texts.opened_hint));
  dialog.append(create("header", {}, title, cross), body);
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.setAttribute("aria-describedby", body.id);
  prepareSpoilers(body, { texts });
  return dialog;
}

function create(tag, properties, ...content) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...content);
  return node;
}
