import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCEPTED, CHANGED, Grid, HIDDEN, LEAST, NOTHING, UNKNOWN, UNSURE, Walk, sureness } from "./grid.ts";

const code = (confidence: number) => LEAST + Math.round(confidence * (255 - LEAST));
const grid = (rows: number[][]) => new Grid(rows.map((_, row) => 10 + row), rows[0]!.length, Uint8Array.from(rows.flat()), new Uint8Array(rows.flat().length));

test("codes tell the confidence, or that there is none", () => {
  assert.equal(sureness(255), 1);
  assert.equal(sureness(LEAST), 0);
  assert.equal(sureness(UNKNOWN), null);
});

test("the worst volume has the most points that are likely wrong; decided ones do not count", () => {
  const found = grid([[code(0.9), code(0.2), NOTHING], [code(0.9), code(0.9), code(0.8)]]);
  assert.deepEqual(found.worst(), [1, 2, 0]);
  assert.ok(Math.abs(found.expected()[1]! - 0.9) < 0.01);
  found.set(10, 1, { said: CHANGED });
  assert.deepEqual(found.worst(), [2, 0, 1]);
  found.set(11, 1, { said: ACCEPTED });
  assert.deepEqual(found.worst(), [2, 0]);
  found.set(11, 2, { said: UNSURE });
  assert.ok(Math.abs(found.expected()[2]! - 0.8) < 0.01);
});

test("doubtful points come least sure first, without hidden, missing and decided ones", () => {
  const found = grid([[code(0.9), HIDDEN, code(0.1)], [NOTHING, code(0.3), code(0.5)]]);
  assert.deepEqual(found.doubts().slice(0, 2), [{ item: 10, frame: 2 }, { item: 11, frame: 1 }]);
  found.set(10, 2, { said: ACCEPTED });
  assert.deepEqual(found.doubts()[0], { item: 11, frame: 1 });
  const none = grid([[UNKNOWN, NOTHING]]);
  assert.deepEqual(none.doubts(), [{ item: 10, frame: 0 }]);
});

test("volumes that follow each other are asked once", () => {
  const rows = [Array.from({ length: 1000 }, (_, frame) => code(frame > 500 && frame < 506 ? 0.1 : 0.9))];
  const worst = grid(rows).worst();
  assert.ok(worst[0]! > 500 && worst[0]! < 506);
  assert.ok(worst.filter((frame) => frame > 500 && frame < 506).length <= 2);
});

test("a walk goes on to what is new and back to what was", () => {
  const walk = new Walk<number>(String);
  assert.equal(walk.next([5, 3]), 5);
  assert.equal(walk.next([5, 3]), 3);
  assert.equal(walk.back(), 5);
  assert.equal(walk.next([5, 3]), 3);
  assert.equal(walk.next([5, 3]), 5);
  assert.equal(new Walk<number>(String).back(), undefined);
});
