import assert from "node:assert/strict";
import { test } from "node:test";
import type { Columns } from "../../view.ts";
import { SpanTable, type Span } from "./spantable.ts";

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32);
}

function many(n: number, seed: number, long = 0): Span[] {
  const draw = random(seed);
  return Array.from({ length: n }, (_, item) => {
    const start = Math.floor(draw() * 100_000);
    const length = 1 + Math.floor(draw() * (draw() < long ? 50_000 : 60));
    return { item, start, stop: start + length, label: item % 3, confidence: 0.5, channel: -1, state: 0 };
  });
}

test("what is on a page is what meets it, whatever overlaps", () => {
  for (let seed = 0; seed < 20; seed++) {
    const spans = many(200, seed, 0.05);
    const table = SpanTable.of(spans);
    const start = seed * 4000;
    for (const stop of [start, start + 1, start + 500, start + 90_000]) {
      const found = table.visible(start, stop).map((row) => table.item(row)).sort((a, b) => a - b);
      const wanted = spans.filter((span) => span.start < stop && span.stop > start).map((span) => span.item);
      assert.deepEqual(found, wanted.sort((a, b) => a - b));
    }
  }
});

test("ten thousand spans become no more bars than the screen can show", () => {
  const table = SpanTable.of(many(10_000, 1));
  const bars = table.bars(0, 100_100, 1200);
  assert.equal(bars.reduce((sum, bar) => sum + bar.count, 0), 10_000);
  assert.ok(bars.length < 2400, `${bars.length} bars`);
  const page = table.bars(50_000, 500, 1200);
  assert.equal(page.length, table.visible(50_000, 50_500).length);
});

test("drawing a page of ten thousand spans costs less than a frame", () => {
  const table = SpanTable.of(many(10_000, 2));
  const began = performance.now();
  for (let k = 0; k < 100; k++) table.bars((k * 1000) % 90_000, 3000, 1200);
  assert.ok((performance.now() - began) / 100 < 4);
});

test("the next span is found from where one is, in both directions", () => {
  const table = SpanTable.of([10, 20, 20, 40].map((start, item) => ({
    item, start, stop: start + 5, label: 0, confidence: 1, channel: -1, state: 0,
  })));
  assert.equal(table.start(table.next(10, 1)!), 20);
  assert.equal(table.start(table.next(0, 1)!), 10);
  assert.equal(table.next(40, 1), undefined);
  assert.equal(table.start(table.next(40, -1)!), 20);
  assert.equal(table.next(10, -1), undefined);
});

test("what is not acknowledged is shown on top, until the server shows it", () => {
  const table = SpanTable.of(many(50, 3));
  const moved = { kind: "move", item: 7, start: 3, stop: 9, made_ms: 0 } as const;
  const added = { kind: "add", item: -1, start: 100, stop: 120, label: 2, made_ms: 0 } as const;
  const gone = { kind: "remove", item: 8, made_ms: 0 } as const;
  const shown = table.with([moved, added, gone]);
  assert.equal(shown.n, 50);
  assert.deepEqual([shown.get(7)?.start, shown.get(-1)?.label, shown.get(8)], [3, 2, undefined]);
  for (const change of [moved, added, gone]) {
    assert.equal(table.shows(change), false);
    assert.equal(shown.shows(change), true);
  }
  assert.equal(table.with([]), table);
});

test("an answer of the server is cut into its lanes", () => {
  const columns: Record<string, ArrayLike<number>> = {
    lane: Int32Array.of(0, 0, 2), item: Float64Array.of(4, 5, 9), start: Float64Array.of(1, 2, 3), stop: Float64Array.of(2, 3, 4),
    label: Int32Array.of(0, 1, -1), confidence: Float32Array.of(0.5, Number.NaN, 1), channel: Int32Array.of(-1, 2, -1), state: Int32Array.of(0, 1, 0),
  };
  const table = { n: 3, names: Object.keys(columns), numbers: (name: string) => columns[name]!, values: () => [], has: () => true } as Columns;
  const lanes = SpanTable.lanes(table, 3);
  assert.deepEqual(lanes.map((lane) => lane.n), [2, 0, 1]);
  assert.equal(lanes[0]!.get(5)?.channel, 2);
  assert.equal(lanes[2]!.at(0).label, -1);
});
