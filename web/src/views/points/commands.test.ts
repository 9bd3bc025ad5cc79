import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsOf } from "./commands.ts";

test("every key of the view of tracks does one thing", () => {
  const keys = commandsOf({} as never, {} as never).flatMap((command) => command.key ?? []);
  assert.deepEqual(keys.filter((key, at) => keys.indexOf(key) !== at), []);
});
