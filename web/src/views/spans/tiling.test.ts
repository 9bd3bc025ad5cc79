import assert from "node:assert/strict";
import { test } from "node:test";
import { type Span, SpanTable } from "./spantable.ts";
import { seenOn } from "./surface.ts";
import { disagreeing, isTiling, pageOf, rowsOf } from "./tiling.ts";

const span = (start: number, stop: number, label = 0): Span => ({ item: start, start, stop, label, confidence: 0.5, channel: -1, state: 0 });
const epochs = (labels: readonly number[], length = 10): SpanTable => SpanTable.of(labels.map((label, k) => span(k * length, (k + 1) * length, label)));

test("epochs tile a recording, also with a gap; events and overlaps do not", () => {
  const many = Array.from({ length: 40 }, (_, k) => span(k * 10 + (k > 20 ? 500 : 0), k * 10 + 10 + (k > 20 ? 500 : 0)));
  assert.equal(isTiling(SpanTable.of(many)), true);
  assert.equal(isTiling(SpanTable.of(many.map((each) => ({ ...each, stop: each.stop - 3 })))), false);
  assert.equal(isTiling(SpanTable.of(many.map((each) => ({ ...each, stop: each.stop + 3 })))), false);
  assert.equal(isTiling(SpanTable.of(many.slice(0, 5))), false);
});

test("pages begin at every k-th epoch", () => {
  const view = { start: 0, length: 300, width: 600 };
  assert.deepEqual(pageOf(view, [20, 100], { start: 520, stop: 620 }, 9999), { start: 320, length: 300, width: 600 });
  assert.deepEqual(pageOf({ ...view, length: 100 }, [20, 100], { start: 520, stop: 620 }, 9999), { start: 520, length: 100, width: 600 });
  const odd = pageOf({ ...view, length: 250 }, [20, 100], { start: 520, stop: 620 }, 9999);
  assert.ok(odd.start <= 520 && odd.start + odd.length >= 620, "a page of no whole epochs only shows the span");
});

test("rows of a hypnogram go from waking to deep sleep; other classes keep their order", () => {
  assert.deepEqual(rowsOf(["W", "N1", "N2", "N3", "R", "unknown"]), [0, 4, 1, 2, 3]);
  assert.deepEqual(rowsOf(["W", "NREM", "REM", "unknown"]), [0, 2, 1]);
  assert.deepEqual(rowsOf(["run", "rest"]), [0, 1]);
});

test("who differs is found by what covers the middle of an epoch, whatever its length", () => {
  const names = ["W", "N2", "unknown"];
  const own = epochs([0, 0, 1, 1]);
  const other = SpanTable.of([span(0, 20, 0), span(20, 30, 0), span(30, 40, 2)]);
  const nameOf = (table: SpanTable) => (row: number) => names[table.label(row)] ?? null;
  const found = disagreeing(own, nameOf(own), [{ table: other, nameOf: nameOf(other) }]);
  assert.deepEqual([...found], [0, 0, 1, 0], "who cannot tell does not differ");
  assert.deepEqual([...disagreeing(own, () => null, [{ table: other, nameOf: nameOf(other) }])], [0, 0, 0, 0]);
});

test("stages are told from the ground, light or dark; what is seen already stays", () => {
  assert.equal(seenOn("#ffffff", "#0072b2"), "#0072b2");
  assert.notEqual(seenOn("#1b2128", "#30307a"), "#30307a");
  assert.match(seenOn("#1b2128", "#30307a"), /^#[0-9a-f]{6}$/);
});
