// A screen of a room of anonchat. It sends and receives what live_list.js and composer.js do: each
// list synchronizes on every connection, sends read marks, and keeps its keys. It renders nothing.

import { Page } from "./page.js";
import { findNumbers } from "./text.js";

const READ_AFTER = 4_000;
const READ_SPREAD = 6_000;
const SYNC_DELAY = 500;
const SYNC_TIMEOUT = 60_000;

export class AnonchatScreen extends Page {
  constructor(origin, { room, token, address }) {
    super(origin, `/r/${room}`, `anonchat=${token}`, address);
    this.room = room;
    this.keys = new Map();
    this.lastKey = 0;
    this.questionCount = 0;
    this.pendingSyncs = new Set();
    this.markedKey = 0;
  }

  connect() {
    this.feeds = Object.entries(this.elements).filter(([, { tag }]) => tag === "nicegui-live_list");
    this.messages = this.find(({ props }) => props?.channel === "messages");
    this.composer = this.find(({ tag }) => tag === "nicegui-composer");
    for (const [id] of this.feeds) {
      this.keys.get(id) || this.keys.set(id, new Set(this.firstKeys.get(id)));
    }
    return super.connect();
  }

  // Waits until no list is synchronizing; a list that has missed nothing does not send a request.
  async settle() {
    await new Promise((resolve) => setTimeout(resolve, SYNC_DELAY));
    const deadline = performance.now() + SYNC_TIMEOUT;
    while (this.pendingSyncs.size) {
      if (performance.now() > deadline) throw new Error("a list was not synchronized in time");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  post(text) {
    this.emit(this.composer, "post", { text, dedup: Math.random().toString(16).slice(2) });
  }

  onEvent(event, payload) {
    if (event === "feed") this.receiveFeed(payload);
    if (event !== "run_javascript") return;
    const call = payload.code.match(/^return runMethod\((\d+), "(\w+)", (.*)\)$/s);
    if (!call) return;
    const [, id, method, raw] = call;
    if (method === "sync") this.sync(id);
    if (method === "catchUp") this.catchUp(id, JSON.parse(raw)[0]);
  }

  receiveFeed({ channel, put = [], drop = [] }) {
    for (const [id, { props }] of this.feeds) {
      if (props.channel === channel) this.updateRows(id, put, drop);
    }
  }

  updateRows(id, put, drop) {
    const keys = this.keys.get(id);
    for (const [key, , html] of put) {
      const isNew = !keys.has(key); // an update of a known row is not a delivery
      keys.add(key);
      if (id !== this.messages || !isNew) continue;
      this.lastKey = Math.max(this.lastKey, Number(key));
      findNumbers(html, this.onMessage);
    }
    for (const key of drop) keys.delete(key);
    if (id !== this.messages) return;
    this.trim(keys);
    this.scheduleReadMark();
  }

  trim(keys) {
    for (const key of keys) {
      if (keys.size <= this.elements[this.messages].props.cap) break;
      keys.delete(key);
    }
  }

  sync(id) {
    this.questionCount += 1;
    this.pendingSyncs.add(id);
    const keys = [...this.keys.get(id)];
    const more = !!this.elements[id].props.more;
    this.emit(id, "sync", { question: this.questionCount, keys, more, older: more, beyond: "" });
  }

  catchUp(id, { put, keep }) {
    this.pendingSyncs.delete(id);
    const kept = new Set([...keep, ...put.map(([key]) => key)]);
    this.updateRows(id, put, [...this.keys.get(id)].filter((key) => !kept.has(key)));
  }

  scheduleReadMark() {
    if (this.readTimer || this.lastKey <= this.markedKey) return;
    this.readTimer = setTimeout(() => {
      this.readTimer = null;
      this.markedKey = this.lastKey;
      this.emit(this.messages, "read", { seq: this.lastKey });
    }, READ_AFTER + Math.random() * READ_SPREAD);
  }

  stall() {
    this.isStalled = true;
    this.socket.pause();
    this.socket.on("close", () => (this.wasDropped = true));
  }

  // Reads again, and reconnects if the server closed the socket; returns whether it did.
  async recover(maxSeconds) {
    this.socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    this.isStalled = false;
    if (!this.wasDropped) return false;
    this.markedKey = 0;
    this.pendingSyncs.clear();
    await Promise.race([
      this.connect().catch(() => this.open()), // the server has deleted the page: load it again
      new Promise((resolve) => setTimeout(resolve, maxSeconds * 1000)),
    ]);
    return true;
  }
}
