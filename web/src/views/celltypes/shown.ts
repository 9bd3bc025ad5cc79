// What all panels are given to paint.
import type { Axes, Curves, Exemplar, Saliency } from "./data.ts";

export interface Drawn {
  exemplar: Exemplar;
  colour: string;
  dash: number[];
  /** One standard deviation to either side is drawn as well. */
  band: boolean;
}

export interface Shown {
  axes: Axes;
  curves: Curves;
  /** Classes whose means are drawn, the one compared with first. */
  classes: Drawn[];
  compared: Exemplar | null;
  /** Which class the saliency speaks for, and by how much each sample does; null: hidden or none. */
  saliency: { towards: string; by: Saliency } | null;
}

const DASHES: number[][] = [[], [6, 4], [2, 3], [8, 3], [1, 3], [4, 2]];
const MOST = 3;

/** The class compared with, then the likeliest; all of them, without bands, where answers are hidden. */
export function chosen(
  exemplars: readonly Exemplar[], compared: string | null, chances: ReadonlyMap<string, number> | null,
  colourOf: (name: string) => string,
): Drawn[] {
  const first = exemplars.filter((one) => one.name === compared);
  const rest = exemplars.filter((one) => one.name !== compared);
  const ordered = chances ? rest.sort((a, b) => (chances.get(b.name) ?? 0) - (chances.get(a.name) ?? 0)) : rest;
  const all = [...first, ...ordered].slice(0, chances ? MOST : exemplars.length);
  return all.map((exemplar, k) => ({
    exemplar, colour: colourOf(exemplar.name), dash: DASHES[k % DASHES.length]!, band: chances !== null || exemplar.name === compared,
  }));
}

export function told({ exemplar }: Drawn): string {
  return `${exemplar.name} (mean of ${exemplar.n})`;
}

/** How to read the bars under a curve. */
export function strip(towards: string): string {
  return `Bars: up for ${towards}, down against it.`;
}
