import assert from "node:assert/strict";
import { test } from "node:test";
import { plainName } from "./names.ts";

test("a column's name without its unit", () => {
  assert.equal(plainName("trough_to_peak_ms", "ms"), "trough to peak");
  assert.equal(plainName("firing_rate_hz", "Hz"), "firing rate");
  assert.equal(plainName("cv2", ""), "cv2");
});
