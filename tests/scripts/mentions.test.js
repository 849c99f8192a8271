import assert from "node:assert/strict";
import test from "node:test";

import { findMembers } from "../../pages/elements/composer/mentions.js";

const MEMBERS = ["Ann", "Ann Lee", "Ödön", "Ben"].map((name) => ({ name, badge: "" }));
const find = (text, caret = text.length) => findMembers(MEMBERS, text, caret);
const names = (...found) => found.map(({ title }) => title);

test("members are found by the beginning of their names, whatever its case and form", () => {
  assert.deepEqual(names(...find("hi @a")), ["Ann", "Ann Lee"]);
  assert.deepEqual(names(...find("@ann l")), ["Ann Lee"]);
  assert.deepEqual(names(...find("@o\u0308D".replace("o", "O"))), ["Ödön"]);
  assert.deepEqual(names(...find("@")).length, 4);
});

test("nothing is found in addresses, other lines and finished mentions", () => {
  for (const text of ["a@b", "ann", "@Ben ", "@b\nen", "@x"]) assert.deepEqual(find(text), [], text);
});

test("a name that is typed as a whole is known to be", () => {
  assert.deepEqual(find("@ann").map(({ isTyped }) => isTyped), [true, false]);
});

test("a choice replaces what is typed before the caret", () => {
  const [{ text, caret }] = find("hi @b, you", 5);
  assert.equal(text, "hi @Ben , you");
  assert.equal(text.slice(0, caret), "hi @Ben ");
});

test("eight members are offered at most", () => {
  const many = Array.from({ length: 20 }, (_, number) => ({ name: `m${number}`, badge: "" }));
  assert.equal(findMembers(many, "@m", 2).length, 8);
});
