import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanTable } from "./spantable.ts";
import { colourScale, density, inkOn, nearestKnown, type Strip } from "./stripspaint.ts";

function strip(known: readonly number[], n_columns: number, exact: boolean): Strip {
  const values = new Uint8Array(2 * n_columns);
  for (const column of known) values[n_columns + column] = 7;
  return { values, n_rows: 2, n_columns, first: 0, column_samples: 10, top_hz: 40, label: "Cz", exact };
}

test("a sampled spectrogram lends columns to near neighbours only, a whole one to none", () => {
  assert.deepEqual([...nearestKnown(strip([1, 3], 5, true))], [-1, 1, -1, 3, -1]);
  const found = nearestKnown(strip([0, 50], 96, false));
  assert.deepEqual([found[4], found[5], found[45], found[46], found[54], found[55]], [0, -1, -1, 50, 50, -1]);
  assert.ok([...nearestKnown(strip([], 9, false))].every((column) => column === -1));
});

test("more power is never darker; nothing known is transparent", () => {
  const scale = colourScale();
  const light = [...scale].map((abgr) => 0.2126 * (abgr & 255) + 0.7152 * ((abgr >> 8) & 255) + 0.0722 * ((abgr >> 16) & 255));
  assert.equal(scale[0], 0);
  for (let value = 2; value < 256; value++) assert.ok(light[value]! >= light[value - 1]! - 0.51);
});

test("every span is counted once in the picture of the whole recording", () => {
  const spans = Array.from({ length: 500 }, (_, item) => ({ item, start: item * 20, stop: item * 20 + 5, label: item % 2, confidence: 1, channel: -1, state: 0 }));
  const table = SpanTable.of(spans);
  const lane = {
    name: "", own: true, rates: false, table, classOf: (code: number) => ({ name: "", colour: code ? "#fff" : "#000" }),
    stateOf: () => "untouched", codeOf: (index: number) => table.label(index),
  };
  const counts = density(lane, 10_000, 97);
  assert.deepEqual([...counts.keys()].sort(), ["#000", "#fff"]);
  assert.deepEqual([...counts.values()].map((column) => column.reduce((a, b) => a + b)), [250, 250]);
});

test("names are read on any colour", () => {
  assert.equal(inkOn("#f0e442"), "#0b0f13");
  assert.equal(inkOn("#003050"), "#ffffff");
});
