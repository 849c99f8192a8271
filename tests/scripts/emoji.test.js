import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { endsCode, listChoices, readCode, replaceCode } from "../../pages/elements/composer/emoji_codes.js";
import { findEmoji, readEmoji } from "../../pages/elements/emoji/emoji_search.js";

const [english, russian] = ["en", "ru"].map((language) => {
  const path = new URL(`../../pages/assets/emoji/${language}.json`, import.meta.url);
  return readEmoji(JSON.parse(readFileSync(path, "utf-8")));
});
const first = (all, typed) => findEmoji(all, typed)[0]?.emoji;

test("an emoji is found by its code, its name and other words, best first", () => {
  for (const [typed, emoji] of [["wave", "👋"], ["waving h", "👋"], ["+1", "👍"], ["tada", "🎉"], ["Hedgehog", "🦔"]]) {
    assert.equal(first(english, typed), emoji, typed);
  }
  assert.ok(findEmoji(english, "bye").some(({ emoji }) => emoji === "👋"));
});

test("Russian and English words find an emoji on a Russian page, ё being е", () => {
  assert.equal(first(russian, "ёж"), "🦔");
  assert.equal(first(russian, "еж"), "🦔");
  assert.equal(first(russian, "wave"), "👋");
  assert.ok(findEmoji(russian, "hedgehog").some(({ emoji }) => emoji === "🦔"));
  assert.ok(findEmoji(russian, "привет").some(({ emoji }) => emoji === "👋"));
});

test("an emoji is found by itself, with or without a selector", () => {
  for (const typed of ["❤️", "❤", "👋"]) assert.equal(first(english, typed)?.replace("\uFE0F", ""), typed.replace("\uFE0F", ""));
});

test("all words have to be found, and nothing typed finds all", () => {
  assert.deepEqual(findEmoji(english, "waving xyzzy"), []);
  assert.equal(findEmoji(english, " ").length, english.length);
});

test("both languages have the same emoji, and no code is of two", () => {
  assert.deepEqual(english.map(({ emoji }) => emoji), russian.map(({ emoji }) => emoji));
  const codes = english.flatMap((each) => each.codes);
  assert.equal(new Set(codes).size, codes.length);
  assert.ok(codes.every((code) => /^[\w+-]+$/.test(code)));
});

test("a code is read before the caret, where a word may begin", () => {
  for (const [text, code] of [[":wa", "wa"], ["hi :вол", "вол"], ["(:+1", "+1"]]) assert.equal(readCode(text, text.length), code);
  assert.equal(readCode("hi :wav and more", 7), "wav");
  for (const text of [":w", "10:30", "std::cout", "https://x", "a:bc", ": ab", ":ab c"]) {
    assert.equal(readCode(text, text.length), undefined, text);
  }
});

test("a whole code is replaced before the caret, an unknown one is not", () => {
  assert.deepEqual(replaceCode(english, "hi :wave: you", 9), { text: "hi 👋 you", caret: 5 });
  assert.equal(replaceCode(english, ":not-a-code:", 12), undefined);
  assert.equal(replaceCode(english, "at 10:100:", 10), undefined);
  assert.ok(endsCode(":x:", 3) && !endsCode(":x: ", 4) && !endsCode("a:x:", 4));
});

test("a choice replaces what is typed, with one space behind it; five are offered", () => {
  const offer = (text, caret) => listChoices(findEmoji(english, readCode(text, caret)), text, caret);
  const [{ sign, title, help, text, caret }] = offer("hi :wav you", 7);
  assert.deepEqual([sign, title, help], ["👋", ":wave:", "waving hand"]);
  assert.equal(text, "hi 👋 you");
  assert.equal(text.slice(0, caret), "hi 👋 ");
  assert.equal(offer(":he", 3).length, 5);
});
