// A screen on one of anonchat's rooms. It does what feed.js and composer.js do on the wire: each
// list asks what it has missed on every connection, tells what was read once a second, and keeps
// its keys; only the drawing is left out.

import { Page } from "./page.js";
import { findNumbers } from "./text.js";

const READ_EVERY = 1_000;
const SYNCED_WITHIN = 60_000;

export class AnonchatScreen extends Page {
  constructor(origin, { room, token }) {
    super(origin, `/r/${room}`, `anonchat=${token}`);
    this.room = room;
    this.keys = new Map();
    this.lastKey = 0;
    this.questions = 0;
    this.told = 0;
  }

  async open() {
    const synced = new Promise((resolve, reject) => {
      this.onSynced = resolve;
      setTimeout(() => reject(new Error("the messages were never synced")), SYNCED_WITHIN).unref();
    });
    await super.open();
    await synced;
  }

  connect() {
    this.feeds = Object.entries(this.elements).filter(([, { tag }]) => tag === "nicegui-feed");
    this.messages = this.find(({ props }) => props?.channel === "messages");
    this.composer = this.find(({ tag }) => tag === "nicegui-composer");
    for (const [id, { props }] of this.feeds) {
      this.keys.get(id) || this.keys.set(id, new Set(props.rows.map(([key]) => key)));
      props.rows = [];
    }
    return super.connect();
  }

  post(text) {
    this.emit(this.composer, "post", { text, dedup: Math.random().toString(16).slice(2) });
  }

  onEvent(event, payload) {
    if (event === "feed") this.receive(payload);
    if (event !== "run_javascript") return;
    const call = payload.code.match(/^return runMethod\((\d+), "(\w+)", (.*)\)$/s);
    if (!call) return;
    const [, id, method, raw] = call;
    if (method === "sync") this.sync(id);
    if (method === "catchUp") this.catchUp(id, JSON.parse(raw)[0]);
  }

  receive({ channel, put = [], drop = [] }) {
    for (const [id, { props }] of this.feeds) {
      if (props.channel === channel) this.place(id, put, drop);
    }
  }

  place(id, put, drop) {
    const keys = this.keys.get(id);
    for (const [key, , html] of put) {
      keys.add(key);
      if (id !== this.messages) continue;
      this.lastKey = Math.max(this.lastKey, Number(key));
      findNumbers(html, this.onArrival);
    }
    for (const key of drop) keys.delete(key);
    if (id === this.messages) this.trim(keys);
  }

  trim(keys) {
    for (const key of keys) {
      if (keys.size <= this.elements[this.messages].props.cap) break;
      keys.delete(key);
    }
    this.tellRead();
  }

  sync(id) {
    this.questions += 1;
    const keys = [...this.keys.get(id)];
    this.emit(id, "sync", { question: this.questions, keys, more: !!this.elements[id].props.more });
  }

  catchUp(id, { put, keep }) {
    if (id !== this.messages) return;
    const kept = new Set(keep);
    this.place(id, put, [...this.keys.get(id)].filter((key) => !kept.has(key) && !put.some(([other]) => other === key)));
    this.onSynced();
  }

  tellRead() {
    if (this.reading || this.lastKey <= this.told) return;
    this.told = this.lastKey;
    this.emit(this.messages, "read", { seq: this.lastKey });
    this.reading = setTimeout(() => {
      this.reading = null;
      this.tellRead();
    }, READ_EVERY);
  }

  stall() {
    this.isStalled = true;
    this.socket.pause();
    this.socket.on("close", () => (this.wasDropped = true));
  }

  // Reads what is left; comes back if the server has hung up, and tells whether it had.
  async recover(patience) {
    this.socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    this.isStalled = false;
    if (!this.wasDropped) return false;
    this.told = 0;
    await Promise.race([
      this.connect().catch(() => this.open()), // too late: the page is loaded anew
      new Promise((resolve) => setTimeout(resolve, patience * 1000)),
    ]);
    return true;
  }
}
