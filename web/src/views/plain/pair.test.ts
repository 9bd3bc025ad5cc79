import assert from "node:assert/strict";
import { test } from "node:test";
import { pairLayout } from "./pair.ts";

test("traces stand as their contacts lie, the deepest y at the bottom", () => {
  const layout = pairLayout([0, 0, 20, 10, 0, 20], 3, [[-50, 10, 1], [20, 0, 5]], 200, 90);
  const [a, b, c] = layout.places;
  assert.equal(a![0], c![0]);
  assert.ok(b![0] > a![0]);
  assert.ok(a![1] > b![1] && b![1] > c![1]);
  assert.ok(layout.scale * 50 <= 45);
});

test("contacts without places stand in one column", () => {
  const layout = pairLayout([NaN, NaN, NaN, NaN], 2, [[1, 2], [3, NaN]], 100, 100);
  assert.equal(new Set(layout.places.map(([x]) => x)).size, 1);
  assert.notEqual(layout.places[0]![1], layout.places[1]![1]);
});
