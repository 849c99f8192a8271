// The load generator: opens screens of one kind, posts messages by them, and measures deliveries.
// It reads one command per line as JSON, and answers each with one line.

import { createInterface } from "node:readline";

import { AnonchatScreen } from "./anonchat.js";
import { JsonScreen } from "./json.js";
import { HackChatScreen } from "./hack_chat.js";
import { NiceguiScreen } from "./nicegui.js";
import { inParallel } from "./parallel.js";
import { Conversation } from "./conversation.js";

const KINDS = { anonchat: AnonchatScreen, nicegui: NiceguiScreen, json: JsonScreen, hack_chat: HackChatScreen };

const screens = [];
let conversation = null;
let flood = null;

const verbs = {
  // Opens a screen for each spec, which has the room and the visitor's token or nickname.
  async open({ kind, origin, specs, atOnce }) {
    const started = performance.now();
    const opened = specs.map((spec) => new KINDS[kind](origin, spec));
    await inParallel(opened, atOnce, async (screen) => {
      screen.onMessage = (number) => conversation?.receive(screen, number);
      await screen.open();
      screens.push(screen);
    });
    await Promise.all(opened.map((screen) => screen.settle()));
    return { seconds: (performance.now() - started) / 1000 };
  },

  // Posts messages at a rate per second, by some screens in turn, and waits for all deliveries.
  async talk({ rate, seconds, speakers, filler, from = 0, maxSeconds = 15 }) {
    const active = screens.slice(from).filter((screen) => !screen.isStalled);
    conversation = new Conversation(active, { rate, seconds, speakers: sample(active, speakers), filler, maxSeconds });
    const result = await conversation.run();
    conversation = null;
    return result;
  },

  // The first screen posts messages at a rate per second until `stop_flood`.
  async start_flood({ rate }) {
    const period = 10;
    flood = setInterval(() => {
      for (let left = (rate * period) / 1000; left > 0; left -= 1) screens[0].post("flood ".repeat(8));
    }, period);
    return {};
  },
  async stop_flood() {
    clearInterval(flood);
    return {};
  },

  // The last screens stop reading their sockets, which stay open.
  async stall({ count }) {
    screens.slice(-count).forEach((screen) => screen.stall());
    return {};
  },

  // Stalled screens read again, and reconnect if they were disconnected; returns the counts.
  async recover({ maxSeconds }) {
    const stalled = screens.filter((screen) => screen.isStalled);
    const started = performance.now();
    const last = Math.max(...screens.filter((screen) => !screen.isStalled).map((screen) => screen.lastKey));
    const dropped = await Promise.all(stalled.map((screen) => screen.recover(maxSeconds)));
    const deadline = performance.now() + maxSeconds * 1000;
    const isComplete = () => stalled.every((screen) => screen.lastKey >= last);
    while (!isComplete() && performance.now() < deadline) await sleep(20);
    return {
      dropped: dropped.filter(Boolean).length,
      resynced: stalled.filter((screen) => screen.lastKey >= last).length,
      seconds: (performance.now() - started) / 1000,
    };
  },
};

// Returns `count` items, evenly distributed over the list.
function sample(list, count) {
  return Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)]);
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...parameters } = JSON.parse(line);
  let result;
  try {
    result = await verbs[verb](parameters);
  } catch (error) {
    result = { error: String(error.stack || error) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
process.exit();
