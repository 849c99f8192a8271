// A page of NiceGUI without a browser: its HTML and elements, its socket and its events. Screens
// extend it.

import { randomUUID } from "node:crypto";
import http from "node:http";

import { WebSocket } from "ws";

import { PLAIN } from "./json.js";

const ACK_EVERY = 3_000; // as nicegui.js does
const MAX_TRIES = 5; // users, too, reload a page that a busy server did not build
const agent = new http.Agent({ keepAlive: true });

export class Page {
  constructor(origin, path, cookie, address) {
    this.origin = origin;
    this.path = path;
    this.cookie = cookie;
    this.address = address; // local address of its connections; any if undefined
    this.tab = randomUUID();
    this.elements = {};
  }

  async open() {
    const html = await this.load();
    this.elements = readElements(html);
    this.firstKeys = readKeys(html);
    this.query = readQuery(html);
    this.next = Number(this.query.next_message_id);
    await this.connect();
    this.acked = this.next;
    this.acks = setInterval(() => this.ack(), ACK_EVERY);
  }

  async load() {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.fetch();
      } catch (error) {
        if (tries === MAX_TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, tries * 1_000));
      }
    }
  }

  fetch() {
    const headers = { Cookie: this.cookie, "Accept-Language": "en", "Accept-Encoding": "identity" };
    return new Promise((resolve, reject) => {
      const options = { agent, headers, localAddress: this.address };
      const request = http.get(this.origin + this.path, options, (response) => {
        const pieces = [];
        response.on("data", (piece) => pieces.push(piece));
        response.on("end", () => {
          if (response.statusCode === 200) resolve(Buffer.concat(pieces).toString());
          else reject(new Error(`${this.path}: status ${response.statusCode}`));
        });
      });
      request.on("error", reject);
    });
  }

  connect() {
    const query = new URLSearchParams({
      ...this.query,
      next_message_id: this.next,
      document_id: (this.document ??= randomUUID()),
      tab_id: this.tab,
      old_tab_id: "null",
      EIO: "4",
      transport: "websocket",
    });
    const url = `${this.origin.replace("http", "ws")}/_nicegui_ws/socket.io/?${query}`;
    const options = { ...PLAIN, origin: this.origin, localAddress: this.address };
    this.socket = new WebSocket(url, options);
    return new Promise((resolve, reject) => {
      this.socket.on("error", reject);
      this.socket.on("close", () => reject(new Error("the server closed the socket")));
      this.socket.on("message", (data) => this.receivePacket(data.toString(), resolve, reject));
    });
  }

  receivePacket(packet, resolve, reject) {
    if (packet.startsWith("42")) {
      const [event, payload] = JSON.parse(packet.slice(packet.indexOf("[")));
      if (payload?._id !== undefined) {
        if (payload._id < this.next) return;
        this.next = payload._id + 1;
      }
      this.onEvent(event, payload);
    } else if (packet === "2") {
      this.socket.send("3");
    } else if (packet.startsWith("0")) {
      this.socket.send("40");
    } else if (packet.startsWith("40")) {
      resolve();
    } else if (packet.startsWith("44")) {
      reject(new Error(`the server refused the socket: ${packet}`));
    }
  }

  ack() {
    if (this.acked >= this.next || this.socket.readyState !== WebSocket.OPEN) return;
    this.send("ack", { client_id: this.query.client_id, next_message_id: this.next });
    this.acked = this.next;
  }

  // Sends an event of an element to its listeners on the server.
  emit(id, type, ...args) {
    for (const event of this.elements[id].events || []) {
      if (event.type !== type) continue;
      this.send("event", {
        id: Number(id),
        client_id: this.query.client_id,
        listener_id: event.listener_id,
        args: args.map((arg) => JSON.stringify(arg)),
      });
    }
  }

  send(event, payload) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(`42${JSON.stringify([event, payload])}`);
  }

  // Waits until the screen is complete.
  async settle() {}

  find(test) {
    return Object.entries(this.elements).find(([, element]) => test(element))?.[0];
  }
}

function readElements(html) {
  const [, raw] = html.match(/parseElements\(String\.raw`([^`]*)`/);
  return JSON.parse(
    raw
      .replace(/&#36;/g, "$")
      .replace(/&#96;/g, "`")
      .replace(/&gt;/g, ">")
      .replace(/&lt;/g, "<")
      .replace(/&amp;/g, "&"),
  );
}

// Returns the keys of the rows in the first paint, by the id of their list.
function readKeys(html) {
  const lists = html.matchAll(/<\w+ id="c(\d+)" class="feed [^"]*" data-rows="([^"]*)">/g);
  const parse = (rows) => JSON.parse(rows.replace(/&#34;/g, '"').replace(/&amp;/g, "&"));
  return new Map([...lists].map(([, id, rows]) => [id, parse(rows).map(([key]) => key)]));
}

function readQuery(html) {
  const [, raw] = html.match(/\bquery: \{(.*?)\},\n/);
  const pairs = raw.matchAll(/'(\w+)': (?:'([^']*)'|(\w+))/g);
  return Object.fromEntries([...pairs].map(([, name, text, word]) => [name, text ?? word.toLowerCase()]));
}
