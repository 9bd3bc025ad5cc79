import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "../view.ts";
import { keyName, Keys, normaliseKey } from "./keys.ts";

const press = (key: string, more: Partial<KeyboardEvent> = {}) =>
  keyName({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
const command = (name: string, key?: string): Command => ({ name, help: "", run: () => undefined, ...(key ? { key } : {}) });

test("one name for one key press", () => {
  assert.equal(press(" "), "Space");
  assert.equal(press(" ", { shiftKey: true }), "Shift+Space");
  assert.equal(press("Z", { ctrlKey: true, shiftKey: true }), "Ctrl+Shift+z");
  assert.equal(press("z", { metaKey: true }), "Ctrl+z");
  assert.equal(press("?", { shiftKey: true }), "?", "where a sign lies on the keyboard does not matter");
  assert.equal(press("ArrowUp", { shiftKey: true }), "Shift+ArrowUp");
});

test("what a person writes is what a press says", () => {
  for (const [written, name] of [["ctrl+Z", "Ctrl+Shift+z"], ["Cmd+y", "Ctrl+y"], ["shift+Space", "Shift+Space"], ["+", "+"], ["Ctrl++", "Ctrl++"], ["a", "a"]] as const) {
    assert.equal(normaliseKey(written), name);
    assert.equal(normaliseKey(name), name, "naming twice changes nothing");
  }
});

test("a reader's own key wins over any default, and frees the old one", () => {
  const keys = new Keys();
  keys.add("shell", [command("accept", "Space"), command("help", "?")]);
  const forget = keys.add("view", [command("merge", "g"), command("play", "Space")]);
  assert.equal(keys.find("Space")?.name, "play", "the view's key hides the shell's");
  assert.equal(keys.keyOf("accept"), undefined);
  keys.mapping.value = { accept: "Space", merge: "m" };
  assert.equal(keys.find("Space")?.name, "accept");
  assert.equal(keys.find("g"), undefined);
  assert.equal(keys.find("m")?.name, "merge");
  forget();
  assert.equal(keys.find("m"), undefined);
  keys.mapping.value = { help: "" };
  assert.equal(keys.find("?"), undefined);
});

test("keys of a task lie under the reader's own and over the defaults", () => {
  const keys = new Keys();
  keys.add("shell", [command("why", "w"), command("note", "n"), command("class-W", "1"), command("class-N1", "2")]);
  keys.ofTask.value = { "class-W": "w", "class-N1": "1", why: "Shift+w" };
  assert.equal(keys.find("w")?.name, "class-W");
  assert.equal(keys.find("1")?.name, "class-N1");
  assert.equal(keys.find("Shift+w")?.name, "why");
  assert.equal(keys.find("2"), undefined);
  keys.mapping.value = { note: "w" };
  assert.equal(keys.find("w")?.name, "note", "the reader's key is the reader's");
  assert.equal(keys.keyOf("class-W"), undefined);
  keys.mapping.value = {};
  keys.ofTask.value = {};
  assert.equal(keys.find("w")?.name, "why");
});
