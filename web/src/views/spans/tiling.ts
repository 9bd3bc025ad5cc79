// Spans that tile a recording, as the epochs of a hypnogram do: how they are paged and ordered.
import type { SpanTable } from "./spantable.ts";
import { clamped, showing, type Viewport } from "./viewport.ts";

const FEWEST = 10;
const LEAST_SHARE = 0.9;

const told = new WeakMap<SpanTable, boolean>();

/** Whether nearly every span begins where the one before it ends, and none overlap. */
export function isTiling(table: SpanTable): boolean {
  const known = told.get(table) ?? tiles(table);
  told.set(table, known);
  return known;
}

function tiles(table: SpanTable): boolean {
  if (table.n < FEWEST) return false;
  let meeting = 0;
  for (let row = 1; row < table.n; row++) {
    if (table.start(row) < table.stop(row - 1)) return false;
    if (table.start(row) === table.stop(row - 1)) meeting += 1;
  }
  return meeting >= LEAST_SHARE * (table.n - 1);
}

/** The page that an epoch stands on: pages begin at every k-th epoch, as on paper. */
export function pageOf(view: Viewport, [first, length]: readonly [number, number], span: { start: number; stop: number }, n: number): Viewport {
  const many = Math.round(view.length / length);
  if (many < 1 || Math.abs(view.length - many * length) > 0.01 * length) return showing(view, span.start, span.stop, n);
  const place = Math.max(0, Math.round((span.start - first) / length)) % many;
  return clamped({ ...view, start: span.start - place * length, length: many * length }, n);
}

const DEPTH = ["W", "R", "REM", "N1", "NREM", "N2", "N3"];
const NOTHING = /^(unknown|unscored|\?)$/i;

/** Codes of classes from the top of a hypnogram to its bottom; "unknown" has no row. */
export function rowsOf(names: readonly string[]): number[] {
  const codes = names.map((_, code) => code).filter((code) => !NOTHING.test(names[code]!));
  const known = codes.every((code) => DEPTH.includes(names[code]!));
  return known ? codes.sort((a, b) => DEPTH.indexOf(names[a]!) - DEPTH.indexOf(names[b]!)) : codes;
}

/** Whether another claim than one's own covers the middle of each own span; 1 where it does. */
export function disagreeing(
  own: SpanTable, nameOf: (row: number) => string | null, others: ReadonlyArray<{ table: SpanTable; nameOf: (row: number) => string | null }>,
): Uint8Array {
  const found = new Uint8Array(own.n);
  for (const other of others) {
    for (let row = 0, at = 0; row < own.n; row++) {
      const middle = (own.start(row) + own.stop(row)) / 2;
      while (at < other.table.n && other.table.stop(at) <= middle) at += 1;
      if (at >= other.table.n || other.table.start(at) > middle) continue;
      const [mine, said] = [nameOf(row), other.nameOf(at)];
      if (mine !== null && said !== null && !NOTHING.test(said) && mine !== said) found[row] = 1;
    }
  }
  return found;
}
