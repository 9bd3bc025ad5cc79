import assert from "node:assert/strict";
import { test } from "node:test";
import { sentence } from "./loop.ts";

test("the next volume is told with what it is expected to right", () => {
  const found = { frame: 1312, righted: 140.4, wrong: 1920, helped: 57, annotated: 3, calibrated: true };
  assert.equal(sentence(found), "Annotate volume 1,312 next: that is expected to right 140 of 1,920 wrong neuron-frames, in it and 57 volumes like it.");
  assert.match(sentence({ ...found, calibrated: false }), /no confidence/);
});
