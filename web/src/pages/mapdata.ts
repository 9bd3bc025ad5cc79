// Error maps as numbers: order, colours and keys of the heat-map, apart from how it is painted.
export type Matrix = Array<Array<number | null>>;
export type Field = "relative" | "skill" | "asymmetry" | "p";

export interface ErrorMap {
  name: string;
  sources: string[];
  about: Array<Record<string, string>>;
  units: number[];
  left_out: Record<string, number>;
  conditions: string[];
  steps: number;
  order: number[];
  embedding: Array<[number, number]>;
  groups: { n: number; of: number[]; says: string };
  explained: Array<{ by: string; says: string }>;
  rule: string;
  halves: string;
  bin_s: number;
  permutations: number;
  values: Record<Field | "low" | "high" | "null" | "q", Matrix>;
}

export interface Cell {
  /** Place in the order shown, not in `sources`. */
  row: number;
  column: number;
}

export const FIELDS: ReadonlyArray<{ field: Field; title: string; says: string }> = [
  { field: "relative", title: "Relative", says: "skill in parts of what the predicted source's own other half explains" },
  { field: "skill", title: "Skill", says: "part of the variance explained on what was left out" },
  { field: "asymmetry", title: "Asymmetry", says: "how much better the row predicts the column than the other way round" },
  { field: "p", title: "p", says: "share of orders of conditions that do as well by chance" },
];

/** From 0 to 1 along viridis; readers with any colour vision tell the steps apart. */
const VIRIDIS = ["#440154", "#472f7d", "#39568c", "#287d8e", "#1f968b", "#3cbc75", "#94d840", "#fde725"];
const DIVERGING = ["#0072b2", "#7fb8d8", "#f2f2f2", "#eeb083", "#d55e00"];

function mixed(stops: readonly string[], share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  const part = (hex: string, k: number) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const blend = [0, 1, 2].map((k) => Math.round(part(stops[low]!, k) * (1 - at + low) + part(stops[low + 1]!, k) * (at - low)));
  return `rgb(${blend.join(" ")})`;
}

/** Colour of a value; null where there is none to paint. */
export function colourOf(field: Field, value: number | null): string | null {
  if (value === null) return null;
  if (field === "asymmetry") return mixed(DIVERGING, (value + 1) / 2);
  if (field === "p") return mixed(VIRIDIS, Math.min(1, -Math.log10(Math.max(value, 1e-3)) / 2));
  return mixed(VIRIDIS, value);
}

/** Whether dark letters stand out better on a colour of `colourOf` (relative luminance of WCAG, coarse). */
export function isLight(colour: string): boolean {
  const [r = 0, g = 0, b = 0] = (colour.match(/\d+/g) ?? []).map(Number);
  return 0.2126 * (r / 255) ** 2.2 + 0.7152 * (g / 255) ** 2.2 + 0.0722 * (b / 255) ** 2.2 > 0.18;
}

/** The cell that an arrow key (with Home and End) leads to; null for other keys. */
export function moved(cell: Cell, key: string, n: number): Cell | null {
  const step: Record<string, [number, number]> = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const clip = (k: number) => Math.min(n - 1, Math.max(0, k));
  if (key === "Home") return { ...cell, column: 0 };
  if (key === "End") return { ...cell, column: n - 1 };
  const by = step[key];
  return by ? { row: clip(cell.row + by[0]), column: clip(cell.column + by[1]) } : null;
}

export function number(value: number | null | undefined, digits = 2): string {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

/** What a cell says, for readers who hear it. */
export function sentence(map: ErrorMap, cell: Cell): string {
  const i = map.order[cell.row]!, j = map.order[cell.column]!;
  const v = map.values;
  const who = i === j ? `${map.sources[i]} from its own other half` : `${map.sources[j]} predicted from ${map.sources[i]}`;
  return `${who}: skill ${number(v.skill[i]![j])} [${number(v.low[i]![j])}, ${number(v.high[i]![j])}], relative ${number(v.relative[i]![j])}, p ${number(v.p[i]![j], 3)}`;
}
