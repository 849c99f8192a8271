import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";

import { dismissReason, showReason } from "../../pages/elements/reason.js";
import { JSDOM } from "../observatory/node_modules/jsdom/lib/api.js";

const TOO_OFTEN = "That was too often. Please try again in 7 s.";
const tick = (seconds) => mock.timers.tick(seconds * 1_000);
let node;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  globalThis.document = new JSDOM("<p></p>").window.document;
  node = document.querySelector("p");
});

test("a reason without seconds stays", () => {
  showReason(node, "There are 7 of them.");
  tick(60);
  assert.equal(node.textContent, "There are 7 of them.");
});

test("the seconds of a rate limit are counted down, and the text goes away", () => {
  let ends = 0;
  showReason(node, TOO_OFTEN, 7, () => ends++);
  assert.equal(node.textContent, TOO_OFTEN);
  tick(1);
  assert.equal(node.textContent, "That was too often. Please try again in 6 s.");
  tick(5);
  assert.equal(node.textContent, "That was too often. Please try again in 1 s.");
  assert.equal(ends, 0);
  tick(1);
  assert.deepEqual([node.textContent, ends], ["", 1]);
  tick(60);
  assert.equal(ends, 1);
});

test("counting down changes nothing but a timer, which screen readers do not repeat", () => {
  showReason(node, TOO_OFTEN, 7);
  const nodes = [...node.childNodes];
  tick(3);
  assert.deepEqual([...node.childNodes], nodes);
  assert.deepEqual(nodes.map(({ data }) => data), ["That was too often. Please try again in ", undefined, " s."]);
  assert.equal(nodes[1].role ?? nodes[1].getAttribute("role"), "timer");
});

test("a newer reason replaces the countdown", () => {
  let ends = 0;
  showReason(node, TOO_OFTEN, 7, () => ends++);
  tick(3);
  showReason(node, "In 20 s.", 20);
  tick(5);
  assert.equal(node.textContent, "In 15 s.");
  showReason(node, "This is too long.");
  tick(60);
  assert.deepEqual([node.textContent, ends], ["This is too long.", 0]);
});

test("a change of what was refused dismisses the reason, but no rate limit", () => {
  showReason(node, "This is too long.");
  dismissReason(node);
  assert.equal(node.textContent, "");
  showReason(node, TOO_OFTEN, 7);
  dismissReason(node);
  assert.equal(node.textContent, TOO_OFTEN);
  tick(7);
  assert.equal(node.textContent, "");
});

test("a countdown ends with its node", () => {
  let ends = 0;
  showReason(node, TOO_OFTEN, 7, () => ends++);
  node.remove();
  tick(1);
  assert.equal(ends, 1);
  tick(60);
  assert.equal(ends, 1);
});
