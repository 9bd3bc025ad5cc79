// What a key press means as an edit. Class decisions on a desk with a CLASSES set are made on that
// set (its digest as base, its item for the unit); all other decisions on the desk's base set.
import type { DeskInfo, DraftEdit, ItemState } from "./view.ts";

/** What the helpers need of a `ViewContext`. */
export interface DecisionContext {
  desk: DeskInfo;
  state: (item: number) => ItemState | undefined;
  blind: () => boolean;
}

interface Aim {
  base: string;
  /** Item of the set with digest `base`; null when a unit has no class row yet. */
  item: number | null;
}

function aimOf(context: DecisionContext, item: number): Aim {
  const { desk } = context;
  if (desk.classes === null) return { base: desk.key, item };
  return { base: desk.classes, item: context.state(item)?.class_item ?? null };
}

function payloadOf(context: DecisionContext, payload: Record<string, unknown> = {}): Record<string, unknown> {
  return context.blind() ? { ...payload, blind: true } : payload;
}

/** "This item is a `name`": accepts the proposal when it says so and was seen, else relabels. */
export function decideClass(context: DecisionContext, item: number, name: string): DraftEdit {
  const aim = aimOf(context, item);
  const now = context.state(item);
  const optimistic = (state: ItemState["state"]): DraftEdit["optimistic"] => [[item, { state, label: name }]];
  if (aim.item === null) {
    const payload = payloadOf(context, { rows: [{ target: item, label: name }] });
    return { kind: "add", base: aim.base, items: [], payload, optimistic: optimistic("accepted") };
  }
  const agrees = now?.proposed === name && now.label === name && !context.blind();
  if (agrees) return { kind: "accept", base: aim.base, items: [aim.item], payload: {}, optimistic: optimistic("accepted") };
  const payload = payloadOf(context, { label: name });
  return { kind: "relabel", base: aim.base, items: [aim.item], payload, optimistic: optimistic("changed") };
}

/** The proposal is right. Undefined where there is none to accept, or where it is hidden. */
export function acceptItem(context: DecisionContext, item: number): DraftEdit | undefined {
  const aim = aimOf(context, item);
  const now = context.state(item);
  const proposed = now?.proposed ?? null;
  if (saysWhat(context.desk)) {
    if (aim.item === null || proposed === null || context.blind()) return undefined;
    if (now?.label !== proposed) return decideClass(context, item, proposed);
  }
  const { desk } = context; // a class cannot be agreed with unseen
  if ((desk.kind === "spans" || desk.kind === "regions") && desk.vocabulary.length > 1 && context.blind()) return undefined;
  const optimistic: DraftEdit["optimistic"] = [[item, { state: "accepted", ...(proposed ? { label: proposed } : {}) }]];
  return { kind: "accept", base: aim.base, items: [aim.item ?? item], payload: payloadOf(context), optimistic };
}

/** Whether accepting means agreeing with a class, not only that the item is one. */
function saysWhat(desk: DeskInfo): boolean {
  return desk.classes !== null || desk.kind === "classes";
}

/** The item isn't what it claims to be. Where classes say what it is instead, the desk's own last
 * word for "not an item" is a class ("noise"); a key press `x` means that class when there is one. */
export function rejectItem(context: DecisionContext, item: number): DraftEdit {
  const noise = context.desk.vocabulary.find((entry) => /^(noise|artifact|artefact|reject|none|no)$/i.test(entry.name));
  if (context.desk.classes !== null && noise) return decideClass(context, item, noise.name);
  return {
    kind: "reject", base: context.desk.key, items: [item], payload: payloadOf(context),
    optimistic: [[item, { state: "removed" }]],
  };
}

export function unsureItem(context: DecisionContext, item: number): DraftEdit {
  const aim = aimOf(context, item);
  const at = aim.item === null ? { base: context.desk.key, items: [item] } : { base: aim.base, items: [aim.item] };
  return { kind: "unsure", ...at, payload: payloadOf(context), optimistic: [[item, { state: "unsure" }]] };
}

export function noteItem(context: DecisionContext, item: number, text: string): DraftEdit {
  return { kind: "note", base: context.desk.key, items: [item], payload: { text } };
}

export function flagItem(context: DecisionContext, item: number, text = ""): DraftEdit {
  return { kind: "flag", base: context.desk.key, items: [item], payload: { text } };
}
