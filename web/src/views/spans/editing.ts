// What a reader does to spans: move edges, draw new ones, take them away.
import type { Command, ViewContext } from "../../view.ts";
import type { LaneStore } from "./lanestore.ts";
import type { Draft } from "./scene.ts";
import type { SpanTable } from "./spantable.ts";

export interface Bench {
  context: Pick<ViewContext, "desk" | "keys" | "blind" | "announce" | "decide">;
  store: Pick<LaneStore, "move" | "create" | "remove">;
  /** Samples of the recording. */
  n: () => number;
  own: () => SpanTable;
  selected: () => number | null;
  cursor: () => number | null;
  changed: () => void;
}

const PLAIN = "#888888";

export class Editor {
  /** The span that is drawn or dragged; `item` is null while it is new and has no class. */
  draft: Draft | null = null;
  /** Class of the last new span: what Enter chooses. */
  newClass = 0;
  private forgetDraft: (() => void) | undefined;
  private readonly bench: Bench;

  constructor(bench: Bench) {
    this.bench = bench;
  }

  move(item: number, start: number, stop: number): void {
    const { context, store } = this.bench;
    const known = this.bench.own().get(item);
    if (!known || (known.start === start && known.stop === stop)) return;
    if (item < 0) return context.announce("This span is still being saved: try again in a moment.");
    store.move(item, start, stop);
    context.decide([{ kind: "move", items: [item], payload: { start, stop }, optimistic: [[item, { state: "changed" }]] }]);
    context.announce("Edges moved.");
  }

  create(start: number, stop: number, code: number): void {
    const { context, store } = this.bench;
    const name = context.desk.vocabulary[code]?.name;
    if (!name) return;
    const { from, to } = this.within(start, stop);
    this.newClass = code;
    this.discard();
    store.create(from, to, code);
    const rows = [{ start: from, stop: to, label: name }];
    context.decide([{ kind: "add", items: [], payload: context.blind() ? { rows, blind: true } : { rows } }]);
    context.announce(`Added: ${name}.`);
  }

  remove(item: number | null): void {
    const { context, store } = this.bench;
    if (item === null || item < 0 || !this.bench.own().get(item)) return context.announce("No span is selected.");
    store.remove(item);
    context.decide([{ kind: "remove", items: [item], optimistic: [[item, { state: "removed" }]] }], { advance: true });
  }

  /** A new span that has no class yet; its keys are the class keys, Enter and Escape. */
  begin(start: number, stop: number): void {
    const { context } = this.bench;
    const { from, to } = this.within(start, stop);
    const { vocabulary } = context.desk;
    const usual = vocabulary[this.newClass] ?? vocabulary[0];
    this.draft = { item: null, start: from, stop: to, colour: usual?.colour ?? PLAIN, name: `${usual?.name ?? ""}?` };
    this.bench.changed();
    if (this.forgetDraft) return;
    const take = (code: number) => () => { if (this.draft) this.create(this.draft.start, this.draft.stop, code); };
    const keyed = vocabulary.map((entry) => ({ entry, key: context.keys.keyOf(`class-${entry.name}`) ?? entry.key }));
    this.forgetDraft = context.keys.add("New span", [
      { name: "new-span-done", help: `Keep the new span as ${usual?.name}`, key: "Enter", run: () => take(this.newClass)() },
      { name: "new-span-discard", help: "Discard the new span", key: "Escape", run: () => this.discard() },
      ...keyed.map(({ entry, key }, code): Command => ({ name: `new-span-${entry.name}`, help: `The new span is: ${entry.name}`, key, run: take(code) })),
    ]);
    context.announce(`New span: ${keyed.map(({ entry, key }) => `${key} ${entry.name}`).join(", ")}; Enter: ${usual?.name}; Escape: discard.`);
  }

  discard(): void {
    this.forgetDraft?.();
    this.forgetDraft = undefined;
    if (this.draft) this.bench.changed();
    this.draft = null;
  }

  /** Shows a span as it would be; nothing is decided before `settle`. */
  stretch(item: number | null, start: number, stop: number): void {
    const { from, to } = this.within(start, stop);
    if (item === null && this.draft) this.draft = { ...this.draft, start: from, stop: to };
    else if (item !== null) {
      const entry = this.bench.context.desk.vocabulary[this.bench.own().get(item)?.label ?? -1];
      this.draft = { item, start: from, stop: to, colour: entry?.colour ?? PLAIN, name: entry?.name ?? "" };
    }
    this.bench.changed();
  }

  /** Decides what was dragged; a new span waits for its class. */
  settle(): void {
    const { draft } = this;
    if (!draft || draft.item === null) return;
    this.draft = null;
    this.move(draft.item, draft.start, draft.stop);
    this.bench.changed();
  }

  /** Sets an edge of the new span, or of the selected one, to the cursor. */
  edge(side: "start" | "stop"): void {
    const { context } = this.bench;
    const selected = this.bench.selected();
    const cursor = this.bench.cursor();
    const span = this.draft ?? (selected === null ? undefined : this.bench.own().get(selected));
    if (!span || cursor === null) return context.announce("No span is selected.");
    const start = side === "start" ? cursor : span.start;
    const stop = side === "stop" ? cursor : span.stop;
    if (stop <= start) return context.announce(`The cursor lies ${side === "start" ? "after the end" : "before the beginning"} of the span.`);
    if (span.item === null) this.stretch(null, start, stop);
    else this.move(span.item, start, stop);
  }

  private within(start: number, stop: number): { from: number; to: number } {
    const from = Math.max(0, Math.min(Math.round(start), this.bench.n() - 1));
    return { from, to: Math.min(this.bench.n(), Math.max(Math.round(stop), from + 1)) };
  }
}
