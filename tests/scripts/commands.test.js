import assert from "node:assert/strict";
import test from "node:test";

import { findCommands, isCommand, unescapeSlash } from "../../pages/elements/composer/commands.js";

const FETCH = { name: "fetch", usage: "/fetch [times]", help: "Fetch dice." };
const RULES = { name: "fetch-rules", usage: "/fetch-rules", help: "Read the rules." };
const ALL = [FETCH, RULES, { name: "help", usage: "/help", help: "" }];

test("a text is read as a command as the server reads it", () => {
  for (const text of ["/roll", "/Roll 2 d6", "/r\nx"]) assert.ok(isCommand(text), text);
  for (const text of ["//roll", "/usr/bin", "/1", "roll", "/", "/ roll"]) assert.ok(!isCommand(text), text);
});

test("two slashes are one", () => {
  assert.deepEqual(["//x", "///x", "/x", "a//x"].map(unescapeSlash), ["/x", "//x", "/x", "a//x"]);
});

test("commands are found by the beginning of their name, while nothing follows it", () => {
  const find = (text) => findCommands(ALL, text).map(({ title }) => title.split(" ")[0].slice(1));
  assert.deepEqual(find("/"), ["fetch", "fetch-rules", "help"]);
  assert.deepEqual(find("/FE"), ["fetch", "fetch-rules"]);
  assert.deepEqual(find("/fetch"), ["fetch", "fetch-rules"]);
  for (const text of ["", "fetch", "/fetch ", "//fetch", "/x", "/fetch 2", "/\nfetch"]) assert.deepEqual(find(text), []);
});

test("a command with arguments is followed by a space", () => {
  assert.deepEqual(findCommands(ALL, "/fe").map(({ text }) => text), ["/fetch ", "/fetch-rules"]);
});

test("a name that is typed as a whole is known to be", () => {
  assert.deepEqual(findCommands(ALL, "/Fetch").map(({ isTyped }) => isTyped), [true, false]);
});
