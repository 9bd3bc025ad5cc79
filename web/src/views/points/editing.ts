// Edits of tracks: what a click or a key means for the journal.
import type { DraftEdit } from "../../view.ts";
import type { Place } from "./cube.ts";

const digits = (value: number): number => Math.round(value * 100) / 100;
const rounded = ({ x, y, z }: Place): Place => ({ x: digits(x), y: digits(y), z: digits(z) });

export const moved = (item: number, row: number, place: Place): DraftEdit => ({
  kind: "move", items: [item], payload: { row, ...rounded(place), visible: true }, optimistic: [[item, { state: "changed" }]],
});

export const hidden = (item: number, row: number, visible: boolean): DraftEdit => ({
  kind: "move", items: [item], payload: { row, visible }, optimistic: [[item, { state: "changed" }]],
});

/** A point where a track has none; without a track, the first of a new one. */
export const added = (item: number | null, frame: number, place: Place): DraftEdit => ({
  kind: "add", items: item === null ? [] : [item], payload: { rows: [{ frame, ...rounded(place), visible: true }] },
  ...(item === null ? {} : { optimistic: [[item, { state: "changed" as const }]] }),
});

export const pointsRight = (items: readonly number[], frame: number): DraftEdit => ({ kind: "accept", items: [...items], payload: { frames: [frame] } });

export const pointsUnsure = (items: readonly number[], frame: number): DraftEdit => ({ kind: "unsure", items: [...items], payload: { frames: [frame] } });

export const swapped = (a: number, b: number, frame: number): DraftEdit => ({
  kind: "swap", items: [a, b], payload: { from: frame }, optimistic: [[a, { state: "changed" }], [b, { state: "changed" }]],
});

/** The track from a volume on, or some of its points, as a track of its own. */
export const split = (item: number, rows: readonly number[]): DraftEdit => ({
  kind: "split", items: [item], payload: { rows: [[...rows]] }, optimistic: [[item, { state: "changed" }]],
});

/** Where both have a point those of the second, `apart`, stay a track of their own. */
export function merged(items: readonly number[], other: number, apart: readonly number[]): DraftEdit[] {
  const gone = [...items].sort((a, b) => a - b).slice(1);
  const merge: DraftEdit = { kind: "merge", items: [...items], payload: {}, optimistic: gone.map((item) => [item, { state: "removed" as const }]) };
  return apart.length ? [split(other, apart), merge] : [merge];
}

export const removed = (item: number): DraftEdit => ({ kind: "remove", items: [item], payload: {}, optimistic: [[item, { state: "removed" }]] });
