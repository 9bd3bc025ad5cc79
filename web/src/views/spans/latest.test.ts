import assert from "node:assert/strict";
import { test } from "node:test";
import { Latest } from "./latest.ts";

const never = (error: unknown): void => assert.fail(String(error));

function server() {
  const asked: number[] = [];
  const waiting = new Map<number, () => void>();
  const load = (query: number, signal: AbortSignal) => {
    asked.push(query);
    return new Promise<string>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      waiting.set(query, () => resolve(`page ${query}`));
    });
  };
  return { asked, load, answer: (query: number) => waiting.get(query)!() };
}

test("what is asked twice is fetched once, and kept", async () => {
  const { asked, load, answer } = server();
  const pages = new Latest(load, never);
  const both = [pages.want(1), pages.want(1)];
  answer(1);
  assert.deepEqual(await Promise.all(both), ["page 1", "page 1"]);
  assert.equal(pages.get(1), "page 1");
  await pages.want(1);
  assert.deepEqual(asked, [1]);
});

test("of the wishes that come while two are on their way only the newest is asked", async () => {
  const { asked, load, answer } = server();
  const pages = new Latest(load, never);
  const ahead = pages.prefetch(9);
  const wishes = [1, 2, 3, 4, 5].map((query) => pages.want(query));
  assert.deepEqual(asked, [9, 1, 2]);
  assert.equal(await wishes[2], undefined);
  answer(2);
  assert.equal(await wishes[1], "page 2");
  await new Promise((done) => setTimeout(done));
  assert.deepEqual(asked, [9, 1, 2, 5]);
  for (const query of [1, 5, 9]) answer(query);
  assert.deepEqual(await Promise.all([...wishes, ahead]), ["page 1", "page 2", undefined, undefined, "page 5", "page 9"]);
});

test("what is closed answers nobody", async () => {
  const { load } = server();
  const pages = new Latest(load, never);
  const wishes = [1, 2, 3].map((query) => pages.want(query));
  pages.clear();
  assert.deepEqual(await Promise.all(wishes), [undefined, undefined, undefined]);
});

test("failures are told once for what is wanted, never for what is prefetched", async () => {
  const told: unknown[] = [];
  const pages = new Latest(() => Promise.reject(new Error("gone")), (error) => told.push(error));
  assert.equal(await pages.prefetch(1), undefined);
  assert.equal(told.length, 0);
  assert.equal(await pages.want(2), undefined);
  assert.equal(told.length, 1);
});

test("only so many are kept, the least used go first", async () => {
  const pages = new Latest((query: number) => Promise.resolve(query), never, 2);
  await pages.want(1);
  await pages.want(2);
  await pages.want(1);
  await pages.want(3);
  assert.deepEqual([pages.get(1), pages.get(2), pages.get(3)], [1, undefined, 3]);
});
