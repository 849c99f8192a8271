// A page of the two NiceGUI peers, which receives messages as elements.

import { Page } from "./page.js";
import { findNumbers } from "./text.js";

export class NiceguiScreen extends Page {
  constructor(origin, { room, nickname }) {
    super(origin, "/", "");
    this.room = room;
    this.nickname = nickname;
    this.seen = new Set(); // a list that is rendered again contains known messages
  }

  post(text) {
    this.emit(0, "post", { nickname: this.nickname, text });
  }

  onEvent(event, payload) {
    if (event !== "update") return;
    for (const element of Object.values(payload)) {
      if (element?.props?.innerHTML) findNumbers(element.props.innerHTML, (number) => this.receive(number));
    }
  }

  receive(number) {
    if (this.seen.has(number)) return;
    this.seen.add(number);
    this.onMessage(number);
  }
}
