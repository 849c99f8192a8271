import assert from "node:assert/strict";
import test from "node:test";

import { PendingRequest } from "../../pages/elements/live_list/list_window.js";

function pending(...packets) {
  const request = new PendingRequest();
  for (const packet of packets) request.receive(packet);
  return request;
}

test("a row of a response is replaced by a change received meanwhile, and keeps its place", () => {
  const request = pending({ put: [["7", null, "new"]] });
  assert.deepEqual(request.update(["7", 7, "old"]), ["7", 7, "new"]);
  assert.deepEqual(request.update(["8", 8, "other"]), ["8", 8, "other"]);
});

test("a row that was added and then changed meanwhile keeps its place", () => {
  const request = pending({ put: [["7", 7, "old"]] }, { put: [["7", null, "new"]] });
  assert.deepEqual(request.changes.get("7"), ["7", 7, "new"]);
});

test("a row that was removed meanwhile stays away whatever came before", () => {
  const request = pending({ put: [["7", null, "new"]] }, { drop: ["7"] });
  assert.equal(request.update(["7", 7, "old"]), null);
});
