import assert from "node:assert/strict";
import { test } from "node:test";
import { KEY_MAPS, keyMap, taskKeys } from "./keymaps.ts";
import { normaliseKey } from "./keys.ts";

test("no map gives one key to two commands of one desk", () => {
  for (const [name, keys] of Object.entries(KEY_MAPS)) {
    const rodent = name === "sleep" ? ["class-R"] : []; // REM of people and of rodents is one key
    const used = Object.entries(keys).filter(([command]) => !rodent.includes(command)).map(([, key]) => normaliseKey(key));
    assert.equal(new Set(used).size, used.length, name);
  }
});

test("keys are written as a key press is read", () => {
  for (const keys of Object.values(KEY_MAPS)) {
    for (const key of Object.values(keys)) assert.equal(normaliseKey(key), key);
  }
});

test("an unknown map is none, also under the name of a method of objects", () => {
  assert.equal(keyMap("vim"), undefined);
  assert.equal(keyMap("toString"), undefined);
  assert.deepEqual(keyMap("nissl"), {});
  assert.equal(keyMap("phy")?.merge, "g");
});

test("desks of sleep have the scorer's keys, others none", () => {
  assert.equal(taskKeys("sleep")["class-W"], "w");
  assert.equal(taskKeys("sleep")["class-N2"], "2");
  assert.deepEqual(taskKeys("events"), {});
  assert.deepEqual(taskKeys("toString"), {});
});
