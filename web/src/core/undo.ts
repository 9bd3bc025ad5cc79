// What can be taken back and done again: this page's own steps on top of what the journal knows
// from before it was opened, newest last.
import { signal } from "@preact/signals";
import type { StackEntry } from "./wire.ts";

export interface Target {
  base: string;
  target: string;
}

export interface Step {
  /** Per base set: uuid of the edit, or of the group when there are several. */
  targets: Target[];
  /** What took the step back; taking that back does it again. */
  undoneBy?: Target[];
  label: string;
  /** Desk and item to show when the step is taken back. */
  at: { desk: string; item: number } | null;
  /** The same for steps of an earlier page, in terms of the sets that they were made on. */
  about?: StackEntry["items"];
  /** Paints the state before (undo) or after (redo); absent: the items are fetched again. */
  revert?: () => void;
  apply?: () => void;
  /** The step changed which items exist: the table is fetched again after it. */
  structure: boolean;
}

export class UndoStack {
  readonly done = signal<Step[]>([]);
  readonly undone = signal<Step[]>([]);

  /** Takes the journal's stacks (newest first), below the steps of this page. */
  load(undo: StackEntry[], redo: StackEntry[]): void {
    const known = new Set([...this.done.value, ...this.undone.value].flatMap((step) => step.targets.map((t) => t.target)));
    const steps = (entries: StackEntry[]) => entries.filter((entry) => !known.has(entry.target)).map(stepOf).reverse();
    this.done.value = [...steps(undo), ...this.done.value];
    this.undone.value = [...steps(redo), ...this.undone.value];
  }

  clear(): void {
    this.done.value = [];
    this.undone.value = [];
  }

  push(step: Step): void {
    this.done.value = [...this.done.value, step];
    this.undone.value = [];
  }

  /** Newest step, now undone by the edits that `undoneBy` makes and names. */
  undo(undoneBy: (step: Step) => Target[]): Step | undefined {
    const step = this.done.value.at(-1);
    if (!step) return undefined;
    this.done.value = this.done.value.slice(0, -1);
    this.undone.value = [...this.undone.value, { ...step, undoneBy: undoneBy(step) }];
    return step;
  }

  /** The step that was undone last, done again. */
  redo(): Step | undefined {
    const step = this.undone.value.at(-1);
    if (!step) return undefined;
    this.undone.value = this.undone.value.slice(0, -1);
    this.done.value = [...this.done.value, step];
    return step;
  }

  /** Steps that the server refused never happened; returns them, newest first, to be painted back. */
  drop(uuids: ReadonlySet<string>): Step[] {
    const refused = (step: Step) => step.targets.some(({ target }) => uuids.has(target));
    const dropped = this.done.value.filter(refused).reverse();
    this.done.value = this.done.value.filter((step) => !refused(step));
    this.undone.value = this.undone.value.filter((step) => !refused(step));
    return dropped;
  }
}

function stepOf(entry: StackEntry): Step {
  const targets = entry.bases.map((base) => ({ base, target: entry.target }));
  return { targets, undoneBy: targets, label: entry.text, at: null, about: entry.items, structure: true };
}
