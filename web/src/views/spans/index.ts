// Spans: paged traces, a spectrogram, one lane per author, edges to drag, spans to add.
import { effect } from "@preact/signals";
import type { Command, QueueEntry, View, ViewContext } from "../../view.ts";
import { type Doing, spanCommands } from "./commands.ts";
import { buildControls, type Controls } from "./controls.ts";
import { LaneStore } from "./lanestore.ts";
import { Night } from "./night.ts";
import { Editor } from "./editing.ts";
import { attachPointer, type Hands } from "./pointer.ts";
import { Paging } from "./paging.ts";
import { openRecording, pageTexts, type Recording, rowChannels, rowNames, stripQuery, type TraceQuery, traceQuery } from "./recording.ts";
import { EVERYTHING, MOVED, type Part, Scene, type SceneState } from "./scene.ts";
import { type Display, fittingDisplay, remember, remembered, rowsShown } from "./settings.ts";
import { lastStop, type Span, type SpanTable, typicalLength } from "./spantable.ts";
import { Walk } from "./walk.ts";
import "./spans.css";
import { laneScenes } from "./lanescenes.ts";
import { pageOf } from "./tiling.ts";
import { fittingScale, stepped } from "./tracepaint.ts";
import { clamped, clockText, sampleOf, secondsAt, showing, type Viewport, zoomed } from "./viewport.ts";

const RELOAD_MS = 250;
/** The night is painted after the page, which the reader waits for. */
const NIGHT_MS = 80;
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
  private readonly paging: Paging;
  private scene!: Scene;
  /** The whole recording at a glance, where the spans tile it. */
  private night: Night | undefined;
  private epochs: readonly [number, number] | null = null;
  private controls!: Controls;
  private recording!: Recording;
  private display!: Display;
  private view: Viewport = { start: 0, length: 1000, width: 800 };
  private scale: { key: string; uv: number } | undefined;
  private cursor: number | null = null;
  private entry: QueueEntry | undefined;
  private hidden = false;
  private readonly editor: Editor;
  private readonly walk: Walk;
  private drawing = false;
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
    this.store = new LaneStore(context.api, context.desk.key, () => this.invalidate("lanes", "overlay", "overview", "night"));
    this.paging = new Paging(context.api, context.desk.key, {
      page: () => this.query(this.view),
      strip: () => (this.display.strip ? stripQuery(this.view, this.display) : null),
      paged: (page) => {
        this.note.textContent = page.notes.join(" ");
        this.invalidate("traces");
      },
      stripped: () => this.invalidate("strip"),
      failed: (error) => { this.note.textContent = error instanceof Error ? error.message : String(error); },
    });
    this.walk = new Walk(context, { own: () => this.own, selected: () => this.selected, hidden: () => this.hidden, epochs: () => this.epochs !== null, view: () => this.view });
    this.editor = new Editor({
      context, store: this.store, n: () => this.recording.n_samples, own: () => this.own, selected: () => this.selected,
      cursor: () => this.cursor, changed: () => this.invalidate("lanes", "overlay", "night"),
    });
  }

  async open(): Promise<void> {
    const { context } = this;
    await this.store.ensure(context.blind());
    const own = (): SpanTable => this.store.set(context.blind()).own;
    this.recording = await openRecording(context.api, context.desk, () => lastStop(own()));
    const rate_hz = this.recording.rate_hz;
    this.epochs = this.store.set(context.blind()).epochs;
    if (this.epochs) this.night = new Night(context.api, context.desk.key, this.recording.n_samples, () => this.invalidate("night"));
    const fitting = fittingDisplay(rate_hz, this.recording.channels.length, (this.epochs?.[1] ?? typicalLength(own())) / rate_hz || null, this.epochs !== null);
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
    this.editor.discard();
    this.paging.close();
    this.night?.close();
    this.root.remove();
  }

  commands(): Command[] {
    return spanCommands(this.doing());
  }

  async show(entry: QueueEntry): Promise<void> {
    this.editor.discard();
    this.entry = entry;
    this.hidden = this.isHidden(entry);
    await this.store.ensure(this.hidden);
    const span = this.hidden ? await this.store.place(entry.item) : this.own.get(entry.item);
    if (this.hidden) this.store.ask(entry.item);
    if (span) {
      this.cursor = span.start;
      this.view = this.pageFor(span);
    }
    this.prefetched = 0;
    const fetched = this.refresh();
    this.flush(MOVED);
    if (fetched) await fetched;
    this.describe(span);
    if (this.epochs) this.later("beside", 0, () => this.prefetchBeside());
  }

  /** Pages of the next entries; where they lie is known without the server, but for blind ones. */
  prefetch(entry: QueueEntry): void {
    if (!this.recording?.raw || this.prefetched >= PREFETCHED) return;
    this.prefetched += 1;
    const ask = (span: Span | undefined): void => {
      if (!span) return;
      const there = this.pageFor(span);
      if (there !== this.view) this.paging.prefetch(this.query(there));
    };
    if (this.isHidden(entry)) void this.store.place(entry.item).then(ask, () => undefined);
    else ask(this.own.get(entry.item));
  }

  /** The pages after and before, for those who go on in time. */
  private prefetchBeside(): void {
    const after = this.hidden ? this.walk.unseen(this.selected ?? -1, 1) : undefined;
    if (after !== undefined) void this.store.place(after).catch(() => undefined);
    if (!this.recording.raw) return;
    for (const pages of [1, -1]) {
      const there = clamped({ ...this.view, start: this.view.start + pages * this.view.length }, this.recording.n_samples);
      if (there.start !== this.view.start) this.paging.prefetch(this.query(there));
    }
  }

  private pageFor(span: Span): Viewport {
    const n = this.recording.n_samples;
    return this.epochs ? pageOf(this.view, this.epochs, span, n) : showing(this.view, span.start, span.stop, n);
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
    const { montage, high, low, notch, rows } = this.display;
    const { bin_samples = 1, exact } = this.paging.page ?? {};
    const key = JSON.stringify([montage, high, low, notch, rows, exact, Math.round(Math.log2(bin_samples) / 3)]);
    if (this.paging.page && this.scale?.key !== key) this.scale = { key, uv: fittingScale(this.paging.page) };
    return this.scale?.uv ?? 100;
  }

  private state(): SceneState {
    const n = this.names().length;
    const { first, stop, step } = rowsShown(this.display, n, this.scene.plot_height);
    const channels = this.recording.raw ? rowChannels(this.recording, this.display.montage) : [];
    const set = this.store.set(this.hidden);
    const lanes = laneScenes(set, this.context, this.hidden, this.editor.draft?.item ?? null);
    return {
      view: this.view, recording: this.recording, page: this.paging.page, strip: this.paging.strip, show_strip: this.display.strip,
      scale_uv: this.scale_uv(), cursor: this.cursor, selected: this.selected, draft: this.editor.draft,
      lanes,
      night: this.night && {
        lanes, classes: this.context.desk.vocabulary, segments: this.recording.segments, strip: this.night.strip,
        density: this.hidden ? undefined : this.night.density,
        whole: { start: 0, length: this.recording.n_samples, width: this.view.width },
      },
      rowOf: (channel) => {
        const row = channels.indexOf(channel);
        return row >= first && row < stop && (row - first) % step === 0 ? (row - first) / step : undefined;
      },
    };
  }

  private listen(): void {
    const sized = new ResizeObserver(() => {
      this.scene.layout(this.state());
      if (this.scene.plot_width === this.view.width && this.paging.page) return this.invalidate(...EVERYTHING);
      this.view = { ...this.view, width: this.scene.plot_width };
      this.invalidate("night");
      this.moved();
    });
    sized.observe(this.scene.panel);
    this.endings.push(() => sized.disconnect());
    let first = true;
    this.endings.push(effect(() => {
      void this.context.version.value;
      this.invalidate("lanes", "overlay");
      if (this.night) this.later("night", NIGHT_MS, () => this.invalidate("night"));
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
    if (event.key === "Tab" && this.walk.step(event.shiftKey ? -1 : 1)) event.preventDefault();
    else if (event.key === "Escape" && !this.editor.draft) this.root.blur();
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
    const texts = pageTexts(this.recording, this.view, this.display, this.scene.plot_height);
    this.controls.update(this.display, { scale_uv: state.scale_uv, drawing: this.drawing, ...texts });
  }

  /** Fetches what is wanted where it is not there; the promise holds until it is painted. */
  private refresh(): Promise<void> | undefined {
    if (!this.hidden) this.night?.wantDensity();
    if (!this.recording.raw || !this.root.isConnected) return undefined;
    this.night?.wantStrip(this.display.strip_trace, this.display.montage, this.display.strip_top);
    return this.paging.refresh()?.then((shown) => { if (shown) this.flush(); });
  }

  private moved(): void {
    void this.refresh();
    this.invalidate(...MOVED);
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
    if (change.strip_trace !== undefined) this.paging.strip = undefined;
    this.invalidate("night");
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

  private describe(span: Span | undefined): void {
    if (!span) return;
    const { rate_hz, segments } = this.recording;
    const name = this.hidden ? "Span" : (this.context.state(span.item)?.label ?? this.context.desk.vocabulary[span.label]?.name ?? "Span");
    this.context.announce(`${name} at ${clockText(secondsAt(segments, span.start), 0.1)}, ${Number(((span.stop - span.start) / rate_hz).toPrecision(3))} s.`);
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
      step: (direction) => void this.walk.step(direction),
      inTime: () => this.walk.inTime(),
      montages: () => Object.keys(this.recording.montages),
      edge: (side) => this.editor.edge(side),
      edges: (start_s, stop_s) => {
        if (this.selected === null || stop_s <= start_s) return this.context.announce("Expected a selected span and an end after its beginning.");
        this.editor.move(this.selected, sample(start_s), sample(stop_s));
      },
      addAtCursor: () => {
        const start = this.cursor ?? Math.round(this.view.start + this.view.length / 2);
        this.editor.begin(start, start + Math.max(1, Math.round(typicalLength(this.own) || this.view.length / 20)));
      },
      add: (start_s, stop_s, name) => {
        const code = name ? this.context.desk.vocabulary.findIndex((entry) => entry.name === name) : this.editor.newClass;
        if (code < 0 || stop_s <= start_s) return this.context.announce("Expected an end after the beginning, and a class of this desk.");
        this.editor.create(sample(start_s), sample(stop_s), code);
      },
      remove: () => this.editor.remove(this.selected),
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
      draft: () => this.editor.draft,
      drawing: () => this.drawing,
      select: (item) => { if (item >= 0) this.context.goto(item); },
      cursor: (sample) => this.cursorTo(sample),
      stretch: (item, start, stop) => this.editor.stretch(item, start, stop),
      settle: () => this.editor.settle(),
      drawn: (start, stop) => this.editor.begin(start, stop),
      move: (start) => this.go({ ...this.view, start }),
      zoom: (factor, x) => this.zoom(factor, x),
      scroll: (rows) => this.scroll(rows),
      centre: (part) => this.go({ ...this.view, start: part * this.recording.n_samples - this.view.length / 2 }),
      choose: (part) => {
        const at = part * this.recording.n_samples;
        const [row] = this.own.visible(at, at + 1);
        if (row !== undefined && this.own.item(row) >= 0) this.context.goto(this.own.item(row));
      },
      name: (y) => {
        const { first, step } = rowsShown(this.display, this.names().length, this.scene.plot_height);
        const row = Math.floor((y / this.scene.plot_height) * (this.paging.page?.n_traces ?? 1));
        this.set({ strip: this.display.strip || !this.night, strip_trace: Math.min(this.names().length - 1, first + row * step) });
      },
    };
  }
}
