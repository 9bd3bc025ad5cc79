// Colours of classes that bring none of their own: Okabe and Ito's, readable on light and dark ground.
import type { DeskInfo } from "../view.ts";

const NAMED: Record<string, string> = { good: "#009e73", mua: "#e69f00", noise: "#8c96a0", artifact: "#8c96a0" };
const SERIES = ["#0072b2", "#d55e00", "#cc79a7", "#56b4e9", "#009e73", "#e69f00", "#6a3d9a", "#8c96a0"];

/** The desk with a colour for every class; an unknown subject is told by null. */
export function withColours(desk: DeskInfo): DeskInfo {
  const vocabulary = desk.vocabulary.map((entry, index) => ({
    ...entry,
    colour: entry.colour || NAMED[entry.name.toLowerCase()] || SERIES[index % SERIES.length]!,
  }));
  return { ...desk, vocabulary };
}
