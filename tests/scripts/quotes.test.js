import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";

import { Quotes } from "../../pages/elements/live_list/quotes.js";
import { JSDOM } from "../observatory/node_modules/jsdom/lib/api.js";

let rows, quotes, asked, opened, now;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  const { window } = new JSDOM("", { url: "http://site/r/tea" });
  Object.assign(globalThis, { window, document: window.document });
  [rows, asked, opened, now] = [new Map(), [], [], 0];
  const times = { now: () => now, timeLeft: (until) => until - now };
  const texts = { in_reply: "In reply to {}", reply_gone: "gone" };
  quotes = new Quotes(rows, times, {
    texts,
    read: ({ text }) => text,
    ask: (ids) => asked.push(ids),
    open: (id) => opened.push(id),
  });
});

const tick = () => mock.timers.tick(1);
const shown = (key) => rows.get(key).node.querySelector("[data-reply]").textContent.replace(/[\u2068\u2069]/g, "");

function show(key, text, answered) {
  const node = document.createElement("article");
  node.innerHTML = `<bdi class="who">Ann</bdi>${answered ? `<div data-reply="${answered}"></div>` : ""}`;
  const row = { key, id: `id${key}`, text, node };
  quotes.draw(row);
  rows.set(key, row);
  quotes.add(row);
}

function remove(key) {
  const row = rows.get(key);
  rows.delete(key);
  quotes.remove(row);
}

test("a row on the page is quoted without asking, and again after it has changed", () => {
  show("1", "one");
  show("2", "yes", "id1");
  assert.equal(shown("2"), "In reply to Ann one");
  show("1", "two");
  assert.equal(shown("2"), "In reply to Ann two");
  tick();
  assert.deepEqual(asked, []);
});

test("the link leads to the message", () => {
  show("1", "one");
  show("2", "yes", "id1");
  const link = rows.get("2").node.querySelector("a");
  assert.equal(link.href, "http://site/r/tea?message=id1");
  link.click();
  assert.deepEqual(opened, ["id1"]);
});

test("the server is asked about others, once for all answers", () => {
  show("2", "yes", "id1");
  show("3", "no", "id1");
  show("4", "perhaps", "id0");
  tick();
  assert.deepEqual(asked, [["id1", "id0"]]);
  quotes.receive(["id1", "id0"], { id1: { key: "1", name: "Ben", text: "one", until: 1_000 } });
  assert.deepEqual(["2", "3", "4"].map(shown), ["In reply to Ben one", "In reply to Ben one", "gone"]);
  tick();
  assert.equal(asked.length, 1);
});

test("at most 20 are asked about at once", () => {
  for (let number = 1; number <= 25; number += 1) show(`a${number}`, "yes", `id${number}`);
  tick();
  assert.equal(asked[0].length, 20);
  quotes.receive(asked[0], {});
  tick();
  assert.equal(asked[1].length, 5);
});

test("an expired text goes away by itself", () => {
  show("2", "yes", "id1");
  tick();
  quotes.receive(["id1"], { id1: { key: "1", name: "Ben", text: "one", until: 1_000 } });
  now = 1_000;
  mock.timers.tick(1_000);
  assert.equal(shown("2"), "gone");
});

test("a text beyond the page goes away when it is changed or deleted, until it is known again", () => {
  show("2", "yes", "id1");
  tick();
  quotes.receive(["id1"], { id1: { key: "1", name: "Ben", text: "one", until: 1_000 } });
  quotes.forget("1");
  assert.equal(shown("2"), "");
  tick();
  assert.deepEqual(asked, [["id1"], ["id1"]]);
});

test("a quoted row that leaves the page takes its text along", () => {
  show("1", "one");
  show("2", "yes", "id1");
  remove("1");
  assert.equal(shown("2"), "");
  tick();
  assert.deepEqual(asked, [["id1"]]);
  quotes.receive(["id1"], {});
  assert.equal(shown("2"), "gone");
});

test("spoilers stay hidden, those too whose end is cut off", () => {
  show("1", "he ||dies|| and ||she ");
  show("2", "yes", "id1");
  assert.equal(shown("2"), "In reply to Ann he ▒▒▒ and ▒▒▒");
});

test("nothing is asked for answers that have left the page", () => {
  show("2", "yes", "id1");
  remove("2");
  tick();
  assert.deepEqual(asked, []);
});
