import assert from "node:assert/strict";
import { test } from "node:test";
import { colourOf, isLight, moved, sentence } from "./mapdata.ts";
import type { ErrorMap } from "./mapdata.ts";

test("arrow keys walk the map and stop at its edges", () => {
  assert.deepEqual(moved({ row: 0, column: 1 }, "ArrowUp", 3), { row: 0, column: 1 });
  assert.deepEqual(moved({ row: 0, column: 1 }, "ArrowDown", 3), { row: 1, column: 1 });
  assert.deepEqual(moved({ row: 0, column: 1 }, "End", 3), { row: 0, column: 2 });
  assert.equal(moved({ row: 0, column: 1 }, "x", 3), null);
});

test("colours: ends of the scales, and none where nothing is known", () => {
  assert.equal(colourOf("relative", null), null);
  assert.equal(colourOf("relative", -3), "rgb(68 1 84)");
  assert.equal(colourOf("relative", 1), "rgb(253 231 37)");
  assert.equal(colourOf("asymmetry", 0), "rgb(242 242 242)");
  assert.equal(colourOf("p", 0.01), "rgb(253 231 37)");
  assert.deepEqual([0, 0.4, 1].map((v) => isLight(colourOf("relative", v)!)), [false, false, true]);
  assert.equal(colourOf("p", 1), "rgb(68 1 84)");
});

test("a cell is told in the order that is shown", () => {
  const one = [[0.9, 0.2], [0.4, 0.8]];
  const map = { sources: ["a", "b"], order: [1, 0], values: { skill: one, low: one, high: one, relative: one, p: one } } as unknown as ErrorMap;
  assert.match(sentence(map, { row: 0, column: 1 }), /^a predicted from b: skill 0\.40/);
  assert.match(sentence(map, { row: 0, column: 0 }), /^b from its own other half/);
});
