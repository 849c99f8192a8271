import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { RovingTabindex } from "../../pages/elements/live_list/roving_tabindex.js";
import { Row, Rows } from "../../pages/elements/live_list/rows.js";
import { JSDOM } from "../observatory/node_modules/jsdom/lib/api.js";

let list, rows, roving;

beforeEach(() => {
  const { window } = new JSDOM("<ul id=list tabindex=-1></ul><button id=other></button>", { pretendToBeVisual: true });
  globalThis.document = window.document;
  window.HTMLElement.prototype.checkVisibility = function () {
    return !this.hidden; // jsdom has no layout
  };
  list = document.getElementById("list");
  rows = new Rows(list);
  roving = new RovingTabindex(list, rows);
});

// A link and a button, as in the sidebar; `line` is where it stands in a list of several columns.
function put(order, { key = String(order), line = order, html = "<a href=#></a><button></button>" } = {}) {
  const row = new Row(key, order, `<li>${html}</li>`);
  Object.defineProperty(row.node, "offsetTop", { value: line });
  roving.add(row);
  rows.put(row);
  roving.update();
}

function remove(key) {
  rows.remove(rows.get(key));
  roving.update();
}

const find = (key, tag = "a") => rows.get(key).node.querySelector(tag);
const stops = () => [...list.querySelectorAll("[tabindex='0']")].map((stop) => stop.closest("[data-key]").dataset.key);
const focused = () => {
  const { activeElement } = document;
  return `${activeElement.tagName} ${activeElement.closest("[data-key]")?.dataset.key}`.toLowerCase();
};

function press(key, modifiers = {}) {
  const { KeyboardEvent } = document.defaultView;
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...modifiers });
  document.activeElement.dispatchEvent(event);
  return event.defaultPrevented;
}

test("a list of many rows is one tab stop", () => {
  for (const order of [1, 2, 3]) put(order);
  assert.deepEqual(stops(), ["1"]);
  find("3").focus();
  assert.deepEqual(stops(), ["3"]);
  find("2", "button").focus();
  assert.deepEqual(stops(), ["2"]);
  assert.equal(find("2").tabIndex, 0);
});

test("the arrow keys, Home and End move between rows", () => {
  for (const order of [1, 2, 3]) put(order);
  find("1").focus();
  for (const [key, expected] of [
    ["ArrowDown", "a 2"],
    ["ArrowDown", "a 3"],
    ["ArrowUp", "a 2"],
    ["Home", "a 1"],
    ["End", "a 3"],
  ]) {
    assert.ok(press(key), key);
    assert.equal(focused(), expected);
  }
  assert.ok(!press("ArrowDown"), "the end of the list scrolls the page");
  assert.equal(focused(), "a 3");
});

test("the arrows to the sides reach what is beside", () => {
  put(1);
  put(2);
  find("2", "button").hidden = true;
  put(3);
  find("1").focus();
  for (const expected of ["button 1", "a 2", "a 3"]) {
    press("ArrowRight");
    assert.equal(focused(), expected);
  }
  for (const expected of ["a 2", "button 1"]) {
    press("ArrowLeft");
    assert.equal(focused(), expected);
  }
});

test("the arrows up and down keep to the column", () => {
  for (const order of [1, 2, 3, 4, 5]) put(order, { line: Math.ceil(order / 2), html: "<a href=#></a>" });
  find("2").focus();
  press("ArrowDown");
  assert.equal(focused(), "a 4");
  press("ArrowUp");
  press("ArrowRight");
  assert.equal(focused(), "a 3");
  press("ArrowDown");
  assert.equal(focused(), "a 5");
});

test("keys with a modifier and other keys keep their meaning", () => {
  put(1);
  put(2);
  find("1").focus();
  for (const modifier of ["altKey", "ctrlKey", "metaKey", "shiftKey"]) assert.ok(!press("ArrowDown", { [modifier]: true }));
  for (const key of ["Tab", "Enter", "x"]) assert.ok(!press(key));
  assert.equal(focused(), "a 1");
});

test("a row without links is itself reached", () => {
  put(1, { html: "Ann" });
  put(2, { html: "Mira" });
  assert.deepEqual(stops(), ["1"]);
  rows.first.node.focus();
  press("ArrowDown");
  assert.equal(focused(), "li 2");
});

test("a row that is drawn again or moved keeps the focus and the tab stop", () => {
  for (const order of [1, 2, 3]) put(order);
  find("2", "button").focus();
  put(2);
  assert.equal(focused(), "button 2");
  put(9, { key: "2" });
  assert.equal(focused(), "button 2");
  assert.deepEqual(rows.keys(), ["1", "3", "2"]);
  assert.deepEqual(stops(), ["2"]);
  document.getElementById("other").focus();
  put(9, { key: "2" });
  assert.deepEqual(stops(), ["2"]);
});

test("the neighbour of a removed row takes over its focus and the tab stop", () => {
  for (const order of [1, 2, 3]) put(order);
  find("2", "button").focus();
  remove("2");
  assert.equal(focused(), "a 3");
  assert.deepEqual(stops(), ["3"]);
  remove("3");
  assert.equal(focused(), "a 1");
  remove("1");
  assert.equal(document.activeElement, list);
  put(4);
  assert.ok(press("ArrowDown"));
  assert.equal(focused(), "a 4");
});

test("the tab stop moves on when its row is removed without the focus", () => {
  for (const order of [1, 2, 3]) put(order);
  find("3").focus();
  document.getElementById("other").focus();
  remove("3");
  assert.deepEqual(stops(), ["1"]);
  assert.equal(focused(), "button undefined");
});
