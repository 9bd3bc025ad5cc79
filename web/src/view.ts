// The contract between the shell and a view of one label kind. Views import types from here only.
import type { Signal } from "@preact/signals";

/** One class of a desk's vocabulary; `key` is the key that chooses it ("1".."9" or a letter). */
export interface VocabularyEntry {
  name: string;
  colour: string;
  key: string;
}

/** What is reviewed together: a base label set and what belongs to it. */
export interface DeskInfo {
  key: string;
  source: string;
  source_name: string;
  task: string;
  kind: string;
  view: string;
  n_items: number;
  n_decided: number;
  subject: string | null;
  session: string | null;
  vocabulary: VocabularyEntry[];
  /** Digest of the CLASSES set over the items (units), if there is one. */
  classes: string | null;
  has_raw: boolean;
  rate_hz: number | null;
  duration_s: number | null;
  author: string;
}

export type DecisionState = "untouched" | "accepted" | "changed" | "added" | "removed" | "unsure";

/** What this reader sees of one item now, decisions not yet acknowledged included. */
export interface ItemState {
  state: DecisionState;
  label: string | null;
  /** Null in blind mode until one has decided. */
  confidence: number | null;
  proposed: string | null;
  decided_by: string | null;
  /** Item of the desk's CLASSES set that stands for this item, if any. */
  class_item: number | null;
}

export interface Proposal {
  label: string;
  confidence: number | null;
}

/** One entry of the queue: an item and why it is asked. */
export interface QueueEntry {
  desk: string;
  item: number;
  proposed: Proposal | null;
  reason: string;
  policy: string;
  probability: number | null;
  question: string | null;
  /** The model's answer is hidden until one has decided (audit, gold and second reading, blind mode). */
  blind: boolean;
  /** The other item of a question about two of them. */
  beside?: number | null;
}

export type EditKind =
  | "accept" | "reject" | "relabel" | "move" | "reshape" | "add" | "remove" | "merge" | "split"
  | "swap" | "link" | "unsure" | "note" | "flag" | "adjudicate" | "undo";

/** An edit before the shell gives it uuid, reviewer, group and times. */
export interface DraftEdit {
  kind: EditKind;
  items: number[];
  /** Digest of the set it is made on; the desk's base set when left out. */
  base?: string;
  payload?: Record<string, unknown>;
  role?: string;
  parent?: string;
  /** State to paint at once, per item of the desk (not of the CLASSES set); see decisions.ts. */
  optimistic?: Array<[item: number, state: Partial<ItemState>]>;
}

/** Something that can be done by name in the command line (`/name arguments`) or by a key. */
export interface Command {
  /** Unique, kebab-case; also the id under which its key is remapped. */
  name: string;
  /** One line for the overlay. */
  help: string;
  /** Default key: "g", "Shift+ArrowUp", "Ctrl+z"; none: command line only. */
  key?: string;
  /** `rest` is what was typed after the name. */
  run(rest: string): void | Promise<void>;
}

export interface KeyRegistry {
  /** Registers commands until the returned function is called. */
  add(scope: string, commands: Command[]): () => void;
  /** The key that is bound to a command now (after the reader's own mapping). */
  keyOf(command: string): string | undefined;
}

export type TypedArray =
  | Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array
  | Uint32Array | BigInt64Array;

/** An array as it came over the wire: C-order, little endian. */
export interface NdArray<T extends TypedArray = TypedArray> {
  data: T;
  shape: number[];
  dtype: string;
  meta: Record<string, unknown>;
}

/** A table as it came over the wire; columns are typed arrays where numeric. */
export interface Columns {
  n: number;
  names: string[];
  /** Numeric column (int64 as number, exact up to 2^53; null as NaN). */
  numbers(name: string): ArrayLike<number>;
  /** Any column as values (strings, null, lists). */
  values(name: string): ArrayLike<unknown>;
  has(name: string): boolean;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** The server. Paths are below /api ("desks/KEY/items/3"); `reader` is added to every query. */
export interface Api {
  json<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>;
  post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>;
  /** A question too long for an address, answered with an array. */
  postArray(path: string, body: unknown): Promise<NdArray>;
  put<T>(path: string, body: unknown): Promise<T>;
  array(path: string, query?: Query, signal?: AbortSignal): Promise<NdArray>;
  table(path: string, query?: Query, signal?: AbortSignal): Promise<Columns>;
}

/** What the server said when it refused: what it expected, what it got, what to do. */
export class ApiError extends Error {
  readonly status: number;
  readonly expected: string;
  readonly got: string;
  readonly remedy: string;
  constructor(status: number, expected: string, got: string, remedy: string) {
    super(`Expected ${expected}; got ${got}. ${remedy}`);
    this.status = status;
    this.expected = expected;
    this.got = got;
    this.remedy = remedy;
  }
}

export interface ViewContext {
  api: Api;
  desk: DeskInfo;
  reader: () => string;
  /** Decides at once on the screen and in the background on the server; never blocks. Several
   * edits form one group (one step of undo). `advance` goes to the next queue entry. */
  decide(edits: DraftEdit[], options?: { advance?: boolean }): void;
  /** Decisions that the server has not acknowledged: what it tells may be older than the screen. */
  waiting: () => number;
  /** Says a sentence in the status line and to screen readers. */
  announce(text: string): void;
  goto(item: number): void;
  theme: Signal<"light" | "dark">;
  /** Whether the model's answer is hidden for the current entry; `state` hides it by itself. */
  blind: () => boolean;
  /** Items selected by lasso or by Shift; batch commands act on them. */
  selection: Signal<number[]>;
  state: (item: number) => ItemState | undefined;
  /** The desk's item table, reloaded after structure edits, undo and other readers' edits. */
  items: Signal<Columns | undefined>;
  /** Grows whenever a state or the item table changed: read it in an effect to repaint. */
  version: Signal<number>;
  keys: KeyRegistry;
  /** Set by a view to go on in its own order: the item after one; null: as the queue asks. */
  order: Signal<((item: number) => number | undefined) | null>;
}

/** One label kind on the screen. It may paint by hand or with Preact inside its root. */
export interface View {
  mount(root: HTMLElement, context: ViewContext): void | Promise<void>;
  /** Paints an entry; resolve (or return) when it is painted, as latency is measured there. */
  show(entry: QueueEntry): void | Promise<void>;
  /** Fetches what `show` will need; called for the next entries of the queue. */
  prefetch?(entry: QueueEntry): void;
  commands?(): Command[];
  unmount(): void;
}
