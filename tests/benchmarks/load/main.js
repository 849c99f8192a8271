// The load generator: opens screens of one kind, talks through them, and counts what arrives.
// It is told what to do by one line of JSON at a time, and answers each with one line.

import { createInterface } from "node:readline";

import { AnonchatScreen } from "./anonchat.js";
import { JsonScreen } from "./json.js";
import { HackChatScreen } from "./hack_chat.js";
import { NiceguiScreen } from "./nicegui.js";
import { inParallel } from "./parallel.js";
import { Talk } from "./talk.js";

const KINDS = { anonchat: AnonchatScreen, nicegui: NiceguiScreen, json: JsonScreen, hack_chat: HackChatScreen };

const screens = [];
let talk = null;
let flood = null;

const verbs = {
  // Opens a screen for each seat; a seat says which room, and whose token.
  async open({ kind, origin, seats, atOnce }) {
    const started = performance.now();
    const opened = seats.map((seat) => new KINDS[kind](origin, seat));
    await inParallel(opened, atOnce, async (screen) => {
      screen.onArrival = (number) => talk?.arrive(screen, number);
      await screen.open();
      screens.push(screen);
    });
    await Promise.all(opened.map((screen) => screen.settle()));
    return { seconds: (performance.now() - started) / 1000 };
  },

  // Says so many messages a second, in turn by each of `by` screens, and waits until all have come.
  async talk({ rate, seconds, by, filler, from = 0, patience = 15 }) {
    const speaking = screens.slice(from).filter((screen) => !screen.isStalled);
    talk = new Talk(speaking, { rate, seconds, speakers: spread(speaking, by), filler, patience });
    const result = await talk.run();
    talk = null;
    return result;
  },

  // One screen says so many messages a second until it is told to stop.
  async flood({ rate }) {
    const period = 10;
    flood = setInterval(() => {
      for (let left = (rate * period) / 1000; left > 0; left -= 1) screens[0].post("flood ".repeat(8));
    }, period);
    return {};
  },
  async calm() {
    clearInterval(flood);
    return {};
  },

  // Some screens stop reading what the server sends; their sockets stay open.
  async stall({ count }) {
    screens.slice(-count).forEach((screen) => screen.stall());
    return {};
  },

  // They read on; tells how many had been dropped, and brings those back as a browser would.
  async recover({ patience }) {
    const stalled = screens.filter((screen) => screen.isStalled);
    const started = performance.now();
    const last = Math.max(...screens.filter((screen) => !screen.isStalled).map((screen) => screen.lastKey));
    const dropped = await Promise.all(stalled.map((screen) => screen.recover(patience)));
    const deadline = performance.now() + patience * 1000;
    const isWhole = () => stalled.every((screen) => screen.lastKey >= last);
    while (!isWhole() && performance.now() < deadline) await rest(20);
    return {
      dropped: dropped.filter(Boolean).length,
      resynced: stalled.filter((screen) => screen.lastKey >= last).length,
      seconds: (performance.now() - started) / 1000,
    };
  },
};

// As many of them as asked for, evenly from the whole list: of one room, or of many.
function spread(list, count) {
  return Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)]);
}

function rest(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...wishes } = JSON.parse(line);
  let answer;
  try {
    answer = await verbs[verb](wishes);
  } catch (error) {
    answer = { error: String(error.stack || error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
