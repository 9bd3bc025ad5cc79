import assert from "node:assert/strict";
import { test } from "node:test";
import { withColours } from "./colours.ts";
import { itemAddress, parseRoute } from "./router.ts";
import { DEFAULTS, readSettings } from "./settings.ts";
import type { DeskInfo } from "../view.ts";

test("every item has an address that leads back to it; nonsense leads to the queue", () => {
  const key = "ab".repeat(32);
  assert.deepEqual(parseRoute(itemAddress(key, 12)), { page: "review", desk: key, item: 12 });
  assert.deepEqual(parseRoute(`#/desk/${key}`), { page: "review", desk: key });
  assert.deepEqual(parseRoute("#/history"), { page: "history" });
  for (const hash of ["", "#/nowhere", "#/desk/../../etc", "#/desk/<script>/item/1"]) assert.deepEqual(parseRoute(hash), { page: "review" });
});

test("settings: what is malformed counts as not set", () => {
  assert.deepEqual(readSettings(null), DEFAULTS);
  assert.deepEqual(readSettings({ keys: { accept: "a", help: 3 }, theme: "pink", blind: "yes", policy: 1 }), { ...DEFAULTS, keys: { accept: "a" } });
  const own = { keys: { accept: "a" }, theme: "dark", blind: true, policy: "random" } as const;
  assert.deepEqual(readSettings(JSON.parse(JSON.stringify(own))), own);
});

test("classes without a colour get one of their own", () => {
  const vocabulary = ["good", "a", "b"].map((name) => ({ name, colour: name === "b" ? "#123456" : "", key: "" }));
  const colours = withColours({ vocabulary } as DeskInfo).vocabulary.map((entry) => entry.colour);
  assert.equal(new Set(colours).size, 3);
  assert.equal(colours[2], "#123456");
});
