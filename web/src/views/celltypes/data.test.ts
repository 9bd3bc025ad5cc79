import assert from "node:assert/strict";
import { test } from "node:test";
import type { NdArray } from "../../view.ts";
import { readExemplars, rowOf, spreadOf, templateOf } from "./data.ts";

const array = (shape: number[], values: number[]): NdArray => ({ data: Float32Array.from(values), shape, dtype: "float32", meta: {} });
const exemplar = { name: "PV", n: 4, waveform: [0, null, 1], waveform_sd: [1, 1, 1], acg: [1], acg3: null };

test("exemplars come with a mean on the map, or with their places", () => {
  const [told] = readExemplars({ classes: [{ ...exemplar, map: [1, 2], map_sd: [0.5, 0.25] }] });
  assert.deepEqual([told!.centre, told!.radius, told!.places], [[1, 2], [0.5, 0.25], []]);
  assert.ok(Number.isNaN(told!.waveform[1]));
  const [many] = readExemplars({ classes: [{ ...exemplar, map: [[0, 0], [2, 4]] }] });
  assert.deepEqual([many!.centre, many!.radius, many!.places.length], [[1, 2], [1, 2], 2]);
  const [none] = readExemplars({ classes: [{ ...exemplar, map: [] }] });
  assert.deepEqual([none!.centre, none!.radius], [null, null]);
  assert.deepEqual(readExemplars({}), []);
});

test("a row without a number is missing", () => {
  const two = array([2, 3], [1, NaN, 3, NaN, NaN, NaN]);
  assert.deepEqual(Array.from(rowOf(two, 0)!), [1, NaN, 3]);
  assert.equal(rowOf(two, 1), null);
  assert.equal(rowOf(null, 0), null);
});

test("channels without a waveform are left out; places may be unknown", () => {
  const template = array([1, 2, 3], [1, NaN, 3, 4, NaN, 6]);
  const made = templateOf(template, array([1, 3, 2], [0, 1, 5, 5, NaN, NaN]), 0)!;
  assert.deepEqual([made.nChannels, Array.from(made.data), made.places], [2, [1, 3, 4, 6], [[0, 1], null]]);
  assert.equal(templateOf(array([1, 2, 0], []), null, 0), null);
});

test("mean and spread of no place are unknown", () => {
  assert.deepEqual(spreadOf([]), [null, null]);
});
