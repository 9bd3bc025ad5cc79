// The lanes of a desk as the server has them, with what was just decided here on top.
//
// There are two sets: the open one, and the blind one, in which the machine's spans are not even
// sent but for the place of the one that is asked.
import type { Api } from "../../view.ts";
import { type Pending, type Span, SpanTable } from "./spantable.ts";

export interface LaneInfo {
  name: string;
  kind: "own" | "proposed" | "reader" | "other";
  classes: string[];
}

export interface LaneSet {
  lanes: LaneInfo[];
  states: string[];
  tables: SpanTable[];
  /** The reader's own lane as it is to be drawn. */
  own: SpanTable;
  /** First sample and length of the epochs that the desk's spans are; null where they are none. */
  epochs: [start: number, length: number] | null;
}

const EMPTY: LaneSet = { lanes: [], states: [], tables: [], own: SpanTable.of([]), epochs: null };
const PATIENCE_MS = 5000;

export class LaneStore {
  private readonly sets = new Map<boolean, LaneSet>();
  private readonly asked = new Map<number, Span>();
  private pending: Pending[] = [];
  private next = -1;
  private readonly api: Api;
  private readonly path: string;
  private readonly changed: () => void;

  constructor(api: Api, desk: string, changed: () => void) {
    this.api = api;
    this.path = `desks/${desk}/spans`;
    this.changed = changed;
  }

  set(blind: boolean): LaneSet {
    return this.sets.get(blind) ?? EMPTY;
  }

  /** Whether something is shown that the server has not shown yet. */
  get waits(): boolean {
    return this.pending.length > 0;
  }

  async ensure(blind: boolean): Promise<void> {
    if (!this.sets.has(blind)) await this.fetch(blind);
  }

  /** Fetches again what was fetched; changes that the server shows now, or never took, are let go. */
  async reload(): Promise<void> {
    const began = Date.now();
    await Promise.all([...this.sets.keys()].map((blind) => this.fetch(blind)));
    const [any] = this.sets.values();
    const table = any?.tables[0];
    if (table) this.pending = this.pending.filter((change) => !table.shows(change) && began - change.made_ms < PATIENCE_MS);
    this.settle();
  }

  /** Where the span lies that a blind reader is asked about. */
  async place(item: number): Promise<Span | undefined> {
    const known = this.set(true).own.get(item) ?? this.asked.get(item);
    if (known) return known;
    const table = await this.api.table(this.path, { blind: true, asked: item, lanes: "0" });
    const found = SpanTable.lanes(table, 1)[0]?.get(item);
    if (found) this.asked.set(item, found);
    return found;
  }

  /** Puts the asked span into the blind lane; the one asked before leaves it. */
  ask(item: number | null): void {
    const set = this.sets.get(true);
    if (!set) return;
    const known = item === null ? undefined : this.asked.get(item);
    const base = set.tables[0]!.with(this.pending);
    const own = known && base.find(known.item) === undefined ? SpanTable.of([...all(base), known]) : base;
    this.sets.set(true, { ...set, own });
  }

  move(item: number, start: number, stop: number): void {
    this.pending = this.pending.filter((change) => !(change.kind === "move" && change.item === item));
    this.add({ kind: "move", item, start, stop, made_ms: Date.now() });
  }

  create(start: number, stop: number, label: number): void {
    this.add({ kind: "add", item: this.next--, start, stop, label, made_ms: Date.now() });
  }

  remove(item: number): void {
    this.add({ kind: "remove", item, made_ms: Date.now() });
  }

  private add(change: Pending): void {
    this.pending.push(change);
    this.settle();
  }

  private settle(): void {
    for (const [blind, set] of this.sets) this.sets.set(blind, { ...set, own: set.tables[0]!.with(this.pending) });
    this.changed();
  }

  private async fetch(blind: boolean): Promise<void> {
    const query = blind ? { blind: true } : {};
    const [told, table] = await Promise.all([
      this.api.json<Pick<LaneSet, "lanes" | "states" | "epochs">>(`${this.path}/lanes`, query),
      this.api.table(this.path, query),
    ]);
    const tables = SpanTable.lanes(table, told.lanes.length);
    this.sets.set(blind, { lanes: told.lanes, states: told.states, epochs: told.epochs ?? null, tables, own: tables[0]!.with(this.pending) });
    this.changed();
  }
}

function all(table: SpanTable): Span[] {
  return Array.from({ length: table.n }, (_, index) => table.at(index));
}
