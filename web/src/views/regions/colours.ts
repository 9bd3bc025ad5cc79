// Colours of outlines: a number on a scale that readers with any colour vision can order.
import type { Columns, DeskInfo, ItemState } from "../../view.ts";

export type Rgb = [number, number, number];

/** Dark violet to yellow with even steps of lightness, for a dark picture; the ends are cut off. */
const RAMP: Rgb[] = [
  [94, 60, 190], [64, 105, 224], [38, 148, 214], [34, 184, 172], [92, 208, 120], [172, 222, 76], [250, 230, 60],
];

const OWN = ["class", "decided"];
const ITEM_COLUMNS = new Set(["item", "class_item"]);

/** What outlines can be coloured by: the class, whether it is decided, every numeric fact of the item table. */
export function statistics(table: Columns | undefined): string[] {
  if (!table) return [...OWN];
  const numeric = table.names.filter((name) => !ITEM_COLUMNS.has(name) && isNumeric(table, name));
  return [...OWN, ...numeric];
}

/** A fact of every item; null where outlines are coloured by what is decided. */
export function valuesOf(table: Columns | undefined, name: string): Map<number, number> | null {
  if (OWN.includes(name) || !table?.has(name)) return null;
  const items = table.numbers("item"), column = table.numbers(name);
  return new Map(Array.from({ length: table.n }, (_, row) => [items[row]!, column[row]!]));
}

function isNumeric(table: Columns, name: string): boolean {
  const values = table.values(name);
  for (let i = 0; i < Math.min(values.length, 200); i++) {
    const value = values[i];
    if (value !== null && value !== undefined) return typeof value === "number";
  }
  return false;
}

export interface Scale {
  low: number;
  high: number;
}

/** From the 2nd to the 98th percentile, so that one odd region does not take all the colours. */
export function scaleOf(values: ArrayLike<number>): Scale {
  const known = Float64Array.from(values).filter(Number.isFinite).sort();
  if (!known.length) return { low: 0, high: 1 };
  const low = known[Math.floor(0.02 * (known.length - 1))]!, high = known[Math.ceil(0.98 * (known.length - 1))]!;
  return low === high ? { low: low - 0.5, high: high + 0.5 } : { low, high };
}

const UNKNOWN: Rgb = [150, 158, 166];

export function ramp(value: number, { low, high }: Scale): Rgb {
  if (!Number.isFinite(value)) return UNKNOWN;
  const at = Math.min(1, Math.max(0, (value - low) / (high - low))) * (RAMP.length - 1);
  const k = Math.min(RAMP.length - 2, Math.floor(at)), part = at - k;
  return RAMP[k]!.map((from, c) => Math.round(from + (RAMP[k + 1]![c]! - from) * part)) as Rgb;
}

/** A strip of the ramp for the legend, as a CSS gradient. */
export const gradient = `linear-gradient(to right, ${RAMP.map((one) => `rgb(${one.join(" ")})`).join(", ")})`;

const DECIDED: Rgb = [70, 214, 160];

export function decidedColour(state: ItemState | undefined): Rgb {
  return state === undefined || state.state === "untouched" ? UNKNOWN : DECIDED;
}

/** Classes on a picture are drawn lighter than on paper, so that they stand out of the grey. */
export function classColour(desk: DeskInfo, state: ItemState | undefined): Rgb {
  const hex = desk.vocabulary.find((entry) => entry.name === state?.label)?.colour;
  const found = /^#([0-9a-f]{6})$/i.exec(hex ?? "");
  if (!found) return UNKNOWN;
  const value = Number.parseInt(found[1]!, 16);
  return [value >> 16, (value >> 8) & 255, value & 255].map((one) => Math.round(one + (255 - one) * 0.35)) as Rgb;
}
