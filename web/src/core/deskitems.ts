// One desk's items as this reader sees them: the server's table under what was just decided here.
import { signal } from "@preact/signals";
import type { Columns, DecisionState, ItemState } from "../view.ts";

export type Patch = [item: number, state: Partial<ItemState>];

const UNKNOWN: ItemState = {
  state: "untouched", label: null, confidence: null, proposed: null, decided_by: null, class_item: null,
};

export class DeskItems {
  readonly table = signal<Columns | undefined>(undefined);
  /** Grows whenever a state or the table changed. */
  readonly version = signal(0);
  private rows = new Map<number, number>();
  private byClass: Map<number, number> | undefined;
  private readonly overlay = new Map<number, ItemState>();

  /** Takes a fresh table; what is decided here and not yet in it (`pending`) stays on top. */
  load(table: Columns, pending: ReadonlySet<number> = new Set()): void {
    this.rows = new Map();
    this.byClass = undefined;
    const items = table.numbers("item");
    for (let row = 0; row < table.n; row++) this.rows.set(items[row]!, row);
    for (const item of [...this.overlay.keys()]) if (!pending.has(item)) this.overlay.delete(item);
    this.table.value = table;
    this.version.value += 1;
  }

  get(item: number): ItemState | undefined {
    const changed = this.overlay.get(item);
    if (changed) return changed;
    const row = this.rows.get(item);
    const table = this.table.value;
    if (row === undefined || !table) return undefined;
    return {
      state: text(table, "state", row) as DecisionState | null ?? "untouched",
      label: text(table, "label", row),
      confidence: number(table, "confidence", row),
      proposed: text(table, "proposed", row),
      decided_by: text(table, "decided_by", row),
      class_item: number(table, "class_item", row),
    };
  }

  /** All items: of the table, then those made here. */
  items(): number[] {
    const made = [...this.overlay.keys()].filter((item) => !this.rows.has(item));
    return [...this.rows.keys(), ...made];
  }

  /** The item that an item of the CLASSES set speaks of. */
  ofClass(classItem: number): number | undefined {
    if (!this.byClass) {
      this.byClass = new Map();
      for (const item of this.rows.keys()) {
        const row = this.get(item)?.class_item;
        if (typeof row === "number") this.byClass.set(row, item);
      }
    }
    return this.byClass.get(classItem);
  }

  rowOf(item: number): number | undefined {
    return this.rows.get(item);
  }

  /** Paints states at once; returns how it was before, to be given to `restore`. */
  patch(patches: readonly Patch[]): Array<[number, ItemState | undefined]> {
    const before: Array<[number, ItemState | undefined]> = [];
    for (const [item, change] of patches) {
      before.push([item, this.overlay.get(item)]);
      this.overlay.set(item, { ...(this.get(item) ?? UNKNOWN), ...change });
    }
    if (patches.length) this.version.value += 1;
    return before;
  }

  restore(before: ReadonlyArray<[number, ItemState | undefined]>): void {
    for (const [item, state] of [...before].reverse()) {
      if (state) this.overlay.set(item, state);
      else this.overlay.delete(item);
    }
    this.version.value += 1;
  }
}

function text(table: Columns, name: string, row: number): string | null {
  if (!table.has(name)) return null;
  const value = table.values(name)[row];
  return value === null || value === undefined ? null : String(value);
}

function number(table: Columns, name: string, row: number): number | null {
  if (!table.has(name)) return null;
  const value = table.numbers(name)[row];
  return value === undefined || Number.isNaN(value) ? null : value;
}
