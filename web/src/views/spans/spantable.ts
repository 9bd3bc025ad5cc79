// Spans of one lane, sorted by start: what is on a page is found without looking at the others.
import type { Columns } from "../../view.ts";

export interface Span {
  item: number;
  start: number;
  stop: number;
  /** Code of the lane's classes; -1 where it is hidden. */
  label: number;
  confidence: number;
  /** Channel of the stream; -1: all of them. */
  channel: number;
  /** Code of the states that the server names. */
  state: number;
}

/** A change of the screen that the journal may not have acknowledged yet. */
export type Pending =
  | { kind: "move"; item: number; start: number; stop: number; made_ms: number }
  | { kind: "add"; item: number; start: number; stop: number; label: number; made_ms: number }
  | { kind: "remove"; item: number; made_ms: number };

/** A bar to draw: pixels, the span it stands for (the first of several) and how many it is. */
export interface Bar {
  x0: number;
  x1: number;
  index: number;
  count: number;
}

const NAMES = ["item", "start", "stop", "label", "confidence", "channel", "state"] as const;

export class SpanTable {
  readonly n: number;
  private readonly columns: Record<(typeof NAMES)[number], ArrayLike<number>>;
  /** Largest stop of a span and those before it. */
  private readonly reach: Float64Array;
  private rows: Map<number, number> | undefined;

  /** `columns` are sorted by start. */
  constructor(columns: Record<(typeof NAMES)[number], ArrayLike<number>>) {
    this.columns = columns;
    this.n = columns.start.length;
    this.reach = new Float64Array(this.n);
    let furthest = -Infinity;
    for (let i = 0; i < this.n; i++) {
      furthest = Math.max(furthest, columns.stop[i]!);
      this.reach[i] = furthest;
    }
  }

  static of(spans: readonly Span[]): SpanTable {
    const sorted = [...spans].sort((a, b) => a.start - b.start);
    const column = (name: (typeof NAMES)[number]) => Float64Array.from(sorted, (span) => span[name]);
    return new SpanTable(Object.fromEntries(NAMES.map((name) => [name, column(name)])) as Record<(typeof NAMES)[number], Float64Array>);
  }

  /** One table per lane of an answer of the server, whose rows stand by lane, then start. */
  static lanes(table: Columns, n_lanes: number): SpanTable[] {
    const lane = table.numbers("lane");
    const found: SpanTable[] = [];
    for (let k = 0, first = 0; k < n_lanes; k++) {
      let last = first;
      while (last < table.n && lane[last] === k) last += 1;
      const cut = (name: string): ArrayLike<number> => {
        const whole = table.numbers(name);
        return ArrayBuffer.isView(whole) ? (whole as Float64Array).subarray(first, last) : Array.prototype.slice.call(whole, first, last);
      };
      found.push(new SpanTable(Object.fromEntries(NAMES.map((name) => [name, cut(name)])) as Record<(typeof NAMES)[number], ArrayLike<number>>));
      first = last;
    }
    return found;
  }

  start(index: number): number { return this.columns.start[index]!; }
  stop(index: number): number { return this.columns.stop[index]!; }
  item(index: number): number { return this.columns.item[index]!; }
  label(index: number): number { return this.columns.label[index]!; }
  channel(index: number): number { return this.columns.channel[index]!; }
  state(index: number): number { return this.columns.state[index]!; }

  at(index: number): Span {
    return Object.fromEntries(NAMES.map((name) => [name, this.columns[name][index]!])) as unknown as Span;
  }

  /** Row of an item, or undefined. */
  find(item: number): number | undefined {
    if (!this.rows) {
      this.rows = new Map();
      for (let i = 0; i < this.n; i++) this.rows.set(this.columns.item[i]!, i);
    }
    return this.rows.get(item);
  }

  get(item: number): Span | undefined {
    const row = this.find(item);
    return row === undefined ? undefined : this.at(row);
  }

  /** Rows of the spans that meet [start, stop), by start. */
  visible(start: number, stop: number): number[] {
    const found: number[] = [];
    for (let i = firstAbove(this.reach, start); i < this.n && this.columns.start[i]! < stop; i++) {
      if (this.columns.stop[i]! > start) found.push(i);
    }
    return found;
  }

  /** Row of the first span that starts after a sample (or before it, where `step` is -1). */
  next(sample: number, step: 1 | -1): number | undefined {
    const starts = this.columns.start;
    const index = step > 0 ? firstAbove(starts, sample) : firstAbove(starts, sample - 0.5) - 1;
    return index >= 0 && index < this.n ? index : undefined;
  }

  /** What to draw of a page: spans too narrow to be told apart share a bar of their class. */
  bars(start: number, length: number, width: number): Bar[] {
    const found: Bar[] = [];
    const narrow = new Map<number, Bar>();
    const scale = width / length;
    for (const index of this.visible(start, start + length)) {
      const x0 = (this.columns.start[index]! - start) * scale;
      const x1 = (this.columns.stop[index]! - start) * scale;
      if (x1 - x0 >= 2) {
        found.push({ x0, x1, index, count: 1 });
        continue;
      }
      const label = this.columns.label[index]!;
      const last = narrow.get(label);
      if (last && x0 < last.x1 + 1 && last.x1 - last.x0 < 4) {
        last.x1 = Math.max(last.x1, x1);
        last.count += 1;
      } else {
        const bar = { x0, x1: Math.max(x1, x0 + 1), index, count: 1 };
        narrow.set(label, bar);
        found.push(bar);
      }
    }
    return found;
  }

  /** With changes that the server's table does not hold yet. */
  with(pending: readonly Pending[]): SpanTable {
    if (!pending.length) return this;
    const spans = Array.from({ length: this.n }, (_, index) => this.at(index));
    const at = new Map(spans.map((span) => [span.item, span]));
    for (const change of pending) {
      const known = at.get(change.item);
      if (change.kind === "remove") at.delete(change.item);
      else if (change.kind === "move" && known) at.set(change.item, { ...known, start: change.start, stop: change.stop });
      else if (change.kind === "add") at.set(change.item, { item: change.item, start: change.start, stop: change.stop, label: change.label, confidence: Number.NaN, channel: -1, state: -1 });
    }
    return SpanTable.of([...at.values()]);
  }

  /** Whether the server's table shows a change. */
  shows(change: Pending): boolean {
    if (change.kind === "remove") return this.find(change.item) === undefined;
    const same = (span: Span | undefined): boolean => span?.start === change.start && span.stop === change.stop;
    if (change.kind === "move") return same(this.get(change.item));
    return this.visible(change.start, change.stop).some((row) => same(this.at(row)) && this.columns.label[row] === change.label);
  }
}

/** Index of the first value above `limit` in ascending values. */
function firstAbove(values: ArrayLike<number>, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Where the last of the spans ends. */
export function lastStop(table: SpanTable): number {
  let last = 0;
  for (let row = 0; row < table.n; row++) last = Math.max(last, table.stop(row));
  return last;
}

/** Median length of the spans, samples; 0 where there are none. */
export function typicalLength(table: SpanTable): number {
  const lengths = Float64Array.from({ length: Math.min(table.n, 2000) }, (_, row) => table.stop(row) - table.start(row)).sort();
  return lengths[lengths.length >> 1] ?? 0;
}
