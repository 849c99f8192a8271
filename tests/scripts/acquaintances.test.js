import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";

import { Acquaintances } from "../../pages/elements/live_list/acquaintances.js";

const DAY = 86_400_000;
const TEXTS = { same: "same as {}", impostor: "new person, same name", fresh: "new here" };
const ann = { author: "a", name: "Ann", badge: "" };
const bob = { author: "b", name: "Bob", badge: "" };
let storage, now;

beforeEach(() => {
  const items = new Map();
  storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value) };
  now = 20_000 * DAY + DAY / 2;
});

const open = (room = "tea") => new Acquaintances({ storage, room, language: "en", texts: TEXTS, now: () => now });

// What is known of people who are met on a visit.
function visit(people, room) {
  const met = open(room);
  met.meet(people);
  return people.map((person) => met.describe(person));
}

test("nothing is known of people on the first visit, and who comes later is new", () => {
  const met = open();
  met.meet([ann]);
  met.meet([ann, bob]);
  assert.deepEqual([met.describe(ann), met.describe(bob)], ["", "new here"]);
  assert.deepEqual(visit([ann, bob]), ["", "new here"]);
  assert.deepEqual(visit([ann, bob], "bar"), ["", ""]);
});

test("people are the same as on the last day before", () => {
  visit([ann]);
  now += DAY;
  assert.deepEqual(visit([ann, bob]), ["same as yesterday", "new here"]);
  assert.deepEqual(visit([ann]), ["same as yesterday"], "also on the second visit of the day");
  now += 3 * DAY;
  assert.deepEqual(visit([ann]), ["same as 3 days ago"]);
});

test("another person with the name of one who was met is told apart", () => {
  const impostor = { ...ann, author: "x" };
  visit([ann]);
  assert.deepEqual(visit([impostor]), ["new person, same name"]);
  now += DAY;
  assert.deepEqual(visit([impostor, ann]), ["same as yesterday", "same as yesterday"]);
});

test("a badge proves that somebody is the same under another pseudonym", () => {
  visit([{ ...ann, badge: "1234" }]);
  now += DAY;
  const returned = { author: "x", name: "Ann", badge: "1234" };
  const impostor = { author: "y", name: "Ann", badge: "9999" };
  assert.deepEqual(visit([returned, impostor]), ["same as yesterday", "new person, same name"]);
});

test("what is stored names nobody", () => {
  visit([{ author: "author-1", name: "Somebody", badge: "badge-1" }], "room-1");
  for (const text of ["author-1", "Somebody", "badge-1", "room-1"]) assert(!storage.getItem("met").includes(text));
});

test("people are forgotten after 30 days, and with their room", () => {
  visit([ann]);
  now += 31 * DAY;
  assert.deepEqual(visit([bob]), ["new here"]);
  assert.deepEqual(visit([ann]), ["new here"]);
  open().forget();
  now += DAY;
  assert.deepEqual(visit([ann, bob]), ["", ""]);
});

test("50 rooms and 500 people are remembered, the latest", () => {
  for (let number = 0; number < 51; number += 1) visit([ann], `room ${number}`);
  now += DAY;
  assert.deepEqual(visit([ann], "room 0"), [""]);
  assert.deepEqual(visit([ann], "room 50"), ["same as yesterday"]);
  visit(Array.from({ length: 600 }, (_, number) => ({ author: `${number}`, name: `${number}`, badge: "" })));
  const { rooms } = JSON.parse(storage.getItem("met"));
  assert.equal(Object.values(rooms).flatMap((people) => Object.keys(people)).length, 500);
});

test("what other tabs have stored stays", () => {
  const [one, other] = [open("tea"), open("bar")];
  one.meet([ann]);
  other.meet([bob]);
  one.meet([ann]);
  now += DAY;
  assert.deepEqual([visit([ann], "tea"), visit([bob], "bar")], [["same as yesterday"], ["same as yesterday"]]);
});
