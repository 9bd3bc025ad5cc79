import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, fittingScale, middles, nice, stepped, type TracePage } from "./tracepaint.ts";

function pageOf(rows: Array<Array<[number, number]>>, first = 0, bin_samples = 1): TracePage {
  return {
    values: Float32Array.from(rows.flat(2)), n_traces: rows.length, n_bins: rows[0]!.length, first, bin_samples,
    labels: rows.map((_, k) => String(k)), exact: true, notes: [],
  };
}

test("a column holds the range of its bins, joined to the column before", () => {
  const page = pageOf([[[0, 1], [5, 6], [-3, -2], [Number.NaN, Number.NaN], [9, 9]]], 0, 10);
  const low = new Float32Array(5);
  const high = new Float32Array(5);
  columnsOf(page, 0, { start: 0, length: 50, width: 5 }, 5, low, high);
  assert.deepEqual([...low], [0, 1, -3, Number.NaN, 9]);
  assert.deepEqual([...high], [1, 6, 5, Number.NaN, 9]);
});

test("no spike is lost when many bins share a column, wherever the page begins", () => {
  const bins = Array.from({ length: 1000 }, (_, k): [number, number] => [0, k === 437 ? 99 : 1]);
  const page = pageOf([bins], 0, 4);
  for (const start of [0, 333, 1200]) {
    const view = { start, length: 2000, width: 60 };
    const low = new Float32Array(60);
    const high = new Float32Array(60);
    columnsOf(page, 0, view, 60, low, high);
    assert.equal(Math.max(...high), 99);
    const at = Math.floor(((437 * 4 - start) / 2000) * 60);
    assert.equal(high[at], 99);
  }
});

test("a page shifted while its successor is fetched leaves the rest empty", () => {
  const page = pageOf([Array.from({ length: 10 }, (): [number, number] => [1, 2])], 0, 1);
  const low = new Float32Array(10);
  const high = new Float32Array(10);
  columnsOf(page, 0, { start: 5, length: 10, width: 10 }, 10, low, high);
  assert.deepEqual([...low].map(Number.isNaN), [false, false, false, false, false, true, true, true, true, true]);
});

test("the scale fits a typical trace and walks in clock-like steps", () => {
  const quiet = Array.from({ length: 100 }, (_, k): [number, number] => [-20 - (k % 3), 20]);
  assert.equal(fittingScale(pageOf([quiet, quiet, quiet])), 50);
  assert.deepEqual([...middles(pageOf([[[1, 3], [3, 5]], [[Number.NaN, Number.NaN], [7, 7]]]))], [3, 7]);
  let value = 1;
  const walk = Array.from({ length: 4 }, () => (value = stepped(value, true)));
  assert.deepEqual(walk, [2, 5, 10, 20]);
  assert.equal(stepped(stepped(50, true), false), 50);
  assert.equal(nice(0.13), 0.1);
});
