// A screen on one of anonchat's rooms. It does what feed.js and composer.js do on the wire: each
// list asks what it has missed on every connection, tells what was read once a second, and keeps
// its keys; only the drawing is left out.

import { Page } from "./page.js";
import { findNumbers } from "./text.js";

const READ_AFTER = 4_000;
const READ_SPREAD = 6_000;
const ASKS_WITHIN = 500;
const ANSWERED_WITHIN = 60_000;

export class AnonchatScreen extends Page {
  constructor(origin, { room, token, address }) {
    super(origin, `/r/${room}`, `anonchat=${token}`, address);
    this.room = room;
    this.keys = new Map();
    this.lastKey = 0;
    this.questions = 0;
    this.unanswered = new Set();
    this.told = 0;
  }

  connect() {
    this.feeds = Object.entries(this.elements).filter(([, { tag }]) => tag === "nicegui-feed");
    this.messages = this.find(({ props }) => props?.channel === "messages");
    this.composer = this.find(({ tag }) => tag === "nicegui-composer");
    for (const [id, { props }] of this.feeds) {
      const rows = props.rows ?? this.parts.get(id) ?? [];
      this.keys.get(id) || this.keys.set(id, new Set(rows.map(([key]) => key)));
      props.rows = [];
    }
    return super.connect();
  }

  // Until no list waits for an answer any more; one that has missed nothing does not ask.
  async settle() {
    await new Promise((resolve) => setTimeout(resolve, ASKS_WITHIN));
    const deadline = performance.now() + ANSWERED_WITHIN;
    while (this.unanswered.size) {
      if (performance.now() > deadline) throw new Error("a list was never answered");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
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
      const isNew = !keys.has(key); // a row that is there already is only drawn anew
      keys.add(key);
      if (id !== this.messages || !isNew) continue;
      this.lastKey = Math.max(this.lastKey, Number(key));
      findNumbers(html, this.onArrival);
    }
    for (const key of drop) keys.delete(key);
    if (id !== this.messages) return;
    this.trim(keys);
    this.tellRead();
  }

  trim(keys) {
    for (const key of keys) {
      if (keys.size <= this.elements[this.messages].props.cap) break;
      keys.delete(key);
    }
  }

  sync(id) {
    this.questions += 1;
    this.unanswered.add(id);
    const keys = [...this.keys.get(id)];
    const more = !!this.elements[id].props.more;
    this.emit(id, "sync", { question: this.questions, keys, more, older: more, beyond: "" });
  }

  catchUp(id, { put, keep }) {
    this.unanswered.delete(id);
    const kept = new Set([...keep, ...put.map(([key]) => key)]);
    this.place(id, put, [...this.keys.get(id)].filter((key) => !kept.has(key)));
  }

  tellRead() {
    if (this.reading || this.lastKey <= this.told) return;
    this.reading = setTimeout(() => {
      this.reading = null;
      this.told = this.lastKey;
      this.emit(this.messages, "read", { seq: this.lastKey });
    }, READ_AFTER + Math.random() * READ_SPREAD);
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
    this.unanswered.clear();
    await Promise.race([
      this.connect().catch(() => this.open()), // too late: the page is loaded anew
      new Promise((resolve) => setTimeout(resolve, patience * 1000)),
    ]);
    return true;
  }
}
