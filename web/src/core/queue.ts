// The queue as the reader walks through it: entries behind, the current one, entries ahead.
import { computed, signal } from "@preact/signals";
import type { QueueEntry } from "../view.ts";
import type { QueueAnswer } from "./wire.ts";

export const AHEAD = 25;
/** Entries asked for at a time. */
export const LIMIT = 2 * AHEAD;

export type QueueSummary = Omit<QueueAnswer, "entries">;

const same = (a: QueueEntry, b: QueueEntry): boolean => a.desk === b.desk && a.item === b.item;

export class Queue {
  readonly entries = signal<QueueEntry[]>([]);
  readonly cursor = signal(0);
  readonly summary = signal<QueueSummary | null>(null);
  /** Null when everything ahead is answered. */
  readonly current = computed<QueueEntry | null>(() => this.entries.value[this.cursor.value] ?? null);
  /** Decided here since the last answer of the server, which does not know of them yet. */
  readonly fresh = signal(0);
  /** The last answer was as long as asked for: the server may know of more. */
  private hasMore = true;
  private readonly visits = new WeakSet<QueueEntry>();

  ahead(n = AHEAD): QueueEntry[] {
    return this.entries.value.slice(this.cursor.value + 1, this.cursor.value + 1 + n);
  }

  /** Whether more entries should be asked for. */
  get isShort(): boolean {
    const left = this.entries.value.length - this.cursor.value;
    return left <= 1 || (this.hasMore && left <= AHEAD);
  }

  /**
   * Takes the server's answer: its order stands for all that is ahead, the current entry stays.
   * `settled` says which entries are answered here and left out.
   */
  take(answer: QueueAnswer, settled: (entry: QueueEntry) => boolean): void {
    const { entries, ...summary } = answer;
    this.summary.value = summary;
    this.fresh.value = 0;
    this.hasMore = entries.length >= LIMIT;
    const kept = this.entries.value.slice(0, this.cursor.value + 1);
    const current = kept[this.cursor.value];
    const next = entries.filter((entry) => !settled(entry) && !(current && same(current, entry)));
    this.entries.value = [...kept, ...next];
  }

  /** Forgets everything: another policy, another reader. */
  clear(): void {
    this.entries.value = [];
    this.cursor.value = 0;
    this.summary.value = null;
    this.fresh.value = 0;
  }

  next(): boolean {
    if (this.cursor.value >= this.entries.value.length) return false;
    this.cursor.value += 1;
    return this.current.value !== null;
  }

  back(): boolean {
    if (this.cursor.value === 0) return false;
    this.cursor.value -= 1;
    return true;
  }

  /**
   * Shows an entry before the current one; `next` leads back to where one was, and from one visit
   * to another directly.
   */
  visit(entry: QueueEntry): void {
    const now = this.current.value;
    if (now && same(now, entry)) return;
    const before = this.entries.value[this.cursor.value - 1];
    if (before && same(before, entry)) {
      this.cursor.value -= 1;
      return;
    }
    const shown = { ...(this.entries.value.find((each) => same(each, entry)) ?? entry) };
    const replaces = now !== null && this.visits.has(now) ? 1 : 0;
    this.visits.add(shown);
    this.entries.value = this.entries.value.toSpliced(this.cursor.value, replaces, shown);
  }

  /** Whether one of the next few was not yet on record as a question when it was fetched. */
  get isUnasked(): boolean {
    return this.fresh.value > 3 && this.ahead(3).some((entry) => entry.question === null);
  }
}
