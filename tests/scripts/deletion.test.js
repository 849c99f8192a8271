import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";

import { Deletion } from "../../pages/elements/live_list/deletion.js";
import { Notices } from "../../pages/elements/live_list/notices.js";
import { JSDOM } from "../observatory/node_modules/jsdom/lib/api.js";

let list, notices, deletion, log, announced;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { window } = new JSDOM("<main><div id=list></div><button id=other></button></main>");
  globalThis.document = window.document;
  list = document.getElementById("list");
  [log, announced] = [[], []];
  notices = new Notices(list);
  const record = (name) => (value) => log.push([name, value.key ?? value]);
  deletion = new Deletion({
    notices,
    texts: { deleted: "Message deleted", undo: "Undo" },
    hide: record("hide"),
    show: record("show"),
    send: record("send"),
    announce: (...change) => announced.push(change),
  });
});

const row = (key) => ({ key, node: document.createElement("article") });
const shown = () => [...list.nextSibling.children].map(({ role, textContent }) => [role, textContent]);
const undo = (index = 0) => list.nextSibling.querySelectorAll("button")[index];
const tick = (ms) => mock.timers.tick(ms);

function point(type) {
  list.nextSibling.dispatchEvent(new list.ownerDocument.defaultView.Event(type));
}

test("a deletion is sent when its five seconds are over", () => {
  deletion.begin(row("1"));
  tick(3_000);
  deletion.begin(row("2"));
  tick(1_999);
  assert.deepEqual(log, [["hide", "1"], ["hide", "2"]]);
  tick(1);
  assert.deepEqual(log.at(-1), ["send", "1"]);
  tick(3_000);
  assert.deepEqual(log.at(-1), ["send", "2"]);
  assert.deepEqual(shown(), []);
  assert.ok(deletion.hides("1"), "until the server has deleted it");
  deletion.settle("1");
  assert.ok(!deletion.hides("1"));
});

test("an undone deletion is never sent", () => {
  deletion.begin(row("1"));
  deletion.begin(row("2"));
  undo(0).click();
  assert.deepEqual(log.at(-1), ["show", "1"]);
  assert.ok(!deletion.hides("1"));
  deletion.flush();
  tick(10_000);
  assert.deepEqual(log.filter(([name]) => name === "send"), [["send", "2"]]);
});

test("the server is told what begins and what is undone", () => {
  deletion.begin(row("1"));
  deletion.begin(row("2"));
  undo(0).click();
  assert.deepEqual(announced, [["1", true], ["2", true], ["1", false]]);
  assert.deepEqual(deletion.keys(), ["2"]);
});

test("what the server no longer has cannot be undone, and is sent if it was not", () => {
  deletion.begin(row("1"));
  deletion.conclude("1");
  deletion.conclude("unknown");
  assert.deepEqual(log, [["hide", "1"], ["send", "1"]]);
  assert.deepEqual(shown(), []);
  assert.ok(!deletion.hides("1"));
});

test("a notice that appears under a pointer at rest ends", () => {
  deletion.begin(row("1"));
  point("pointerenter");
  tick(5_000);
  assert.deepEqual(log.at(-1), ["send", "1"]);
});

for (const [hold, release] of [
  [() => point("pointermove"), () => point("pointerleave")],
  [() => undo().focus(), () => document.getElementById("other").focus()],
]) {
  test("the time of a notice stops while it is pointed at or focused", () => {
    deletion.begin(row("1"));
    tick(4_000);
    hold();
    tick(60_000);
    deletion.begin(row("2"));
    tick(60_000);
    release();
    tick(999);
    assert.deepEqual(shown().length, 2);
    tick(1);
    assert.deepEqual(log.at(-1), ["send", "1"]);
    tick(4_000);
    assert.deepEqual(log.at(-1), ["send", "2"]);
  });
}

test("a notice that goes while it is pointed at holds no later one", () => {
  deletion.begin(row("1"));
  point("pointermove");
  undo().click();
  deletion.begin(row("2"));
  tick(5_000);
  assert.deepEqual(log.at(-1), ["send", "2"]);
});

test("a flush sends every pending deletion once", () => {
  for (const key of ["1", "2", "3"]) deletion.begin(row(key));
  deletion.flush();
  deletion.flush();
  tick(10_000);
  assert.deepEqual(log.filter(([name]) => name === "send"), [["send", "1"], ["send", "2"], ["send", "3"]]);
});

test("what ends the membership waits for the answers, but not for ever", async () => {
  for (const key of ["1", "2"]) deletion.begin(row(key));
  assert.ok(deletion.isPending);
  const finished = [];
  const finish = () => deletion.finish().then(() => finished.push(deletion.hides("2")));
  const first = finish();
  assert.ok(!deletion.isPending);
  assert.deepEqual(log.slice(-2), [["send", "1"], ["send", "2"]]);
  deletion.settle("1");
  await Promise.resolve();
  assert.deepEqual(finished, []);
  deletion.fail("2", "Too often.");
  await first;
  deletion.begin(row("2"));
  const second = finish();
  tick(2_000);
  await second;
  assert.deepEqual(finished, [false, true]);
});

test("a message that another page has deleted can no longer be brought back", () => {
  deletion.begin(row("1"));
  deletion.settle("1");
  deletion.settle("unknown");
  tick(10_000);
  assert.deepEqual(log, [["hide", "1"]]);
  assert.deepEqual(shown(), []);
});

test("a refused deletion shows the message and the reason", () => {
  deletion.begin(row("1"));
  tick(5_000);
  deletion.fail("1", "Too often.");
  deletion.fail("1", "Too often.");
  assert.deepEqual(log.slice(-2), [["send", "1"], ["show", "1"]]);
  assert.deepEqual(shown().at(-1), ["alert", "Too often."]);
  tick(10_000);
  assert.deepEqual(shown(), []);
});
