// A connection to hack.chat's server.

import { JsonScreen } from "./json.js";

export class HackChatScreen extends JsonScreen {
  async open() {
    const joined = new Promise((resolve) => (this.onJoined = resolve));
    await super.open();
    this.send({ cmd: "join", channel: this.room, nick: this.nickname });
    await joined;
  }

  post(text) {
    this.send({ cmd: "chat", text });
  }

  receive(message) {
    if (message.cmd === "chat") super.receive(message);
    else if (message.cmd === "onlineSet") this.onJoined();
    else if (message.cmd === "warn") throw new Error(message.text);
  }
}
