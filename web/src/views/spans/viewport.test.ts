import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clamped, clockText, gaps, niceStep, parseClock, sampleAt, sampleOf, secondsAt, showing, ticks, xOf, zoomed, type Segment,
} from "./viewport.ts";

const SEGMENTS: Segment[] = [[0, 1000, 5, 100], [1000, 3000, 60, 100]];

test("a page stays within the recording and keeps whole samples", () => {
  assert.deepEqual(clamped({ start: -7.4, length: 99.6, width: 10 }, 1000), { start: 0, length: 100, width: 10 });
  assert.deepEqual(clamped({ start: 980, length: 100, width: 10 }, 1000), { start: 900, length: 100, width: 10 });
  assert.deepEqual(clamped({ start: 3, length: 5000, width: 10 }, 1000), { start: 0, length: 1000, width: 10 });
  assert.equal(clamped({ start: 3, length: 1, width: 10 }, 1000).length, 16);
});

test("zooming keeps the sample under the pointer", () => {
  const view = { start: 5000, length: 1000, width: 800 };
  for (const x of [0, 200, 800]) {
    for (const factor of [0.5, 0.9, 2]) {
      const after = zoomed(view, factor, x, 100_000);
      assert.ok(Math.abs(sampleAt(after, x) - sampleAt(view, x)) <= 1.5);
    }
  }
  assert.equal(xOf(view, sampleAt(view, 333)), 333);
});

test("a span is shown without moving a page that holds it", () => {
  const view = { start: 1000, length: 1000, width: 800 };
  assert.equal(showing(view, 1200, 1300, 10_000), view);
  const moved = showing(view, 5000, 5100, 10_000);
  assert.deepEqual([moved.start, moved.length], [4550, 1000]);
  const long = showing(view, 5000, 8000, 10_000);
  assert.ok(long.start < 5000 && long.start > 4500 && long.length === 1000);
});

test("time follows the clock over gaps", () => {
  assert.equal(secondsAt(SEGMENTS, 999), 14.99);
  assert.equal(secondsAt(SEGMENTS, 1000), 60);
  for (const sample of [0, 17, 999, 1000, 2999]) assert.equal(sampleOf(SEGMENTS, secondsAt(SEGMENTS, sample)), sample);
  assert.equal(sampleOf(SEGMENTS, 30), 1000);
  assert.equal(sampleOf(SEGMENTS, 1e9), 2999);
  const view = { start: 500, length: 1000, width: 1000 };
  assert.deepEqual(gaps(view, SEGMENTS), [{ x: 500, missing_s: 45 }]);
  const marks = ticks(view, SEGMENTS, 200);
  assert.deepEqual(marks.map((mark) => mark.text), ["0:10", "0:12", "0:14", "1:00", "1:02", "1:04"]);
  for (const mark of marks) assert.ok(mark.x >= 0 && mark.x <= 1000);
});

test("times are written and read alike", () => {
  assert.equal(clockText(3723), "1:02:03");
  assert.equal(clockText(3.25, 0.05), "0:03.25");
  assert.equal(clockText(59.999, 1), "1:00");
  assert.equal(clockText(-2, 1), "-0:02");
  for (const seconds of [0, 61, 3723, 86_399]) assert.equal(parseClock(clockText(seconds)), seconds);
  assert.equal(parseClock("1:30.5"), 90.5);
  for (const wrong of ["", "a", "1:2:3:4", "-3", "1:"]) assert.equal(parseClock(wrong), undefined);
});

test("steps are those of a clock", () => {
  assert.deepEqual([0.0003, 0.012, 0.2, 0.4, 0.7, 3, 40, 100_000].map(niceStep), [0.0005, 0.02, 0.2, 0.5, 1, 5, 60, 172_800]);
});
