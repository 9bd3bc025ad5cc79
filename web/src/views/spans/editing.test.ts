import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command, DeskInfo, DraftEdit } from "../../view.ts";
import { Editor } from "./editing.ts";
import { SpanTable } from "./spantable.ts";

function bench(selected: number | null = 1, blind = false) {
  const decided: DraftEdit[] = [];
  const said: string[] = [];
  const stored: unknown[] = [];
  let commands: Command[] = [];
  const at = { cursor: 0 };
  const span = (item: number, start: number, stop: number) => ({ item, start, stop, label: 1, confidence: 0.5, channel: -1, state: 0 });
  const table = SpanTable.of([span(1, 100, 200), span(2, 300, 400), span(-1, 500, 600)]);
  const vocabulary = [{ name: "spindle", colour: "#111111", key: "1" }, { name: "seizure", colour: "#222222", key: "2" }];
  const editor = new Editor({
    context: {
      desk: { vocabulary } as DeskInfo, blind: () => blind, announce: (text) => said.push(text), decide: (edits) => decided.push(...edits),
      keys: { add: (_, added) => { commands = added; return () => { commands = []; }; }, keyOf: (name) => (name === "class-seizure" ? "q" : undefined) },
    },
    store: { move: (...all) => stored.push(["move", ...all]), create: (...all) => stored.push(["create", ...all]), remove: (item) => stored.push(["remove", item]) },
    n: () => 1000, own: () => table, selected: () => selected, cursor: () => at.cursor, changed: () => undefined,
  });
  const press = (key: string): void => void commands.find((command) => command.key === key)!.run("");
  return { editor, decided, said, stored, at, press, commands: () => commands };
}

test("an edge of the selected span goes to the cursor, never past the other edge", () => {
  const { editor, decided, said, at } = bench();
  at.cursor = 150;
  editor.edge("start");
  assert.deepEqual(decided.map(({ kind, items, payload }) => ({ kind, items, payload })), [{ kind: "move", items: [1], payload: { start: 150, stop: 200 } }]);
  at.cursor = 90;
  editor.edge("stop");
  assert.equal(decided.length, 1);
  assert.match(said.at(-1)!, /before the beginning/);
});

test("what is dragged is decided once, when it is let go, and not where nothing changed", () => {
  const { editor, decided, stored } = bench();
  for (const stop of [210, 230, 99_999]) editor.stretch(2, 300, stop);
  assert.equal(decided.length, 0);
  assert.equal(editor.draft?.stop, 1000);
  editor.settle();
  assert.deepEqual(stored, [["move", 2, 300, 1000]]);
  editor.stretch(2, 300, 400);
  editor.settle();
  assert.equal(decided.length, 1);
  assert.equal(editor.draft, null);
});

test("a new span waits for its class; the reader's own class keys choose it", () => {
  const { editor, decided, press, commands, at } = bench();
  editor.begin(-20, 40);
  assert.deepEqual([editor.draft?.start, editor.draft?.stop], [0, 40]);
  assert.deepEqual(commands().map((command) => command.key), ["Enter", "Escape", "1", "q"]);
  at.cursor = 60;
  editor.edge("stop");
  press("q");
  assert.deepEqual(decided.map(({ kind, payload }) => ({ kind, payload })), [{ kind: "add", payload: { rows: [{ start: 0, stop: 60, label: "seizure" }] } }]);
  assert.equal(commands().length, 0);
  editor.begin(10, 20);
  press("Enter");
  assert.equal((decided[1]!.payload!.rows as Array<{ label: string }>)[0]!.label, "seizure");
  editor.begin(10, 20);
  press("Escape");
  assert.deepEqual([editor.draft, decided.length, commands().length], [null, 2, 0]);
});

test("what is not saved yet is not moved, what is not there not removed, blind answers say so", () => {
  const { editor, decided, said } = bench(null);
  editor.move(-1, 1, 2);
  assert.match(said.at(-1)!, /still being saved/);
  editor.remove(-1);
  editor.remove(77);
  editor.remove(null);
  editor.edge("start");
  assert.equal(decided.length, 0);
  const hidden = bench(1, true);
  hidden.editor.create(5, 9, 0);
  assert.equal(hidden.decided[0]!.payload!.blind, true);
});
