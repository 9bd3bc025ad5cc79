import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptItem, decideClass, rejectItem, unsureItem } from "../decisions.ts";
import type { Columns, DeskInfo } from "../view.ts";
import { choose, prepare } from "./batch.ts";
import { DeskItems } from "./deskitems.ts";
import { parseFilter } from "./filter.ts";

const desk = {
  key: "base", classes: "classes", view: "units",
  vocabulary: [{ name: "good", colour: "", key: "1" }, { name: "mua", colour: "", key: "2" }, { name: "noise", colour: "", key: "3" }],
} as DeskInfo;

function columns(data: Record<string, unknown[]>): Columns {
  return {
    n: data.item!.length, names: Object.keys(data), has: (name) => name in data,
    numbers: (name) => data[name]!.map((value) => (value === null ? Number.NaN : Number(value))),
    values: (name) => data[name]!,
  };
}

function made() {
  const items = new DeskItems();
  items.load(columns({
    item: [10, 11, 12, 13], state: ["untouched", "untouched", "accepted", "untouched"],
    label: ["good", "mua", "good", null], proposed: ["good", "mua", "good", null],
    confidence: [0.99, 0.6, 0.97, null], class_item: [0, 1, 2, null], snr: [9, 2, 7, 1],
  }));
  let blind = false;
  return { items, context: { desk, state: (item: number) => items.get(item), blind: () => blind }, hide: () => { blind = true; } };
}

test("filters choose untouched items unless they speak of states", () => {
  const { items } = made();
  assert.deepEqual(choose(items, "confidence>0.95 label=good", []), [10]);
  assert.deepEqual(choose(items, "confidence>0.95 and state!=x", []), [10, 12]);
  assert.deepEqual(choose(items, "selection", [11, 12]), [11]);
  assert.deepEqual(choose(items, "selection snr<5", [10, 11, 13]), [11, 13]);
  assert.deepEqual(choose(items, "confidence<=1", []), [10, 11], "a missing value fits nothing");
});

test("a filter that says nothing, or of an unknown column, is refused", () => {
  const { items } = made();
  assert.throws(() => choose(items, "", []), /Expected a filter/);
  assert.throws(() => choose(items, "confidenc>0.9", []), /Expected a column/);
  assert.throws(() => parseFilter("good"), /Expected a condition/);
});

test("a batch is one edit per kind, with the error that the confidences imply", () => {
  const { items, context } = made();
  const bulk = prepare(context, items, [10, 11, 13], null);
  assert.deepEqual(bulk.items, [10, 11]);
  assert.equal(bulk.n_left_out, 1);
  assert.equal(bulk.drafts.length, 1);
  assert.deepEqual(bulk.drafts[0]!.items, [0, 1], "class decisions are on the classes' items");
  assert.ok(Math.abs(bulk.expected_error! - 0.205) < 1e-12);
  const label = prepare(context, items, [10, 11], "mua");
  assert.deepEqual(label.drafts.map((draft) => [draft.kind, draft.items]), [["relabel", [0]], ["accept", [1]]]);
  assert.equal(label.expected_error, null);
});

test("class decisions are edits on the classes; a unit without a class row gets one", () => {
  const { context } = made();
  const added = decideClass(context, 13, "good");
  assert.deepEqual([added.kind, added.base, added.items, added.payload], ["add", "classes", [], { rows: [{ target: 13, label: "good" }] }]);
  assert.equal(acceptItem(context, 13), undefined, "nothing is proposed");
  assert.equal(rejectItem(context, 10).payload!.label, "noise");
  assert.equal(unsureItem(context, 13).base, "base");
});

test("blind: nothing can be accepted unseen, and every answer says that it was blind", () => {
  const { context, hide } = made();
  hide();
  assert.equal(acceptItem(context, 10), undefined);
  const same = decideClass(context, 10, "good");
  assert.deepEqual([same.kind, same.payload], ["relabel", { label: "good", blind: true }]);
});

test("patches are taken back exactly, whatever lies on top", () => {
  const { items } = made();
  const before = [10, 11, 12, 13].map((item) => items.get(item));
  const first = items.patch([[10, { state: "changed", label: "mua" }], [10, { label: "noise" }], [11, { state: "accepted" }]]);
  assert.equal(items.get(10)?.label, "noise");
  items.restore(first);
  assert.deepEqual([10, 11, 12, 13].map((item) => items.get(item)), before);
});

test("a fresh table keeps what is on its way and drops what the server knows", () => {
  const { items } = made();
  items.patch([[10, { state: "accepted" }], [11, { state: "unsure" }]]);
  items.load(columns({ item: [10, 11], state: ["untouched", "untouched"] }), new Set([11]));
  assert.equal(items.get(10)?.state, "untouched");
  assert.equal(items.get(11)?.state, "unsure");
  assert.equal(items.get(12), undefined);
});
