import assert from "node:assert/strict";
import { test } from "node:test";
import { ramp, scaleOf } from "./colours.ts";

test("a scale leaves the oddest values outside and never has no width", () => {
  const values = Array.from({ length: 101 }, (_, i) => i);
  values[100] = 1e9;
  assert.deepEqual(scaleOf(values), { low: 2, high: 98 });
  assert.deepEqual(scaleOf([3, 3]), { low: 2.5, high: 3.5 });
  assert.deepEqual(scaleOf([Number.NaN]), { low: 0, high: 1 });
});

test("the ramp grows lighter and says where nothing is known", () => {
  const light = (v: number) => ramp(v, { low: 0, high: 1 }).reduce((sum, one) => sum + one, 0);
  assert.ok(light(0) < light(0.5) && light(0.5) < light(1));
  assert.deepEqual(ramp(-5, { low: 0, high: 1 }), ramp(0, { low: 0, high: 1 }));
  assert.deepEqual(ramp(Number.NaN, { low: 0, high: 1 }), [150, 158, 166]);
});
