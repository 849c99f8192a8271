import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { Reactions } from "../../pages/elements/live_list/reactions.js";
import { JSDOM } from "../observatory/node_modules/jsdom/lib/api.js";

let list, chips, toggled, reactions;

beforeEach(() => {
  const { window } = new JSDOM(`<ul class="feed-members"><li data-key="b"><bdi class="who">Ben</bdi></li></ul>
    <div id="list"><article data-key="7"></article></div>`);
  Object.assign(globalThis, { document: window.document, CSS: { escape: (text) => text } });
  list = document.getElementById("list");
  toggled = [];
  const texts = { you: "you", others: "others" };
  const toggle = (...reaction) => toggled.push(reaction);
  reactions = new Reactions(list, [], { me: "me", language: "en", texts, toggle });
});

function draw(...authors) {
  list.firstChild.innerHTML = authors
    .map((names) => `<button class="reaction" data-emoji="👍" data-authors="${names}"></button>`)
    .join("");
  reactions.add({ node: list.firstChild });
  chips = [...list.querySelectorAll("button")];
}

test("reactions of the reader are pressed", () => {
  draw("b me", "b");
  assert.deepEqual(chips.map((chip) => chip.ariaPressed), ["true", "false"]);
});

test("titles name members, ten at most", () => {
  draw("b me", "b gone", Array(12).fill("b").join(" "));
  assert.deepEqual(chips.slice(0, 2).map(({ title }) => title), ["Ben and you", "Ben and others"]);
  assert.equal(chips[2].title.match(/Ben/g).length, 10);
});

test("a click takes back what is the reader's, and adds what is not", () => {
  draw("b me", "b");
  chips.forEach((chip) => chip.click());
  assert.deepEqual(toggled, [["7", "👍", false], ["7", "👍", true]]);
});
