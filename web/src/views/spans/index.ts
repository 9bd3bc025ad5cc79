// Spans: paged traces, a spectrogram, one lane per author, edges to drag, spans to add.
import { effect } from "@preact/signals";
import type { Command, QueueEntry, View, ViewContext } from "../../view.ts";
import { type Doing, spanCommands } from "./commands.ts";
import { buildControls, type Controls } from "./controls.ts";
import { LaneStore } from "./lanestore.ts";
import type { Latest } from "./latest.ts";
import { attachPointer, type Hands } from "./pointer.ts";
import {
  openRecording, pageStore, type Recording, rowChannels, rowNames, type StripQuery, stripQuery, stripStore, type TraceQuery, traceQuery,
} from "./recording.ts";
import { type Draft, EVERYTHING, type Part, Scene, type SceneState } from "./scene.ts";
import { type Display, fittingDisplay, remember, remembered, rowsShown } from "./settings.ts";
import type { Span, SpanTable } from "./spantable.ts";
import "./spans.css";
import { laneScenes } from "./lanescenes.ts";
import type { Strip } from "./stripspaint.ts";
import { fittingScale, stepped, type TracePage } from "./tracepaint.ts";
import { clamped, clockText, sampleOf, secondsAt, showing, type Viewport, zoomed } from "./viewport.ts";

const AGAIN_MS = 1000;
const RELOAD_MS = 250;
const PATIENCE_MS = 5500;
const PREFETCHED = 6;

export function create(): View {
  let view: SpansView | undefined;
  return {
    async mount(root, context) {
      view = new SpansView(root, context);
      await view.open();
    },
    show: (entry) => view?.show(entry),
    prefetch: (entry) => view?.prefetch(entry),
    commands: () => view?.commands() ?? [],
    unmount() {
      view?.close();
      view = undefined;
    },
  };
}

class SpansView {
  private readonly root: HTMLElement;
  private readonly context: ViewContext;
  private readonly note: HTMLElement;
  private readonly store: LaneStore;
  private readonly pages: Latest<TraceQuery, TracePage>;
  private readonly strips: Latest<StripQuery, Strip>;
  private scene!: Scene;
  private controls!: Controls;
  private recording!: Recording;
  private display!: Display;
  private view: Viewport = { start: 0, length: 1000, width: 800 };
  private page: TracePage | undefined;
  private strip: Strip | undefined;
  private scale: { key: string; uv: number } | undefined;
  private cursor: number | null = null;
  private entry: QueueEntry | undefined;
  private hidden = false;
  private draft: Draft | null = null;
  private forgetDraft: (() => void) | undefined;
  private drawing = false;
  private newClass = 0;
  private readonly dirty = new Set<Part>();
  private frame = 0;
  private timers: Record<string, ReturnType<typeof setTimeout>> = {};
  private readonly endings: Array<() => void> = [];
  private prefetched = 0;

  constructor(root: HTMLElement, context: ViewContext) {
    this.context = context;
    this.root = document.createElement("div");
    this.root.className = "spans";
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Traces and spans. Tab: next span. Escape: leave the traces.");
    root.append(this.root);
    this.note = document.createElement("p");
    this.note.className = "spans-note";
    this.store = new LaneStore(context.api, context.desk.key, () => this.invalidate("lanes", "overlay", "overview"));
    this.pages = pageStore(context.api, context.desk.key, (error) => this.failed(error));
    this.strips = stripStore(context.api, context.desk.key, () => undefined);
  }

  async open(): Promise<void> {
    const { context } = this;
    await this.store.ensure(context.blind());
    const own = (): SpanTable => this.store.set(context.blind()).own;
    this.recording = await openRecording(context.api, context.desk, () => lastStop(own()));
    const rate_hz = this.recording.rate_hz;
    const fitting = fittingDisplay(rate_hz, this.recording.channels.length, typicalLength(own()) / rate_hz || null);
    this.display = remembered(context.desk.task, fitting);
    this.controls = buildControls(this.root, this.recording, {
      set: (change) => this.set(change), gain: (up) => this.gain(up), page: (pages) => this.pageBy(pages),
      draw: (on) => this.draw(on), leave: () => this.root.focus({ preventScroll: true }),
    });
    this.root.append(this.note);
    this.scene = new Scene(this.root);
    this.endings.push(attachPointer(this.scene, this.hands()));
    this.scene.layout(this.state());
    this.view = clamped({ start: 0, length: this.display.page_s * rate_hz, width: this.scene.plot_width }, this.recording.n_samples);
    this.listen();
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    for (const end of this.endings) end();
    this.discard();
    this.pages.clear();
    this.strips.clear();
    this.root.remove();
  }

  commands(): Command[] {
    return spanCommands(this.doing());
  }

  async show(entry: QueueEntry): Promise<void> {
    this.discard();
    this.entry = entry;
    this.hidden = this.isHidden(entry);
    await this.store.ensure(this.hidden);
    const span = this.hidden ? await this.store.place(entry.item) : this.own.get(entry.item);
    if (this.hidden) this.store.ask(entry.item);
    if (span) {
      this.cursor = span.start;
      this.view = showing(this.view, span.start, span.stop, this.recording.n_samples);
    }
    this.prefetched = 0;
    const fetched = this.refresh();
    this.flush(EVERYTHING);
    if (fetched) await fetched;
    this.describe(span);
  }

  /** Pages of the next entries; where they lie is known without the server, but for blind ones. */
  prefetch(entry: QueueEntry): void {
    if (!this.recording?.raw || this.prefetched >= PREFETCHED) return;
    this.prefetched += 1;
    const ask = (span: Span | undefined): void => {
      if (!span) return;
      const there = showing(this.view, span.start, span.stop, this.recording.n_samples);
      if (there !== this.view) void this.pages.prefetch(this.query(there));
    };
    if (this.isHidden(entry)) void this.store.place(entry.item).then(ask, () => undefined);
    else ask(this.own.get(entry.item));
  }

  private get own(): SpanTable {
    return this.store.set(this.hidden).own;
  }

  private get selected(): number | null {
    return this.entry?.item ?? null;
  }

  private isHidden(entry: QueueEntry): boolean {
    if (this.context.blind()) return true;
    return entry.blind && this.context.state(entry.item)?.state === "untouched";
  }

  private names(): string[] {
    return rowNames(this.recording, this.display.montage);
  }

  private query(view: Viewport): TraceQuery {
    return traceQuery(view, this.display, this.names().length, this.scene.plot_height);
  }

  private scale_uv(): number {
    if (this.display.scale_uv !== null) return this.display.scale_uv;
    const { montage, high, low, notch } = this.display;
    const key = JSON.stringify([montage, high, low, notch, this.page?.notes]);
    if (this.page && this.scale?.key !== key) this.scale = { key, uv: fittingScale(this.page) };
    return this.scale?.uv ?? 100;
  }

  private state(): SceneState {
    const n = this.names().length;
    const { first, stop, step } = rowsShown(this.display, n, this.scene.plot_height);
    const channels = this.recording.raw ? rowChannels(this.recording, this.display.montage) : [];
    const set = this.store.set(this.hidden);
    return {
      view: this.view, recording: this.recording, page: this.page, strip: this.strip, show_strip: this.display.strip,
      scale_uv: this.scale_uv(), cursor: this.cursor, selected: this.selected, draft: this.draft,
      lanes: laneScenes(set, this.context, this.hidden, this.draft?.item ?? null),
      rowOf: (channel) => {
        const row = channels.indexOf(channel);
        return row >= first && row < stop && (row - first) % step === 0 ? (row - first) / step : undefined;
      },
    };
  }

  private listen(): void {
    const sized = new ResizeObserver(() => {
      this.scene.layout(this.state());
      if (this.scene.plot_width === this.view.width && this.page) return this.invalidate(...EVERYTHING);
      this.view = { ...this.view, width: this.scene.plot_width };
      this.moved();
    });
    sized.observe(this.scene.panel);
    this.endings.push(() => sized.disconnect());
    let first = true;
    this.endings.push(effect(() => {
      void this.context.version.value;
      this.invalidate("lanes", "overlay");
    }), effect(() => {
      void this.context.items.value;
      if (!first) this.later("reload", RELOAD_MS, () => this.reload());
      first = false;
    }), effect(() => {
      void this.context.theme.value;
      // the new colours are in the document only after all who listen were told
      queueMicrotask(() => {
        this.scene.newTheme();
        this.invalidate(...EVERYTHING);
      });
    }));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    if (document.activeElement === document.body) this.root.focus({ preventScroll: true });
  }

  /** Tab walks from span to span while the traces have the focus; Escape lets go of them. */
  private onKey(event: KeyboardEvent): void {
    if (event.target !== this.root || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Tab" && this.step(event.shiftKey ? -1 : 1)) event.preventDefault();
    else if (event.key === "Escape" && !this.draft) this.root.blur();
  }

  private later(name: string, wait_ms: number, act: () => void): void {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(act, wait_ms);
  }

  private async reload(): Promise<void> {
    try {
      await this.store.reload();
      if (this.hidden) this.store.ask(this.selected);
      if (this.store.waits) this.later("reload", PATIENCE_MS, () => this.reload());
    } catch {
      // without a connection the lanes stay as they are; the shell tells of it
    }
  }

  private invalidate(...parts: readonly Part[]): void {
    for (const part of parts) this.dirty.add(part);
    if (!this.frame && this.scene) this.frame = requestAnimationFrame(() => this.flush());
  }

  private flush(parts: readonly Part[] = []): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const state = this.state();
    this.scene.layout(state);
    this.scene.paint(state, new Set([...this.dirty, ...parts]));
    this.dirty.clear();
    const { rate_hz, segments } = this.recording;
    const step = this.view.length / rate_hz / 100;
    const rows = rowsShown(this.display, this.names().length, this.scene.plot_height);
    this.controls.update(this.display, {
      scale_uv: state.scale_uv, drawing: this.drawing,
      rows: rows.step > 1 ? `every ${rows.step}.` : rows.stop - rows.first < this.names().length ? `${rows.first + 1}–${rows.stop} of ${this.names().length}` : "",
      when: `${clockText(secondsAt(segments, this.view.start), step)} – ${clockText(secondsAt(segments, this.view.start + this.view.length - 1), step)}`,
    });
  }

  /** Takes what is kept of the page; else fetches it and paints when it is there. */
  private refresh(): Promise<void> | undefined {
    if (!this.recording.raw) return undefined;
    const query = this.query(this.view);
    const asked = JSON.stringify(query);
    const take = (page: TracePage | undefined): void => {
      if (!page || asked !== JSON.stringify(this.query(this.view))) return;
      this.page = page;
      this.note.textContent = page.notes.join(" ");
      this.invalidate("traces");
      if (!page.exact) this.later("again", AGAIN_MS, () => void this.pages.renew(query).then(take));
    };
    clearTimeout(this.timers.again);
    this.refreshStrip();
    const kept = this.pages.get(query);
    if (kept) {
      take(kept);
      return undefined;
    }
    return this.pages.want(query).then((page) => {
      take(page);
      if (page) this.flush();
    });
  }

  private refreshStrip(): void {
    if (!this.display.strip) return;
    const query = stripQuery(this.view, this.display);
    const take = (strip: Strip | undefined): void => {
      if (!strip || JSON.stringify(query) !== JSON.stringify(stripQuery(this.view, this.display))) return;
      this.strip = strip;
      this.invalidate("strip");
    };
    const kept = this.strips.get(query);
    if (kept) take(kept);
    else this.later("strip", 60, () => void this.strips.want(query).then(take));
  }

  private failed(error: unknown): void {
    this.note.textContent = error instanceof Error ? error.message : String(error);
  }

  private moved(): void {
    void this.refresh();
    this.invalidate(...EVERYTHING);
  }

  private go(view: Viewport): void {
    this.view = clamped(view, this.recording.n_samples);
    this.moved();
  }

  private pageBy(pages: number): void {
    this.go({ ...this.view, start: this.view.start + pages * this.view.length });
    const { segments } = this.recording;
    this.context.announce(`Page from ${clockText(secondsAt(segments, this.view.start))}.`);
  }

  private set(change: Partial<Display>): void {
    const montage = change.montage;
    if (montage !== undefined && !(montage in this.recording.montages) && !this.recording.channels.includes(montage.replace(/^reference /, ""))) {
      return this.context.announce(`No montage is called ${montage}: use ${Object.keys(this.recording.montages).join(", ")} or "reference" and a channel.`);
    }
    this.display = { ...this.display, ...change };
    remember(this.context.desk.task, change);
    if (change.page_s !== undefined) {
      const centre = this.cursor ?? this.view.start + this.view.length / 2;
      const length = change.page_s * this.recording.rate_hz;
      this.view = clamped({ ...this.view, start: centre - length / 2, length }, this.recording.n_samples);
    }
    this.strip = change.strip_trace === undefined ? this.strip : undefined;
    this.scene.layout(this.state());
    this.moved();
  }

  private gain(up: boolean): void {
    this.set({ scale_uv: stepped(this.scale_uv(), !up) });
    this.context.announce(`${this.display.scale_uv} microvolts between rows.`);
  }

  private zoom(factor: number, x: number): void {
    this.view = zoomed(this.view, factor, x, this.recording.n_samples);
    this.display = { ...this.display, page_s: this.view.length / this.recording.rate_hz };
    this.moved();
  }

  private scroll(rows: number): void {
    const n = this.names().length;
    const { first, stop } = rowsShown({ ...this.display, top: this.display.top + rows }, n, this.scene.plot_height);
    if (first !== this.display.top) this.set({ top: first });
    this.context.announce(`Channels ${first + 1} to ${stop} of ${n}.`);
  }

  private draw(on: boolean): void {
    this.drawing = on;
    this.invalidate("overlay");
    this.context.announce(on ? "Drawing: drag over the traces." : "Dragging moves the page.");
  }

  private step(direction: 1 | -1): boolean {
    const selected = this.selected === null ? undefined : this.own.get(this.selected);
    let at = selected?.start ?? this.view.start + (direction > 0 ? -1 : this.view.length);
    for (let row = this.own.next(at, direction); row !== undefined; row = this.own.next(at, direction)) {
      const item = this.own.item(row);
      if (item >= 0 && this.context.state(item)?.state !== "removed") {
        this.context.goto(item);
        return true;
      }
      at = this.own.start(row);
    }
    this.context.announce(direction > 0 ? "No span follows." : "No span before this one.");
    return false;
  }

  private describe(span: Span | undefined): void {
    if (!span) return;
    const { rate_hz, segments } = this.recording;
    const name = this.hidden ? "Span" : (this.context.state(span.item)?.label ?? this.context.desk.vocabulary[span.label]?.name ?? "Span");
    this.context.announce(`${name} at ${clockText(secondsAt(segments, span.start), 0.1)}, ${Number(((span.stop - span.start) / rate_hz).toPrecision(3))} s.`);
  }

  private move(item: number, start: number, stop: number): void {
    const known = this.own.get(item);
    if (!known || (known.start === start && known.stop === stop)) return;
    if (item < 0) return this.context.announce("This span is still being saved: try again in a moment.");
    this.store.move(item, start, stop);
    this.context.decide([{ kind: "move", items: [item], payload: { start, stop }, optimistic: [[item, { state: "changed" }]] }]);
    this.context.announce("Edges moved.");
  }

  private create(start: number, stop: number, code: number): void {
    const name = this.context.desk.vocabulary[code]?.name;
    if (!name) return;
    this.newClass = code;
    this.discard();
    this.store.create(start, stop, code);
    const rows = [{ start, stop, label: name }];
    this.context.decide([{ kind: "add", items: [], payload: this.context.blind() ? { rows, blind: true } : { rows } }]);
    this.context.announce(`Added: ${name}.`);
  }

  /** A new span that has no class yet; its keys are the class keys, Enter and Escape. */
  private begin(start: number, stop: number): void {
    const n = this.recording.n_samples;
    const from = Math.max(0, Math.min(start, n - 1));
    const to = Math.min(n, Math.max(stop, from + 1));
    const { vocabulary } = this.context.desk;
    const entry = vocabulary[this.newClass] ?? vocabulary[0];
    this.draft = { item: null, start: from, stop: to, colour: entry?.colour ?? "#888888", name: `${entry?.name ?? ""}?` };
    this.invalidate("overlay", "lanes");
    if (this.forgetDraft) return;
    const take = (code: number) => () => { if (this.draft) this.create(this.draft.start, this.draft.stop, code); };
    this.forgetDraft = this.context.keys.add("New span", [
      { name: "new-span-done", help: `Keep the new span as ${entry?.name}`, key: "Enter", run: () => take(this.newClass)() },
      { name: "new-span-discard", help: "Discard the new span", key: "Escape", run: () => this.discard() },
      ...vocabulary.map((kind, code): Command => ({ name: `new-span-${kind.name}`, help: `The new span is: ${kind.name}`, key: kind.key, run: take(code) })),
    ]);
    const keys = vocabulary.map((kind) => `${kind.key} ${kind.name}`).join(", ");
    this.context.announce(`New span: ${keys}; Enter: ${entry?.name}; Escape: discard.`);
  }

  private discard(): void {
    this.forgetDraft?.();
    this.forgetDraft = undefined;
    if (this.draft) this.invalidate("overlay", "lanes");
    this.draft = null;
  }

  private stretch(item: number | null, start: number, stop: number): void {
    const n = this.recording.n_samples;
    const edges = { start: Math.max(0, Math.min(start, n - 1)), stop: Math.min(n, Math.max(1, stop)) };
    if (item === null && this.draft) this.draft = { ...this.draft, ...edges };
    else if (item !== null) {
      const span = this.own.get(item);
      const entry = this.context.desk.vocabulary[span?.label ?? -1];
      this.draft = { item, ...edges, colour: entry?.colour ?? "#888888", name: entry?.name ?? "" };
    }
    this.invalidate("overlay", "lanes");
  }

  private edge(side: "start" | "stop"): void {
    const span = this.draft ?? (this.selected === null ? undefined : this.own.get(this.selected));
    if (!span || this.cursor === null) return this.context.announce("No span is selected.");
    const start = side === "start" ? this.cursor : span.start;
    const stop = side === "stop" ? this.cursor : span.stop;
    if (stop <= start) return this.context.announce(`The cursor lies ${side === "start" ? "after the end" : "before the beginning"} of the span.`);
    if (span.item === null) this.stretch(null, start, stop);
    else this.move(span.item, start, stop);
  }

  private doing(): Doing {
    const sample = (seconds: number): number => sampleOf(this.recording.segments, seconds);
    return {
      announce: (text) => this.context.announce(text),
      page: (pages) => this.pageBy(pages),
      cursorBy: (pages) => this.cursorTo((this.cursor ?? this.view.start) + Math.sign(pages) * Math.max(1, Math.abs(pages) * this.view.length)),
      toTime: (seconds) => {
        this.cursorTo(sample(seconds));
        this.go({ ...this.view, start: sample(seconds) - this.view.length / 2 });
      },
      toEnd: (last) => this.go({ ...this.view, start: last ? this.recording.n_samples : 0 }),
      step: (direction) => void this.step(direction),
      edge: (side) => this.edge(side),
      edges: (start_s, stop_s) => {
        if (this.selected === null || stop_s <= start_s) return this.context.announce("Expected a selected span and an end after its beginning.");
        this.move(this.selected, sample(start_s), sample(stop_s));
      },
      addAtCursor: () => {
        const start = this.cursor ?? Math.round(this.view.start + this.view.length / 2);
        this.begin(start, start + Math.max(1, Math.round(typicalLength(this.own) || this.view.length / 20)));
      },
      add: (start_s, stop_s, name) => {
        const code = name ? this.context.desk.vocabulary.findIndex((entry) => entry.name === name) : this.newClass;
        if (code < 0 || stop_s <= start_s) return this.context.announce("Expected an end after the beginning, and a class of this desk.");
        this.create(sample(start_s), Math.max(sample(stop_s), sample(start_s) + 1), code);
      },
      remove: () => {
        const item = this.selected;
        if (item === null || item < 0) return this.context.announce("No span is selected.");
        this.store.remove(item);
        this.context.decide([{ kind: "remove", items: [item], optimistic: [[item, { state: "removed" }]] }], { advance: true });
      },
      gain: (up) => this.gain(up),
      zoom: (factor) => this.zoom(factor, this.view.width / 2),
      scroll: (direction) => this.scroll(direction * Math.max(1, this.display.rows)),
      draw: () => this.draw(!this.drawing),
      display: () => this.display,
      set: (change) => this.set(change),
    };
  }

  private cursorTo(sample: number): void {
    this.cursor = Math.max(0, Math.min(Math.round(sample), this.recording.n_samples));
    const { start, length } = this.view;
    if (this.cursor < start || this.cursor > start + length) this.go({ ...this.view, start: this.cursor - length / 2 });
    else this.invalidate("overlay", "strip");
  }

  private hands(): Hands {
    return {
      view: () => this.view,
      own: () => this.own,
      selected: () => this.selected,
      draft: () => this.draft,
      drawing: () => this.drawing,
      select: (item) => { if (item >= 0) this.context.goto(item); },
      cursor: (sample) => this.cursorTo(sample),
      stretch: (item, start, stop) => this.stretch(item, start, stop),
      settle: () => {
        const { draft } = this;
        if (!draft || draft.item === null) return;
        this.draft = null;
        this.move(draft.item, draft.start, draft.stop);
        this.invalidate("overlay", "lanes");
      },
      drawn: (start, stop) => this.begin(start, stop),
      move: (start) => this.go({ ...this.view, start }),
      zoom: (factor, x) => this.zoom(factor, x),
      scroll: (rows) => this.scroll(rows),
      centre: (part) => this.go({ ...this.view, start: part * this.recording.n_samples - this.view.length / 2 }),
      name: (y) => {
        const { first, step } = rowsShown(this.display, this.names().length, this.scene.plot_height);
        const row = Math.floor((y / this.scene.plot_height) * (this.page?.n_traces ?? 1));
        this.set({ strip: true, strip_trace: Math.min(this.names().length - 1, first + row * step) });
      },
    };
  }
}

function lastStop(table: SpanTable): number {
  let last = 0;
  for (let row = 0; row < table.n; row++) last = Math.max(last, table.stop(row));
  return last;
}

/** Median length of the spans, samples; 0 where there are none. */
function typicalLength(table: SpanTable): number {
  const lengths = Float64Array.from({ length: Math.min(table.n, 2000) }, (_, row) => table.stop(row) - table.start(row)).sort();
  return lengths[lengths.length >> 1] ?? 0;
}
