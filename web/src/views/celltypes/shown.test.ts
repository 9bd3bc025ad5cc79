import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exemplar } from "./data.ts";
import { chosen } from "./shown.ts";

const exemplars = ["PV", "SST", "VIP", "pyramidal"].map((name) => ({ name }) as Exemplar);
const names = (compared: string | null, chances: Map<string, number> | null) =>
  chosen(exemplars, compared, chances, () => "#000000").map((one) => one.exemplar.name);

test("the class compared with comes first, then the likeliest", () => {
  assert.deepEqual(names("VIP", new Map([["SST", 0.5], ["pyramidal", 0.3], ["PV", 0.1]])), ["VIP", "SST", "pyramidal"]);
});

test("where answers are hidden all classes are drawn, in no order that tells", () => {
  assert.deepEqual(names(null, null), ["PV", "SST", "VIP", "pyramidal"]);
  assert.equal(chosen(exemplars, null, null, () => "").some((one) => one.band), false);
});
