// Paints the whole view from its state; each panel is painted only when what it shows has changed.
import { nightLayout, type NightScene, paintNight, paintPlace } from "./nightpaint.ts";
import type { Recording } from "./recording.ts";
import type { LaneScene, Strip } from "./stripspaint.ts";
import {
  density, inkOn, LANE_HEIGHT, paintAxis, paintGuides, paintLanes, paintOverview, paintStrip, plotWidth, stripImage,
} from "./stripspaint.ts";
import { faded, fitted, GUTTER, type Palette, palette, Surface } from "./surface.ts";
import { middles, paintTraces, rowMiddle, type TracePage } from "./tracepaint.ts";
import { type Viewport, xOf } from "./viewport.ts";

/** A span being drawn or dragged; `item` is null while it is new. */
export interface Draft {
  item: number | null;
  start: number;
  stop: number;
  colour: string;
  name: string;
}

export interface SceneState {
  view: Viewport;
  recording: Recording;
  page: TracePage | undefined;
  strip: Strip | undefined;
  show_strip: boolean;
  scale_uv: number;
  cursor: number | null;
  selected: number | null;
  draft: Draft | null;
  lanes: LaneScene[];
  /** The whole recording, where spans tile it; it stands in the place of the overview. */
  night: Omit<NightScene, "layer"> | undefined;
  /** Row on the screen of a channel; undefined where it is not shown. */
  rowOf: (channel: number) => number | undefined;
}

export type Part = "traces" | "strip" | "lanes" | "overlay" | "overview" | "night" | "axis";
/** What changes when the page moves; the night beside it stays. */
export const MOVED: readonly Part[] = ["traces", "strip", "lanes", "overlay", "overview", "axis"];
export const EVERYTHING: readonly Part[] = [...MOVED, "night"];

export class Scene {
  readonly overview: Surface;
  readonly night: Surface;
  /** Over the night: where the page is. */
  readonly place: Surface;
  readonly axis: Surface;
  readonly lanes: Surface;
  readonly strip: Surface;
  readonly traces: Surface;
  readonly overlay: Surface;
  readonly panel: HTMLElement;
  private readonly night_panel: HTMLElement;
  private readonly empty: HTMLElement;
  private colours: Palette = palette();
  private readonly layers = new WeakMap<Strip, OffscreenCanvas>();
  private centre_of: TracePage | undefined;
  private centre: Float32Array = new Float32Array();
  private counts: { lane: LaneScene["table"]; columns: number; counts: Map<string, Uint16Array> } | undefined;

  constructor(root: HTMLElement) {
    this.overview = new Surface(root, "overview", "The whole recording; click to go there");
    this.night_panel = document.createElement("div");
    this.night_panel.className = "spans-night-panel";
    root.append(this.night_panel);
    this.night = new Surface(this.night_panel, "night", "The whole recording: hypnogram, raters, chances and spectrogram; click to go there");
    this.place = new Surface(this.night_panel, "place", "Where the page is in the recording");
    this.axis = new Surface(root, "axis", "Time");
    this.lanes = new Surface(root, "lanes", "Spans of each author; your own lane is the first");
    this.strip = new Surface(root, "strip", "Spectrogram of one trace");
    this.panel = document.createElement("div");
    this.panel.className = "spans-panel";
    root.append(this.panel);
    this.traces = new Surface(this.panel, "traces", "Traces");
    this.overlay = new Surface(this.panel, "overlay", "Spans over the traces");
    this.empty = document.createElement("p");
    this.empty.className = "spans-empty";
    this.panel.append(this.empty);
  }

  get plot_width(): number {
    return plotWidth(this.overlay);
  }

  get plot_height(): number {
    return Math.max(1, this.overlay.canvas.clientHeight);
  }

  newTheme(): void {
    this.colours = palette();
  }

  /** Heights that follow from the state; they must be right before widths are read. */
  layout(state: SceneState): void {
    const height = `${Math.max(1, state.lanes.length) * LANE_HEIGHT}px`;
    if (this.lanes.canvas.style.height !== height) this.lanes.canvas.style.height = height;
    const { night } = state;
    const tall = night ? `${nightLayout({ ...night, layer: undefined }).height}px` : "0px";
    if (this.night_panel.style.height !== tall) this.night_panel.style.height = tall;
    const overview = night ? "none" : "";
    if (this.overview.canvas.style.display !== overview) this.overview.canvas.style.display = overview;
    const show = state.show_strip && state.recording.raw ? "" : "none";
    if (this.strip.canvas.style.display !== show) this.strip.canvas.style.display = show;
  }

  paint(state: SceneState, parts: Iterable<Part>): void {
    for (const part of parts) {
      if (part === "traces") this.paintTraces(state);
      else if (part === "strip") this.paintStrip(state);
      else if (part === "lanes") paintLanes(this.lanes, state.lanes, state.view, state.selected, this.colours);
      else if (part === "overlay") this.paintOverlay(state);
      else if (part === "axis") paintAxis(this.axis, state.view, state.recording.segments, this.colours);
      else if (part === "night") this.paintNight(state);
      else this.paintOverview(state);
    }
    if (state.draft && state.lanes.length) this.paintDraftInLane(state, state.draft);
  }

  private paintTraces(state: SceneState): void {
    const surface = this.traces;
    if (!surface.begin()) return;
    this.empty.textContent = state.recording.raw ? "" : `Spans are shown and decided without traces. ${state.recording.fault}`;
    paintGuides(surface, state.view, state.recording.segments, null, this.colours, true);
    const { page } = state;
    if (!page) return;
    if (this.centre_of !== page) {
      this.centre = middles(page);
      this.centre_of = page;
    }
    const { context } = surface;
    surface.inPlot(() => {
      const scene = { page, view: state.view, height: surface.height, scale_uv: state.scale_uv, colour: this.colours.text, centre: this.centre };
      paintTraces(context, scene, GUTTER, surface.ratio);
    });
    this.paintNames(page, surface);
    this.paintScale(state.scale_uv, page.n_traces, surface);
  }

  private paintNames(page: TracePage, { context, height }: Surface): void {
    const step = Math.ceil(11 / (height / Math.max(1, page.n_traces)));
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillStyle = this.colours.muted;
    for (let row = 0; row < page.n_traces; row += step) {
      context.fillText(fitted(context, page.labels[row] ?? "", GUTTER - 10), GUTTER - 6, rowMiddle(row, page.n_traces, height), GUTTER - 10);
    }
    context.textAlign = "left";
  }

  /** A bar as high as the distance between rows, or several where that is too small to see. */
  private paintScale(scale_uv: number, n: number, { context, width, height }: Surface): void {
    const rows = Math.max(1, Math.ceil(14 / (height / n)));
    const length = (height / n) * rows;
    const x = width - 8;
    context.fillStyle = this.colours.accent;
    context.fillRect(x, height - length - 6, 2, length);
    context.textAlign = "right";
    context.textBaseline = "bottom";
    const text = `${Number((scale_uv * rows).toPrecision(3))} µV`;
    context.fillStyle = faded(this.colours.panel, 0.85);
    context.fillRect(x - 6 - context.measureText(text).width, height - 21, context.measureText(text).width + 4, 15);
    context.fillStyle = this.colours.accent;
    context.fillText(text, x - 4, height - 6);
    context.textAlign = "left";
  }

  private layerOf(strip: Strip | undefined): OffscreenCanvas | undefined {
    if (!strip?.n_columns || !strip.n_rows) return undefined;
    const known = this.layers.get(strip);
    if (known) return known;
    const made = new OffscreenCanvas(strip.n_columns, strip.n_rows);
    made.getContext("2d")!.putImageData(stripImage(strip), 0, 0);
    this.layers.set(strip, made);
    return made;
  }

  private paintNight({ night }: SceneState): void {
    if (night) paintNight(this.night, { ...night, layer: this.layerOf(night.strip) }, this.colours);
  }

  private paintStrip(state: SceneState): void {
    if (!state.show_strip) return;
    paintStrip(this.strip, state.strip, this.layerOf(state.strip), state.view, this.colours);
    paintGuides(this.strip, state.view, [], state.cursor, this.colours, false);
  }

  private paintOverlay(state: SceneState): void {
    const surface = this.overlay;
    if (!surface.begin()) return;
    const { context, height } = surface;
    const [own] = state.lanes;
    surface.inPlot(() => {
      for (const bar of own ? own.table.bars(state.view.start, state.view.length, state.view.width) : []) {
        if (!own || own.stateOf(bar.index) === "removed") continue;
        const item = own.table.item(bar.index);
        const chosen = item === state.selected && bar.count === 1;
        if (chosen && state.draft?.item === item) continue;
        const { colour } = own.classOf(own.codeOf(bar.index));
        const band = bandOf(state, own.table.channel(bar.index), height);
        context.fillStyle = faded(colour, tint(chosen, state.night !== undefined, bar.x1 - bar.x0 < 0.9 * state.view.width));
        context.fillRect(bar.x0, band.top, bar.x1 - bar.x0, band.height);
        if (!chosen) continue;
        context.fillStyle = this.colours.select;
        for (const x of [bar.x0, bar.x1]) context.fillRect(x - 1, 0, 2, height);
      }
      for (const lane of state.lanes.slice(1)) this.paintOnChannels(state, lane, height);
      if (state.draft) this.paintDraft(state.draft, state.view, height);
    });
    paintGuides(surface, state.view, [], state.cursor, this.colours, false);
  }

  /** Events that others see on one channel are underlined there. */
  private paintOnChannels(state: SceneState, lane: LaneScene, height: number): void {
    const { context } = this.overlay;
    for (const bar of lane.table.bars(state.view.start, state.view.length, state.view.width)) {
      const channel = lane.table.channel(bar.index);
      if (channel < 0 || state.rowOf(channel) === undefined) continue;
      const band = bandOf(state, channel, height);
      context.fillStyle = lane.classOf(lane.codeOf(bar.index)).colour;
      context.fillRect(bar.x0, band.top + band.height - 3, bar.x1 - bar.x0, 3);
    }
  }

  private paintDraft(draft: Draft, view: Viewport, height: number): void {
    const { context } = this.overlay;
    const x0 = xOf(view, draft.start);
    const x1 = xOf(view, draft.stop);
    context.fillStyle = faded(draft.colour, 0.25);
    context.fillRect(x0, 0, x1 - x0, height);
    context.strokeStyle = this.colours.select;
    context.setLineDash([5, 3]);
    context.lineWidth = 2;
    context.strokeRect(x0, 1, x1 - x0, height - 2);
    context.setLineDash([]);
    context.lineWidth = 1;
  }

  private paintDraftInLane(state: SceneState, draft: Draft): void {
    const { context } = this.lanes;
    this.lanes.inPlot(() => {
      const x0 = xOf(state.view, draft.start);
      const width = Math.max(2, xOf(state.view, draft.stop) - x0);
      context.fillStyle = draft.colour;
      context.fillRect(x0, 3, width, LANE_HEIGHT - 6);
      context.strokeStyle = this.colours.select;
      context.setLineDash([4, 2]);
      context.strokeRect(x0, 2, width, LANE_HEIGHT - 4);
      context.setLineDash([]);
      context.fillStyle = inkOn(draft.colour);
      context.textBaseline = "middle";
      if (width > 30) context.fillText(draft.name, Math.max(0, x0) + 4, LANE_HEIGHT / 2, width - 6);
    });
  }

  private paintOverview(state: SceneState): void {
    if (state.night) return paintPlace(this.place, state.view, state.night.whole, this.colours);
    const [own] = state.lanes;
    const n = state.recording.n_samples;
    const columns = Math.max(1, Math.min(1000, Math.round(state.view.width / 2)));
    if (own && (this.counts?.lane !== own.table || this.counts.columns !== columns)) {
      this.counts = { lane: own.table, columns, counts: density(own, n, columns) };
    }
    const whole = { start: 0, length: n, width: state.view.width };
    paintOverview(this.overview, this.counts?.counts ?? new Map(), state.view, whole, state.recording.segments, this.colours);
  }
}

/** How strongly spans colour the traces: epochs, which cover all of them, weakly. */
function tint(chosen: boolean, epochs: boolean, others: boolean): number {
  if (epochs) return chosen && others ? 0.2 : 0.06;
  return chosen ? 0.22 : 0.1;
}

/** Where a span is drawn over the traces: all of them, or the row of its channel. */
function bandOf(state: SceneState, channel: number, height: number): { top: number; height: number } {
  const n = state.page?.n_traces ?? 0;
  const row = channel < 0 ? undefined : state.rowOf(channel);
  if (row === undefined || !n) return { top: 0, height };
  return { top: (row * height) / n, height: height / n };
}
