// Edits of regions: what a stroke, a line or a key means for the journal.
import { decideClass } from "../../decisions.ts";
import type { DraftEdit, ViewContext } from "../../view.ts";
import type { Grid, Pixels } from "./masks.ts";
import { reweighed } from "./masks.ts";
import type { Region } from "./store.ts";

/** Pixels of the whole field: planes lie one after the other. */
const whole = (region: Region, { width, height }: Grid): number[] => Array.from(region.pixels, (pixel) => pixel + region.plane * width * height);

export function redrawn(region: Region, pixels: Pixels): Region {
  return { plane: region.plane, pixels, weights: reweighed(pixels, region.pixels, region.weights) };
}

export function reshape(item: number, region: Region, grid: Grid): DraftEdit {
  return {
    kind: "reshape", items: [item], payload: { pixels: whole(region, grid), weights: Array.from(region.weights) },
    optimistic: [[item, { state: "changed" }]],
  };
}

export function addition(context: ViewContext, region: Region, grid: Grid, label: string | null): DraftEdit {
  const row = { pixels: whole(region, grid), weights: Array.from(region.weights), label: label ?? context.desk.vocabulary[0]!.name };
  return { kind: "add", items: [], payload: { rows: [row] } };
}

/** The larger part stays what the item is, the other becomes a region of its own, in one step of undo. */
export function parted(context: ViewContext, item: number, larger: Region, smaller: Region, grid: Grid): DraftEdit[] {
  return [reshape(item, larger, grid), addition(context, smaller, grid, context.state(item)?.label ?? null)];
}

export function merged(items: readonly number[]): DraftEdit {
  const gone = [...items].sort((a, b) => a - b).slice(1);
  return {
    kind: "merge", items: [...items], payload: {},
    optimistic: gone.map((item) => [item, { state: "removed" as const }]),
  };
}

/** "This is the class of that pane": accepts where it is so proposed, else relabels. */
export function sided(context: ViewContext, item: number, side: 0 | 1): DraftEdit | null {
  const name = context.desk.vocabulary[side]?.name;
  return name === undefined ? null : decideClass(context, item, name);
}

/** To the other side: the first class is the left pane, the second the right one. */
export function flipped(context: ViewContext, item: number): DraftEdit | null {
  const [first, second] = context.desk.vocabulary;
  return first && second ? sided(context, item, context.state(item)?.label === first.name ? 1 : 0) : null;
}
