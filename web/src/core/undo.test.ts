import assert from "node:assert/strict";
import { test } from "node:test";
import { targetsOf, toEdits, undoEdits } from "./deciding.ts";
import type { EditJson } from "./wire.ts";
import type { Step } from "./undo.ts";
import { UndoStack } from "./undo.ts";
import type { DeskInfo } from "../view.ts";

const desk = { key: "base", classes: "classes" } as DeskInfo;
const moment = { reviewer: "Ada", when_s: 1, took_s: null };
let count = 0;
const uuid = () => `u${count++}`;

/** Names that stand after all, as the journal replays them: backwards, an undone undo does nothing. */
function standing(journal: EditJson[]): string[] {
  const undone = new Set<string>(), kept: string[] = [];
  for (const edit of [...journal].reverse()) {
    if (undone.has(edit.uuid) || (edit.group !== null && undone.has(edit.group))) continue;
    if (edit.kind === "undo") undone.add(String(edit.payload.target));
    else kept.push(edit.uuid);
  }
  return kept.reverse();
}

test("any walk of decisions, undos and redos leaves what an editor would leave", () => {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let walk = 0; walk < 50; walk++) {
    const journal: EditJson[] = [], stack = new UndoStack();
    let text: string[][] = [], redo: string[][] = [];
    for (let i = 0; i < 40; i++) {
      const dice = random();
      if (dice < 0.5) {
        const two = random() < 0.3;
        const drafts = [{ kind: "accept" as const, items: [i] }, ...(two ? [{ kind: "reject" as const, items: [i], base: "classes" }] : [])];
        const edits = toEdits(desk, drafts, moment, uuid);
        journal.push(...edits);
        stack.push({ targets: targetsOf(edits), label: "", at: null, structure: false });
        text.push(edits.map((edit) => edit.uuid));
        redo = [];
      } else if (dice < 0.8) {
        stack.undo((step) => {
          const edits = undoEdits(step.targets, moment, uuid);
          journal.push(...edits);
          return targetsOf(edits);
        });
        if (text.length) redo.push(text.pop()!);
      } else {
        const step: Step | undefined = stack.redo();
        if (step) journal.push(...undoEdits(step.undoneBy ?? [], moment, uuid));
        if (redo.length) text.push(redo.pop()!);
      }
      assert.deepEqual(standing(journal), text.flat());
    }
  }
});

test("steps of an earlier page lie below, newest first in the journal's answer", () => {
  const stack = new UndoStack();
  const entry = (target: string) => ({ target, bases: ["base", "classes"], text: target, when_s: 0, items: [] });
  stack.push({ targets: [{ base: "base", target: "mine" }], label: "mine", at: null, structure: false });
  stack.load([entry("mine"), entry("second"), entry("first")], []);
  assert.deepEqual(stack.done.value.map((step) => step.label), ["first", "second", "mine"]);
  assert.equal(stack.done.value[0]!.targets.length, 2, "an undo is needed on each set");
});

test("a refused step never happened", () => {
  const stack = new UndoStack();
  stack.push({ targets: [{ base: "base", target: "a" }], label: "a", at: null, structure: false });
  stack.push({ targets: [{ base: "base", target: "b" }], label: "b", at: null, structure: false });
  assert.deepEqual(stack.drop(new Set(["a"])).map((step) => step.label), ["a"]);
  assert.deepEqual(stack.done.value.map((step) => step.label), ["b"]);
});
