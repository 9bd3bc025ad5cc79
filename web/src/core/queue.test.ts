import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueueEntry } from "../view.ts";
import { LIMIT, Queue } from "./queue.ts";
import type { QueueAnswer } from "./wire.ts";

const entry = (item: number, more: Partial<QueueEntry> = {}): QueueEntry => ({
  desk: "d", item, proposed: null, reason: "", policy: "entropy", probability: 1, question: "q", blind: false, ...more,
});
const answer = (...items: number[]): QueueAnswer => ({
  total: items.length, done: 0, left: items.length, minutes_left: null, residual: null, policy: "entropy",
  entries: items.map((item) => entry(item)),
});
const items = (queue: Queue) => queue.entries.value.map((one) => one.item);
const none = () => false;

test("a fresh answer orders what is ahead and leaves the current item and those behind", () => {
  const queue = new Queue();
  queue.take(answer(1, 2, 3, 4), none);
  queue.next();
  queue.take(answer(4, 2, 3, 9), none);
  assert.deepEqual(items(queue), [1, 2, 4, 3, 9]);
  assert.equal(queue.current.value?.item, 2);
});

test("what is settled here is not asked again", () => {
  const queue = new Queue();
  queue.take(answer(1, 2, 3), (one) => one.item === 2);
  assert.deepEqual(items(queue), [1, 3]);
});

test("at the end there is no current item; more bring one", () => {
  const queue = new Queue();
  queue.take(answer(1), none);
  const current = () => queue.current.value?.item ?? null;
  assert.equal(queue.next(), false);
  assert.equal(current(), null);
  assert.equal(queue.next(), false);
  queue.take(answer(2), none);
  assert.equal(current(), 2);
  assert.ok(queue.back());
  assert.equal(current(), 1);
  assert.equal(queue.back(), false);
});

test("a visit leads back to the queue, and from one visit to the next", () => {
  const queue = new Queue();
  queue.take(answer(1, 2), none);
  queue.visit(entry(7));
  queue.visit(entry(8));
  assert.equal(queue.current.value?.item, 8);
  queue.next();
  assert.equal(queue.current.value?.item, 1);
  queue.next();
  queue.visit(entry(1, { policy: "visit" }));
  assert.equal(queue.cursor.value, 1, "the item before is gone back to, not copied");
  assert.equal(queue.current.value?.policy, "entropy");
});

test("more are fetched while there may be more", () => {
  const queue = new Queue();
  queue.take(answer(...Array.from({ length: LIMIT }, (_, i) => i)), none);
  assert.equal(queue.isShort, false);
  for (let i = 0; i < LIMIT / 2; i++) queue.next();
  assert.equal(queue.isShort, true);
  queue.clear();
  queue.take(answer(1, 2, 3), none);
  assert.equal(queue.isShort, false, "all that is left is here");
});
