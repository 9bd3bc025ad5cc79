// Every track in every volume: how sure its point is and what was said of it, and where doubt is.
import type { NdArray } from "../../view.ts";

/** No point; one that is not to be seen; one without confidence; from there on the confidence. */
export const NOTHING = 0, HIDDEN = 1, UNKNOWN = 2, LEAST = 3;
export const UNTOUCHED = 0, ACCEPTED = 1, CHANGED = 2, ADDED = 3, UNSURE = 4;

const STEPS = 255 - LEAST;
/** What a missing point counts against one that is certainly wrong. */
const MISSING = 0.3;
const LISTED = 4000;

export const isDecided = (said: number): boolean => said >= ACCEPTED && said <= ADDED;

/** Confidence of a code; null where it is not known, or there is no point. */
export const sureness = (code: number): number | null => (code < LEAST ? null : (code - LEAST) / STEPS);

export interface Cell {
  item: number;
  frame: number;
}

export class Grid {
  readonly items: number[];
  readonly nFrames: number;
  readonly sure: Uint8Array;
  readonly said: Uint8Array;
  private readonly rows: Map<number, number>;

  constructor(items: number[], nFrames: number, sure: Uint8Array, said: Uint8Array) {
    this.items = items;
    this.nFrames = nFrames;
    this.sure = sure;
    this.said = said;
    this.rows = new Map(items.map((item, row) => [item, row]));
  }

  static read(array: NdArray): Grid {
    const items = array.meta.items as number[];
    const n = array.shape[2]!, size = items.length * n;
    const data = array.data as Uint8Array;
    return new Grid(items, n, data.slice(0, size), data.slice(size, 2 * size));
  }

  /** Place of a cell in the arrays; -1 where there is none. */
  cell(item: number, frame: number): number {
    const row = this.rows.get(item);
    return row === undefined || frame < 0 || frame >= this.nFrames ? -1 : row * this.nFrames + frame;
  }

  has(item: number): boolean {
    return this.rows.has(item);
  }

  set(item: number, frame: number, change: { sure?: number; said?: number }): void {
    const cell = this.cell(item, frame);
    if (cell < 0) return;
    if (change.sure !== undefined) this.sure[cell] = change.sure;
    if (change.said !== undefined) this.said[cell] = change.said;
  }

  /** Expected number of wrong points in each volume; 0 where all of them are decided. */
  expected(): Float32Array {
    const { nFrames, sure, said } = this;
    const out = new Float32Array(nFrames), open = new Uint16Array(nFrames), missing = new Uint16Array(nFrames);
    for (let row = 0, cell = 0; row < this.items.length; row++) {
      for (let frame = 0; frame < nFrames; frame++, cell++) {
        const code = sure[cell]!;
        if (code === NOTHING) missing[frame]! += 1;
        else if (code !== HIDDEN && !isDecided(said[cell]!)) {
          open[frame]! += 1;
          out[frame]! += WRONG[said[cell] === UNSURE ? UNKNOWN : code]!;
        }
      }
    }
    for (let frame = 0; frame < nFrames; frame++) out[frame] = open[frame] ? out[frame]! + MISSING * missing[frame]! : 0;
    return out;
  }

  /** Volumes, the worst first; of neighbours, which look alike, only the worst. */
  worst(): number[] {
    const expected = this.expected();
    const order = Array.from(expected.keys()).filter((frame) => expected[frame]! > 0).sort((a, b) => expected[b]! - expected[a]! || a - b);
    return apart(order, this.reach, (frame) => [0, frame]);
  }

  /** Points that nobody has decided, the least sure first; of one track's neighbours in time only the worst. */
  doubts(): Cell[] {
    const { nFrames, sure, said } = this;
    const counts = new Uint32Array(256);
    for (let cell = 0; cell < sure.length; cell++) if (said[cell] === UNTOUCHED) counts[sure[cell]!]! += 1;
    let last = LEAST, n = 0;
    while (last < 255 && n + counts[last]! < LISTED) n += counts[last++]!;
    if (!n) last = counts.subarray(LEAST).some(Boolean) ? last : UNKNOWN;
    const found: number[] = [];
    for (let cell = 0; cell < sure.length; cell++) {
      const code = sure[cell]!;
      if (said[cell] === UNTOUCHED && code <= last && (code >= LEAST || (code === UNKNOWN && last === UNKNOWN))) found.push(cell);
    }
    found.sort((a, b) => sure[a]! - sure[b]! || a - b);
    const kept = apart(found.slice(0, LISTED), this.reach, (cell) => [Math.floor(cell / nFrames), cell % nFrames]);
    return kept.map((cell) => ({ item: this.items[Math.floor(cell / nFrames)]!, frame: cell % nFrames }));
  }

  /** How many volumes on either side tell the same. */
  private get reach(): number {
    return Math.min(4, Math.floor(this.nFrames / 100));
  }
}

/** Chance that a point is wrong, by code. */
const WRONG = Float32Array.from({ length: 256 }, (_, code) => (code < UNKNOWN ? 0 : code === UNKNOWN ? 0.5 : 1 - (code - LEAST) / STEPS));

/** Leaves out what is near in time to an earlier one of the same row. */
function apart(order: number[], reach: number, where: (one: number) => [number, number]): number[] {
  if (!reach) return order;
  const taken = new Set<string>();
  return order.filter((one) => {
    const [row, frame] = where(one);
    const part = Math.floor(frame / (reach + 1));
    const key = `${row}:${part}`;
    if (taken.has(key)) return false;
    taken.add(key);
    return true;
  });
}

/** A list that one walks along by a key: on to what was not seen yet, back to what was. */
export class Walk<T> {
  private readonly name: (one: T) => string;
  private seen: T[] = [];
  private at = -1;

  constructor(name: (one: T) => string) {
    this.name = name;
  }

  /** The first of the list that was not seen; all over again after the last. */
  next(list: readonly T[]): T | undefined {
    if (this.at < this.seen.length - 1) return this.seen[++this.at];
    const known = new Set(this.seen.map(this.name));
    let found = list.find((one) => !known.has(this.name(one)));
    if (found === undefined) {
      [this.seen, this.at] = [[], -1];
      found = list[0];
    }
    if (found !== undefined) this.at = this.seen.push(found) - 1;
    return found;
  }

  back(): T | undefined {
    return this.at > 0 ? this.seen[--this.at] : undefined;
  }
}

/** The volume to look at after others' or undone decisions: this one, unless decisions changed in others only; what a method put elsewhere calls nobody away. */
export function whereOther(before: Grid, now: Grid, frame: number): number {
  if (before.items.length !== now.items.length || before.items.some((item, k) => item !== now.items[k])) return frame;
  let first = -1;
  for (let cell = 0; cell < now.said.length; cell++) {
    if (before.said[cell] === now.said[cell]) continue;
    const at = cell % now.nFrames;
    if (at === frame) return frame;
    if (first < 0 || at < first) first = at;
  }
  return first < 0 ? frame : first;
}
