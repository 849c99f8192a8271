import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { Unread } from "../../pages/elements/live_list/unread.js";
import { JSDOM } from "../observatory/node_modules/jsdom/lib/api.js";

const ROOM_ENDS = "900";
let rows, unread, total, redrawn;

function createRow(key, first, last, left = ROOM_ENDS, until = "") {
  const { window } = new JSDOM(`<li data-first="${first}" data-last="${last}" data-last-until="${until}">
    <span data-mentioned hidden>@</span>
    <span data-unread hidden><span></span><span> unread<span data-say=", next in {}"></span></span></span>
    <small><span data-left="${left}"></span></small></li>`);
  return { key, node: window.document.querySelector("li") };
}

function show(row) {
  rows.set(row.key, row);
  unread.render(row);
}

function read(key) {
  const { node } = rows.get(key);
  const label = node.querySelector("[data-unread]");
  return {
    count: label.hidden ? 0 : label.firstChild.textContent,
    next: label.querySelector("[data-say]").dataset.left,
    isMentioned: !node.querySelector("[data-mentioned]").hidden,
  };
}

beforeEach(() => {
  rows = new Map();
  redrawn = [];
  total = 0;
  const marks = { read: { tea: 4, bar: 0 }, mentioned: { tea: 6 }, next: { tea: 500 } };
  unread = new Unread(rows, marks, {
    redraw: ({ key }) => redrawn.push(key),
    tellTotal: (count) => (total = count),
  });
});

test("unread messages are counted from the read mark, and from the first one that is left", () => {
  show(createRow("tea", 2, 7));
  show(createRow("bar", 6, 7));
  assert.deepEqual([read("tea").count, read("bar").count, total], ["3", "2", 5]);
  unread.read({ tea: 7 });
  assert.deepEqual([read("tea").count, total], [0, 2]);
  unread.setOpened("bar");
  assert.equal(total, 0);
  unread.remove(rows.get("bar"));
  assert.equal(total, 0);
});

test("a mention is marked until it is read or gone", () => {
  show(createRow("tea", 1, 7));
  assert(read("tea").isMentioned);
  unread.read({ tea: 5 });
  assert(read("tea").isMentioned);
  unread.read({ tea: 6 });
  assert(!read("tea").isMentioned);
  unread.mention({ tea: 7 });
  assert(read("tea").isMentioned);
  show(createRow("tea", 8, 8));
  assert(!read("tea").isMentioned, "the mention is gone, and another message is unread");
});

test("what the server knows replaces the marks of mentions", () => {
  show(createRow("tea", 1, 7));
  show(createRow("bar", 1, 7));
  unread.update({ read: { tea: 5 }, mentioned: { bar: 3 }, next: {} });
  assert.deepEqual([read("tea").isMentioned, read("bar").isMentioned], [false, true]);
  assert.deepEqual(redrawn, ["tea", "bar"]);
});

test("the next one to disappear is that of the room if nothing is read", () => {
  show(createRow("tea", 1, 7, "400"));
  show(createRow("bar", 1, 7, "300"));
  assert.deepEqual([read("tea").next, read("bar").next], ["500", "300"]);
  show(createRow("tea", 5, 7, "510"));
  assert.equal(read("tea").next, "510");
});

test("it is not told once some are read, or all", () => {
  show(createRow("tea", 1, 7));
  show(createRow("bar", 1, 1));
  unread.read({ tea: 5, bar: 1 });
  assert.deepEqual([read("tea").next, read("bar").next], [undefined, undefined]);
});

test("it is that of the first new message after all were read, or of a later one that lives shorter", () => {
  unread.read({ tea: 7 });
  show(createRow("tea", 1, 7, "400", "600"));
  assert.equal(read("tea").next, undefined);
  const told = ["700", "800", "650"].map((until, index) => {
    show(createRow("tea", 1, 8 + index, "400", until));
    return read("tea").next;
  });
  assert.deepEqual(told, ["700", "700", "650"]);
});

test("a new message tells nothing of older unread ones that are not known", () => {
  show(createRow("tea", 1, 7));
  unread.read({ tea: 5 });
  show(createRow("tea", 1, 8, "400", "700"));
  assert.equal(read("tea").next, undefined);
});

test("messages of the open room are not taken for unread ones", () => {
  unread.read({ tea: 7 });
  unread.setOpened("tea");
  show(createRow("tea", 1, 7));
  show(createRow("tea", 1, 8, "400", "700"));
  assert.equal(read("tea").next, undefined);
});
