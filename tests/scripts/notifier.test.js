import assert from "node:assert/strict";
import test, { beforeEach, mock } from "node:test";

import { NotificationChoices } from "../../pages/elements/notifications/notification_choices.js";
import { Notifier } from "../../pages/elements/notifications/notifier.js";

let storage, choices, log;

class Storage {
  #items = new Map();
  getItem(key) {
    return this.#items.get(key) ?? null;
  }
  setItem(key, value) {
    this.#items.set(key, value);
  }
}

function createNotifier(tab = "") {
  return new Notifier({
    storage,
    choices,
    chime: () => log.push(`${tab}chime`),
    show({ room, seq }, isOpen) {
      log.push(`${tab}${room} ${seq}${isOpen ? " open" : ""}`);
      return { close: () => log.push(`${tab}closed ${seq}`) };
    },
  });
}

const message = (seq, others) => ({ room: "tea", seq, ...others });
const mention = (seq, others) => message(seq, { mentions: true, ...others });

function takeLog() {
  mock.timers.tick(1_000);
  return log.splice(0);
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  storage = new Storage();
  choices = new NotificationChoices(storage);
  log = [];
});

test("without a choice only mentions are notified of, in silence and without a text", () => {
  const notifier = createNotifier();
  notifier.add(message(1));
  notifier.add(mention(2));
  notifier.add(message(3));
  assert.deepEqual(takeLog(), ["tea 2"]);
});

test("each room has its choices", () => {
  const notifier = createNotifier();
  choices.write("tea", { level: "all", shows_text: true });
  choices.write("tea", { sound: true });
  choices.write("bar", { level: "none" });
  notifier.add(message(1));
  notifier.add({ ...mention(1), room: "bar" });
  assert.deepEqual(takeLog(), ["chime", "tea 1 open"]);
});

test("of several messages the newest is notified of, which replaces those before", () => {
  const notifier = createNotifier();
  for (const seq of [1, 3, 2]) notifier.add(mention(seq));
  assert.deepEqual(takeLog(), ["tea 3"]);
  notifier.add(mention(4));
  assert.deepEqual(takeLog(), ["closed 3", "tea 4"]);
});

test("a message is notified of by one tab, and by none if another one shows it", () => {
  const [one, other] = [createNotifier("one "), createNotifier("other ")];
  for (const tab of [one, other]) tab.add(mention(1));
  assert.deepEqual(takeLog(), ["one tea 1"]);
  for (const tab of [one, other]) tab.add(mention(2));
  other.see("tea", 2);
  assert.deepEqual(takeLog(), []);
  one.see("tea", 2);
  assert.deepEqual(takeLog(), ["one closed 1"]);
});

test("what is deleted or has come to its end is taken back, or not shown at all", () => {
  const notifier = createNotifier();
  notifier.add(mention(1));
  notifier.withdraw("tea", 1);
  notifier.add(mention(2, { until: 400 }));
  assert.deepEqual(takeLog(), []);
  notifier.add(mention(3, { until: 2_500 }));
  assert.deepEqual(takeLog(), ["tea 3"]);
  assert.deepEqual(takeLog(), ["closed 3"]);
  notifier.add(mention(4));
  assert.deepEqual(takeLog(), ["tea 4"]);
  notifier.withdraw("tea", 3);
  notifier.withdraw("tea", 4);
  assert.deepEqual(takeLog(), ["closed 4"]);
});

test("choices and seen messages of 100 rooms are kept", () => {
  const notifier = createNotifier();
  for (let number = 0; number < 101; number += 1) {
    choices.write(`room ${number}`, { level: "all" });
    notifier.see(`room ${number}`, 1);
  }
  assert.equal(choices.read("room 0").level, "mentions");
  assert.equal(choices.read("room 100").level, "all");
  assert.equal(Object.keys(JSON.parse(storage.getItem("notified"))).length, 100);
});
