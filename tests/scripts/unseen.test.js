import assert from "node:assert/strict";
import test from "node:test";

import { formatCount, Unseen } from "../../pages/elements/live_list/unseen.js";

const row = (order, until = 1_000) => ({ key: String(order), order, until });

function unseen(read, ...orders) {
  const found = new Unseen(read);
  for (const order of orders) found.add(row(order));
  return found;
}

const counts = (found, first, last) => [found.countBefore(row(first)), found.countAfter(row(last))];

test("messages after the read mark are counted above and below", () => {
  const found = unseen(2, 1, 2, 3, 4, 5, 6, 7);
  assert.deepEqual(counts(found, 1, 2), [0, 5]);
  found.see(row(3), row(4));
  assert.deepEqual(counts(found, 3, 4), [0, 3]);
  found.see(row(7), row(7));
  assert.deepEqual(counts(found, 7, 7), [2, 0]);
  assert.deepEqual(found.first, { key: "5", order: 5 });
});

test("messages that are loaded again are not counted again", () => {
  const found = unseen(0, 5, 6, 7);
  found.see(row(5), row(7));
  for (const order of [6, 5, 4]) found.add(row(order));
  assert.equal(found.size, 1);
  assert.deepEqual(found.first, { key: "4", order: 4 });
});

test("deleted and expired messages are not counted", () => {
  const found = unseen(0, 1, 2);
  found.add(row(3, 500));
  found.remove("1");
  assert.equal(found.expire(499), 500);
  assert.equal(found.size, 2);
  assert.equal(found.expire(500), 1_000);
  assert.deepEqual(counts(found, 0, 0), [0, 1]);
  assert.equal(found.expire(1_000), Infinity);
  assert.equal(found.first, undefined);
});

test("nothing is unseen without a read mark", () => {
  assert.equal(unseen(undefined, 1, 2).size, 0);
});

test("the number of unseen messages is bounded, and so is what is shown", () => {
  const found = unseen(0, ...Array.from({ length: 5_000 }, (_, index) => index + 1));
  assert.equal(found.size, 1_000);
  assert.deepEqual([1, 99, 100].map(formatCount), ["1", "99", "99+"]);
});
