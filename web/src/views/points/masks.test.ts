import assert from "node:assert/strict";
import { test } from "node:test";
import { edgesOf } from "./masks.ts";

const total = (edges: ReadonlyArray<readonly [number, number, number, number]>) =>
  edges.reduce((sum, [a, b, c, d]) => sum + Math.abs(c - a) + Math.abs(d - b), 0);

test("a rectangle has four edges, each one line", () => {
  const numbers = Uint16Array.from([0, 0, 0, 0, 0, 5, 5, 0, 0, 5, 5, 0, 0, 5, 5, 0]);
  const edges = edgesOf(numbers, 4, 4).get(5)!;
  assert.equal(edges.length, 4);
  assert.equal(total(edges), 2 * (2 + 3));
  assert.ok(edges.some((edge) => edge.join() === "1,1,3,1"));
  assert.ok(edges.some((edge) => edge.join() === "1,4,3,4")); // along the end of the picture
});

test("neighbours have the line between them both", () => {
  const edges = edgesOf(Uint16Array.from([1, 2]), 1, 2);
  assert.equal(total(edges.get(1)!), 4);
  assert.equal(total(edges.get(2)!), 4);
  assert.equal(edges.has(0), false);
});

test("a hole has its own outline", () => {
  const edges = edgesOf(Uint16Array.from([3, 3, 3, 3, 0, 3, 3, 3, 3]), 3, 3).get(3)!;
  assert.equal(total(edges), 12 + 4);
});
