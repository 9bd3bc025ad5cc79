import assert from "node:assert/strict";
import { test } from "node:test";
import { readCut } from "./commands.ts";

test("a threshold in words is a cut", () => {
  assert.deepEqual(readCut("amplitude < -120"), { x: "amplitude", threshold: -120, above: false });
  assert.deepEqual(readCut("Depth>3.5e2"), { x: "depth_um", threshold: 350, above: true });
});

test("anything else is not", () => {
  for (const text of ["", "amplitude", "amplitude < ", "weight > 3", "amplitude < 3 or", "amplitude <= 3", "1 > 2"]) {
    assert.equal(readCut(text), undefined, text);
  }
});
