import assert from "node:assert/strict";
import { test } from "node:test";
import { inside, selectInside } from "./lasso.ts";

test("points of a square, in any order of its corners", () => {
  const corners = [[0, 0], [2, 0], [2, 2], [0, 2]];
  for (let turn = 0; turn < 4; turn++) {
    for (const path of [corners, [...corners].reverse()]) {
      const polygon = [...path.slice(turn), ...path.slice(0, turn)].flat();
      assert.ok(inside(polygon, 1, 1));
      assert.ok(!inside(polygon, 3, 1));
      assert.deepEqual(selectInside(polygon, [1, 3, 0.5, -1, Number.NaN], [1, 1, 1.9, 1, 1]), [0, 2]);
    }
  }
});

test("a notch is outside, a line holds nothing", () => {
  const notched = [0, 0, 4, 0, 4, 4, 2, 1, 0, 4];
  assert.ok(!inside(notched, 2, 3));
  assert.ok(inside(notched, 1, 1));
  assert.deepEqual(selectInside([0, 0, 5, 5], [1, 2], [1, 2]), []);
});
