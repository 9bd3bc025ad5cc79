import assert from "node:assert/strict";
import { test } from "node:test";
import { fitting } from "./explained.ts";

test("what the server is at is said as far as it is known", () => {
  assert.match(fitting("finding units again", 0.256), /\(finding units again, 26 %\)/);
  assert.match(fitting("finding units again", null), /\(finding units again\)\./);
  assert.doesNotMatch(fitting("", null), /\(/);
});
