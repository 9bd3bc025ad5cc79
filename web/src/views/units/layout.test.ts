import assert from "node:assert/strict";
import { test } from "node:test";
import { layout } from "./layout.ts";

test("channels keep their order on the probe, the tip below", () => {
  const { at } = layout([[0, 0], [32, 0], [0, 20], [32, 20]], 4, 200, 300);
  assert.ok(at[0]![0] < at[1]![0] && at[2]![0] < at[3]![0]);
  assert.ok(at[0]![1] > at[2]![1] && at[1]![1] > at[3]![1]);
  for (const [x, y] of at) assert.ok(x > 0 && x < 200 && y > 0 && y < 300);
});

test("without positions channels are stacked, the first on top", () => {
  const { at } = layout([null, [null, null], null], 3, 100, 100);
  assert.equal(new Set(at.map(([x]) => x)).size, 1);
  assert.ok(at[0]![1] < at[1]![1] && at[1]![1] < at[2]![1]);
});
