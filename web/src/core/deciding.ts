// From drafts to edits: uuids, reviewer, group and times; many drafts alike become one edit.
import type { DeskInfo, DraftEdit, EditKind } from "../view.ts";
import type { Patch } from "./deskitems.ts";
import type { EditJson } from "./wire.ts";

export interface Moment {
  reviewer: string;
  when_s: number;
  took_s: number | null;
}

/** Kinds that change which items there are or where they lie, not only what is said of them. */
const STRUCTURE: ReadonlySet<EditKind> = new Set(["merge", "split", "add", "remove", "move", "reshape", "swap", "link"]);

/** Kinds that answer "what is this item?"; a question is answered by the first of them. */
const ANSWERS: ReadonlySet<EditKind> = new Set([
  "accept", "reject", "relabel", "unsure", "adjudicate", "merge", "split", "remove", "move", "reshape", "add",
]);

const ALIKE: ReadonlySet<EditKind> = new Set(["accept", "reject", "relabel", "unsure", "remove"]);

export const isStructure = (edits: ReadonlyArray<{ kind: EditKind }>): boolean => edits.some((edit) => STRUCTURE.has(edit.kind));
export const isAnswer = (edits: ReadonlyArray<{ kind: EditKind; payload?: Record<string, unknown> }>): boolean =>
  edits.some((edit) => ANSWERS.has(edit.kind) && !isOfRows(edit));

/** Whether it speaks of some points of tracks only: what the tracks are stays open. */
const isOfRows = ({ kind, payload = {} }: { kind: EditKind; payload?: Record<string, unknown> }): boolean =>
  (kind === "accept" || kind === "unsure" ? "frames" in payload || "rows" in payload : kind === "move" && "row" in payload);

/** Drafts of one kind, base and payload as one draft with all their items. */
export function mergeAlike(desk: DeskInfo, drafts: readonly DraftEdit[]): DraftEdit[] {
  const merged = new Map<string, DraftEdit>();
  drafts.forEach((draft, index) => {
    const alike = ALIKE.has(draft.kind) && draft.parent === undefined;
    const key = alike ? JSON.stringify([draft.kind, draft.base ?? desk.key, draft.payload ?? {}, draft.role]) : String(index);
    const known = merged.get(key);
    merged.set(key, known
      ? { ...known, items: [...known.items, ...draft.items], optimistic: [...(known.optimistic ?? []), ...(draft.optimistic ?? [])] }
      : draft);
  });
  return [...merged.values()];
}

export function toEdits(desk: DeskInfo, drafts: readonly DraftEdit[], moment: Moment, uuid: () => string): EditJson[] {
  const group = drafts.length > 1 ? uuid() : null;
  return drafts.map((draft) => ({
    uuid: uuid(),
    kind: draft.kind,
    base: draft.base ?? desk.key,
    items: draft.items,
    reviewer: moment.reviewer,
    when_s: moment.when_s,
    payload: draft.payload ?? {},
    group,
    role: draft.role ?? "reader",
    parent: draft.parent ?? null,
    took_s: moment.took_s,
  }));
}

/** What takes the edits back: one target per base set, the group where there is one. */
export function targetsOf(edits: readonly EditJson[]): Array<{ base: string; target: string }> {
  const targets = new Map(edits.map((edit) => [edit.base, edit.group ?? edit.uuid]));
  return [...targets].map(([base, target]) => ({ base, target }));
}

/** One undo per base; several share a group. */
export function undoEdits(
  targets: ReadonlyArray<{ base: string; target: string }>, moment: Moment, uuid: () => string,
): EditJson[] {
  const group = targets.length > 1 ? uuid() : null;
  return targets.map(({ base, target }) => ({
    uuid: uuid(), kind: "undo", base, items: [], reviewer: moment.reviewer, when_s: moment.when_s,
    payload: { target }, group, role: "reader", parent: null, took_s: moment.took_s,
  }));
}

/** States that a waiting edit of an earlier page implies, painted until the server has it. */
export function impliedStates(desk: DeskInfo, edit: EditJson, itemOfClass: (classItem: number) => number | undefined): Patch[] {
  const label = edit.payload.label;
  const state = ({ accept: "accepted", relabel: "changed", reject: "removed", unsure: "unsure", remove: "removed" } as const)[
    edit.kind as "accept"
  ];
  if (!state || isOfRows(edit)) return [];
  const items = edit.base === desk.key ? edit.items : edit.items.map(itemOfClass);
  const change = typeof label === "string" ? { state, label } : { state };
  return items.filter((item): item is number => item !== undefined).map((item) => [item, change]);
}

/** One short line for the undo list. */
export function describe(edits: readonly EditJson[]): string {
  const first = edits[0];
  if (!first) return "nothing";
  const frames = first.payload.frames;
  if (isOfRows(first) && Array.isArray(frames)) {
    const many = first.items.length > 1;
    return `${first.kind} ${many ? `${first.items.length} points` : `point ${first.items[0]}`} of volume ${frames.join(", ")}`;
  }
  const n = edits.reduce((sum, edit) => sum + Math.max(1, edit.items.length), 0);
  const what = typeof first.payload.label === "string" ? `${first.kind} ${first.payload.label}` : first.kind;
  return n > 1 ? `${what} (${n} items)` : `${what} ${first.items[0] ?? ""}`.trim();
}
