import assert from "node:assert/strict";
import { test } from "node:test";
import { cividis, decades, duration, extent, lighter, linear, logarithmic, niceTicks, outlines, plain, smoothed } from "./plot.ts";

test("lags have ticks at powers of ten, with their units", () => {
  assert.deepEqual(decades(10 ** -2.98, 10 ** 0.98).map(duration), ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
  assert.deepEqual(decades(0.001, 1).map(duration), ["1 ms", "10 ms", "100 ms", "1 s"]);
  assert.equal(duration(0.9999), "1 s");
});

test("round ticks lie inside the range", () => {
  assert.deepEqual(niceTicks(-1, 0.45, 3), [-1, -0.5, 0]);
  assert.deepEqual(niceTicks(0, 2.6, 5), [0, 1, 2]);
  assert.deepEqual(niceTicks(0, 2.6, 6), [0, 0.5, 1, 1.5, 2, 2.5]);
  assert.deepEqual(niceTicks(1, 1, 4), []);
  assert.equal(plain(-0.5), "−0.5");
});

test("scales", () => {
  assert.equal(linear([0, 2], [10, 20])(1), 15);
  assert.equal(Math.round(logarithmic([0.001, 1], [0, 300])(0.01)), 100);
  assert.deepEqual(extent([1, NaN, 3], [-2]), [-2, 3]);
  assert.deepEqual(extent([NaN]), [0, 1]);
});

test("colours run from dark to bright, and stay colours", () => {
  const light = ([r, g, b]: [number, number, number]) => 0.3 * r + 0.59 * g + 0.11 * b;
  const steps = Array.from({ length: 21 }, (_, k) => light(cividis(k / 20)));
  assert.ok(steps.every((value, k) => k === 0 || value > steps[k - 1]!));
  assert.deepEqual(cividis(9), cividis(1));
  assert.deepEqual([lighter("#000000"), lighter("#ffffff"), lighter("red")], ["#555555", "#ffffff", "red"]);
});

test("an outline goes around a block of cells, not through it", () => {
  const mask = [false, true, true, false, false, true, true, false];
  const lines = outlines(mask, 2, 4);
  assert.equal(lines.length, 8);
  assert.ok(lines.every(([c0, , c1]) => !(c0 === 2 && c1 === 2)));
  assert.deepEqual(outlines([false], 1, 1), []);
});

test("a cell and its neighbours", () => {
  assert.deepEqual(smoothed([9, 0, 0, 0, 0, 0, 0, 0, 0], 3, 3), [2.25, 1.5, 0, 1.5, 1, 0, 0, 0, 0]);
});
