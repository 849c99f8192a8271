// A connection to a server that sends each message as one JSON object: `{nickname, text}`.

import { WebSocket } from "ws";

import { findNumbers } from "./text.js";

export const PLAIN = { perMessageDeflate: false, skipUTF8Validation: true };

export class JsonScreen {
  constructor(origin, { room, nickname }) {
    this.url = origin.replace("http", "ws");
    this.room = room;
    this.nickname = nickname;
  }

  async open() {
    this.socket = new WebSocket(`${this.url}/${this.room}`, PLAIN);
    this.socket.on("message", (data) => this.receive(JSON.parse(data)));
    await new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.once("error", reject);
    });
  }

  async settle() {}

  post(text) {
    this.send({ nickname: this.nickname, text });
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  receive(message) {
    findNumbers(message.text, this.onMessage);
  }
}
