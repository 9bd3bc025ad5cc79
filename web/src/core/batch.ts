// Deciding many items at once, by a filter or a selection, with a preview.
import { acceptItem, decideClass } from "../decisions.ts";
import type { DecisionContext } from "../decisions.ts";
import type { DraftEdit } from "../view.ts";
import type { DeskItems } from "./deskitems.ts";
import { fits, parseFilter } from "./filter.ts";
import { mergeAlike } from "./deciding.ts";

export interface Batch {
  title: string;
  items: number[];
  drafts: DraftEdit[];
  /** Mean of 1 - confidence over the items that have one; null where none has. */
  expected_error: number | null;
  n_confidence: number;
  /** Items that fit but can't be decided so (nothing is proposed), left out. */
  n_left_out: number;
}

/**
 * Items that the words name: `selection`, or conditions. Without a condition on `state`, only
 * untouched items are meant: a batch never overwrites a person's own decisions by accident.
 */
export function choose(items: DeskItems, words: string, selection: readonly number[]): number[] {
  const parts = words.trim().split(/\s+/).filter((word) => word && word !== "and");
  const chosen = parts.includes("selection") ? selection : items.items();
  const terms = parseFilter(parts.filter((word) => word !== "selection").join(" "));
  if (!parts.length) throw new Error("Expected a filter such as confidence>0.95 label=good, or the word selection; got nothing.");
  const anyState = terms.some((term) => term.column === "state");
  return chosen.filter((item) => {
    const state = items.get(item);
    if (!state || (!anyState && state.state !== "untouched")) return false;
    return fits(terms, state, items.table.value, items.rowOf(item));
  });
}

/** `name` null accepts what is proposed, else every item becomes a `name`. */
export function prepare(context: DecisionContext, items: DeskItems, chosen: number[], name: string | null): Batch {
  const drafts: DraftEdit[] = [];
  const decided: number[] = [];
  for (const item of chosen) {
    const draft = name === null ? acceptItem(context, item) : decideClass(context, item, name);
    if (draft) {
      drafts.push(draft);
      decided.push(item);
    }
  }
  const confidences = decided.map((item) => items.get(item)?.confidence).filter((c): c is number => typeof c === "number");
  const doubt = confidences.reduce((sum, confidence) => sum + 1 - confidence, 0);
  return {
    title: name === null ? "Accept what is proposed" : `Label as ${name}`,
    items: decided,
    drafts: mergeAlike(context.desk, drafts),
    expected_error: confidences.length && name === null ? doubt / confidences.length : null,
    n_confidence: confidences.length,
    n_left_out: chosen.length - decided.length,
  };
}
