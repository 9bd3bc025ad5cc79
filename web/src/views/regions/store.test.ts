import assert from "node:assert/strict";
import { test } from "node:test";
import type { NdArray } from "../../view.ts";
import { readCurves, readOutlines } from "./store.ts";

const outlines = (items: number[], pixels: number[][], weights: number[]): NdArray => {
  const ends = pixels.map((_, k) => pixels.slice(0, k + 1).flat().length);
  const head = Int32Array.from([...items, ...ends, ...pixels.flat()]);
  const whole = new Int32Array(head.length + weights.length);
  whole.set(head);
  new Float32Array(whole.buffer).set(weights, head.length);
  return { data: whole, shape: [whole.length], dtype: "int32", meta: { n: items.length } };
};

test("outlines are told apart by item, and each lies in the plane that holds most of it", () => {
  const found = readOutlines(outlines([4, 9], [[1, 2], [11, 25, 26, 27]], [0.5, 1, 2, 3, 4, 5]), 20);
  assert.deepEqual([...found.keys()], [4, 9]);
  assert.deepEqual([found.get(4)!.plane, [...found.get(4)!.pixels], [...found.get(4)!.weights]], [0, [1, 2], [0.5, 1]]);
  assert.deepEqual([found.get(9)!.plane, [...found.get(9)!.pixels], [...found.get(9)!.weights]], [1, [5, 6, 7], [3, 4, 5]]);
  assert.equal(readOutlines(outlines([], [], []), 20).size, 0);
});

test("curves come by name, with what is known of them", () => {
  const data = Float32Array.from([1, 2, 3, 4, 5, 6]);
  const meta = { lines: ["dff", "raw"], rate_hz: 15, origin: "movie", peaks: [1], read: 0.5, noise: 2, note: "so" };
  const curves = readCurves({ data, shape: [2, 3], dtype: "float32", meta });
  assert.deepEqual([...curves.lines.get("raw")!], [4, 5, 6]);
  assert.deepEqual([curves.n, curves.read, curves.noise, curves.coefficient, curves.note], [3, 0.5, 2, null, "so"]);
  const none = readCurves({ data: new Float32Array(), shape: [0, 0], dtype: "float32", meta: { origin: "none", rate_hz: 1 } });
  assert.deepEqual([none.n, none.read, none.peaks], [0, 1, []]);
});
