import assert from "node:assert/strict";
import { test } from "node:test";
import { Batcher, worthAsking } from "./batcher.ts";

test("what is wanted in one turn is one request, and is kept", async () => {
  const asked: number[][] = [];
  const batcher = new Batcher(async (keys) => {
    asked.push(keys);
    return keys.map((key) => 10 * key);
  });
  assert.deepEqual(await Promise.all([3, 1, 3, 2].map((key) => batcher.get(key))), [30, 10, 30, 20]);
  assert.equal(await batcher.get(1), 10);
  assert.deepEqual(asked, [[3, 1, 2]]);
});

test("one that is gone does not take the others with it, and is asked again", async () => {
  let gone = true;
  const batcher = new Batcher(async (keys) => {
    if (gone && keys.includes(2)) throw new Error("gone");
    return keys;
  });
  const found = await Promise.allSettled([1, 2, 3].map((key) => batcher.get(key)));
  assert.deepEqual(found.map((one) => one.status), ["fulfilled", "rejected", "fulfilled"]);
  gone = false;
  assert.equal(await batcher.get(2), 2);
});

test("only so many answers are kept", async () => {
  let n = 0;
  const batcher = new Batcher(async (keys) => keys.map(() => n++), 2);
  assert.equal(await batcher.get(1), 0);
  await batcher.get(2);
  await batcher.get(3);
  assert.equal(await batcher.get(1), 3);
});

test("what is wanted later waits until it is worth a request", () => {
  const has = (known: number) => (key: number) => key < known;
  const ahead = Array.from({ length: 20 }, (_, k) => k);
  assert.deepEqual(worthAsking(ahead, has(15)), []);
  assert.deepEqual(worthAsking(ahead, has(12)), ahead.slice(12));
  assert.deepEqual(worthAsking(ahead.slice(0, 4), has(3)), [3]);
  assert.deepEqual(worthAsking(ahead, has(20)), []);
});
