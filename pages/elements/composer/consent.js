// The question whether a transcript may be saved, above the box, with its countdown; and for the reader
// who has asked, what came of it.

import { findName } from "member_names";

const SECOND = 1_000; // ms

export class Consent {
  #box;
  #me;
  #texts;
  #answer;
  #id; // of the question that is shown or answered
  #timer;

  constructor(box, { me, texts, answer }) {
    this.#box = box; // it exists before it has to speak
    this.#me = me;
    this.#texts = texts;
    this.#answer = answer;
  }

  // `seconds` are those that are left; `granted` is null while the question is open.
  update({ id, author, seconds, granted, href }) {
    if (granted === null) return id !== this.#id && this.#ask(id, author, seconds);
    if (id === this.#id) this.clear();
    if (author === this.#me) granted ? this.#offer(href) : this.#show(this.#texts.refused, this.#closeButton());
  }

  // Removes a question that has ended meanwhile.
  clear() {
    if (!this.#id) return;
    this.#id = undefined;
    this.#close();
  }

  #ask(id, author, seconds) {
    this.#id = id;
    const reply = (agrees) => () => {
      this.#close();
      this.#answer(id, agrees);
    };
    if (author === this.#me) this.#show(this.#texts.waiting, button(this.#texts.cancel, "quiet", reply(false)));
    else {
      this.#show(
        this.#texts.question,
        button(this.#texts.agree, "", reply(true)),
        button(this.#texts.refuse, "quiet", reply(false)),
      );
      this.#box.querySelector("bdi").textContent = findName(author) ?? this.#texts.somebody;
    }
    this.#countDown(seconds);
  }

  #offer(href) {
    const links = ["text", "json"].map((format) => {
      const link = create("a", "button quiet", this.#texts[`as_${format}`]);
      link.href = `${href}${format}`;
      link.download = "";
      return link;
    });
    this.#show(this.#texts.granted, ...links, this.#closeButton());
  }

  // Shows a text, in which `{}` is the place of a name, with controls.
  #show(text, ...controls) {
    this.#close();
    const panel = create("div", "note consent");
    panel.role = "group";
    panel.ariaLabel = this.#texts.label;
    const [before, after] = text.split("{}");
    const sentence = create("p", "", before);
    if (after !== undefined) sentence.append(create("bdi"), after);
    const actions = create("div", "options-line");
    actions.append(...controls);
    panel.append(sentence, actions);
    this.#box.append(panel);
  }

  #countDown(seconds) {
    const until = performance.now() + seconds * SECOND;
    const timer = create("span", "timer");
    timer.role = "timer";
    this.#box.querySelector(".options-line").append(timer);
    const update = () => {
      const left = Math.max(0, Math.ceil((until - performance.now()) / SECOND));
      timer.textContent = this.#texts.seconds.replace("{}", left);
      if (left) this.#timer = setTimeout(update, SECOND);
    };
    update();
  }

  #closeButton() {
    return button(this.#texts.close, "quiet", () => this.#close());
  }

  #close() {
    clearTimeout(this.#timer);
    this.#box.replaceChildren();
  }
}

function button(text, kind, onClick) {
  const node = create("button", `button ${kind}`.trim(), text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

function create(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}
