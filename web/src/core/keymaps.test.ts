import assert from "node:assert/strict";
import { test } from "node:test";
import { KEY_MAPS, keyMap } from "./keymaps.ts";
import { normaliseKey } from "./keys.ts";

test("no map gives one key to two commands", () => {
  for (const [name, keys] of Object.entries(KEY_MAPS)) {
    const used = Object.values(keys).map(normaliseKey);
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
