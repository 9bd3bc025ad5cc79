// The strips around the traces: time axis, spectrogram, lanes of spans, the whole recording.
import { faded, fitted, GUTTER, type Palette, rgb, RIGHT, type Surface } from "./surface.ts";
import type { Bar, SpanTable } from "./spantable.ts";
import { clockText, gaps, type Segment, ticks, type Viewport, xOf } from "./viewport.ts";

export function paintAxis(surface: Surface, view: Viewport, segments: readonly Segment[], colours: Palette): void {
  if (!surface.begin()) return;
  const { context } = surface;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  surface.inPlot(() => {
    context.fillStyle = colours.muted;
    context.strokeStyle = colours.line;
    for (const tick of ticks(view, segments)) {
      context.fillRect(Math.round(tick.x), 0, 1, 5);
      context.fillText(tick.text, tick.x + 4, surface.height / 2 + 1);
    }
  });
}

/** Vertical lines through a panel: time marks, gaps and the cursor. */
export function paintGuides(
  surface: Surface, view: Viewport, segments: readonly Segment[], cursor: number | null, colours: Palette, named: boolean,
): void {
  const { context } = surface;
  surface.inPlot(() => {
    context.fillStyle = faded(colours.line, 0.6);
    for (const tick of ticks(view, segments)) context.fillRect(Math.round(tick.x), 0, 1, surface.height);
    for (const gap of gaps(view, segments)) {
      context.strokeStyle = colours.warn;
      context.setLineDash([4, 3]);
      context.beginPath();
      context.moveTo(gap.x, 0);
      context.lineTo(gap.x, surface.height);
      context.stroke();
      context.setLineDash([]);
      if (!named) continue;
      context.fillStyle = colours.warn;
      context.font = "11px system-ui, sans-serif";
      context.fillText(`gap of ${clockText(gap.missing_s, 0.1)}`, gap.x + 4, 10);
    }
    if (cursor === null) return;
    context.fillStyle = colours.accent;
    context.fillRect(Math.round(xOf(view, cursor)) - 0.5, 0, 1.5, surface.height);
  });
}

export interface Strip {
  values: Uint8Array;
  n_rows: number;
  n_columns: number;
  first: number;
  column_samples: number;
  top_hz: number;
  label: string;
  exact: boolean;
}

// Dark to light through blue, green and yellow, rising in lightness (after viridis; van der Walt and Smith 2015).
const STOPS: Array<[number, number, number]> = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export function colourScale(): Uint32Array {
  const scale = new Uint32Array(256);
  for (let value = 1; value < 256; value++) {
    const place = ((value - 1) / 254) * (STOPS.length - 1);
    const index = Math.min(STOPS.length - 2, Math.floor(place));
    const part = place - index;
    const [red, green, blue] = [0, 1, 2].map((k) => Math.round(STOPS[index]![k]! * (1 - part) + STOPS[index + 1]![k]! * part)) as [number, number, number];
    scale[value] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  return scale;
}

const SCALE = colourScale();

/** Pixels of a spectrogram, lowest frequency at the bottom; columns that are not known take the nearest one. */
export function stripImage(strip: Strip): ImageData {
  const { n_rows, n_columns, values } = strip;
  const image = new ImageData(Math.max(1, n_columns), Math.max(1, n_rows));
  const pixels = new Uint32Array(image.data.buffer);
  const from = nearestKnown(strip);
  for (let column = 0; column < n_columns; column++) {
    const source = from[column]!;
    if (source < 0) continue;
    for (let row = 0; row < n_rows; row++) {
      pixels[(n_rows - 1 - row) * n_columns + column] = SCALE[values[row * n_columns + source]!]!;
    }
  }
  return image;
}

/** For each column the one to draw: itself, or, where columns were only sampled, the nearest known
 * one that is not far. */
export function nearestKnown({ values, n_rows, n_columns, exact }: Strip): Int32Array {
  const found = new Int32Array(n_columns).fill(-1);
  for (let column = 0; column < n_columns; column++) {
    for (let row = 0; row < n_rows; row++) {
      if (values[row * n_columns + column]) {
        found[column] = column;
        break;
      }
    }
  }
  if (exact) return found;
  const known = [...found.keys()].filter((column) => found[column]! >= 0);
  for (let column = 0, k = 0; column < n_columns && known.length; column++) {
    while (k + 1 < known.length && Math.abs(known[k + 1]! - column) <= Math.abs(known[k]! - column)) k += 1;
    if (Math.abs(known[k]! - column) <= n_columns / 24) found[column] = known[k]!;
  }
  return found;
}

export function paintStrip(surface: Surface, strip: Strip | undefined, layer: OffscreenCanvas | undefined, view: Viewport, colours: Palette): void {
  if (!surface.begin()) return;
  const { context } = surface;
  surface.inPlot(() => {
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, view.width, surface.height);
    if (!strip || !layer) return;
    const x0 = xOf(view, strip.first);
    const x1 = xOf(view, strip.first + strip.column_samples * strip.n_columns);
    context.imageSmoothingEnabled = false;
    context.drawImage(layer, x0, 0, x1 - x0, surface.height);
  });
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.muted;
  context.textAlign = "right";
  context.textBaseline = "top";
  if (strip) {
    context.fillText(`${Number(strip.top_hz.toPrecision(3))} Hz`, GUTTER - 6, 1);
    context.textBaseline = "middle";
    context.fillText(strip.exact ? strip.label : `${strip.label} ≈`, GUTTER - 6, surface.height / 2, GUTTER - 8);
    context.textBaseline = "bottom";
    context.fillText("0 Hz", GUTTER - 6, surface.height);
  }
  context.textAlign = "left";
}

export interface LaneScene {
  name: string;
  own: boolean;
  /** Whether it says the class of every stretch beside one's own lane, as another scorer does. */
  rates: boolean;
  table: SpanTable;
  /** Colour and name of a class code. */
  classOf: (code: number) => { name: string; colour: string };
  /** State of a span by row of the table, as the screen has it now. */
  stateOf: (index: number) => string;
  codeOf: (index: number) => number;
}

export const LANE_HEIGHT = 22;

export function paintLanes(surface: Surface, lanes: readonly LaneScene[], view: Viewport, selected: number | null, colours: Palette): void {
  if (!surface.begin()) return;
  const { context } = surface;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  lanes.forEach((lane, k) => {
    const top = k * LANE_HEIGHT;
    context.fillStyle = lane.own ? colours.text : colours.muted;
    context.textAlign = "right";
    context.fillText(fitted(context, lane.name, GUTTER - 10), GUTTER - 6, top + LANE_HEIGHT / 2, GUTTER - 10);
    context.textAlign = "left";
    context.fillStyle = colours.line;
    context.fillRect(0, top + LANE_HEIGHT - 0.5, surface.width, 0.5);
    surface.inPlot(() => {
      for (const bar of lane.table.bars(view.start, view.length, view.width)) paintBar(context, lane, bar, top, selected, colours);
    });
  });
}

function paintBar(context: CanvasRenderingContext2D, lane: LaneScene, bar: Bar, top: number, selected: number | null, colours: Palette): void {
  const state = lane.stateOf(bar.index);
  if (state === "removed" && bar.count === 1) return;
  const { name, colour } = lane.classOf(lane.codeOf(bar.index));
  const x0 = Math.max(bar.x0, -4);
  const width = Math.max(1.5, Math.min(bar.x1, 1e5) - x0);
  const open = lane.own && (state === "untouched" || state === "unsure");
  context.fillStyle = faded(colour, open ? 0.3 : lane.own ? 0.85 : 0.6);
  context.fillRect(x0, top + 3, width, LANE_HEIGHT - 6);
  if (open && width > 3) {
    context.strokeStyle = colour;
    context.setLineDash(state === "unsure" ? [2, 2] : []);
    context.strokeRect(x0 + 0.5, top + 3.5, width - 1, LANE_HEIGHT - 7);
    context.setLineDash([]);
  }
  if (lane.own && lane.table.item(bar.index) === selected && bar.count === 1) {
    context.strokeStyle = colours.select;
    context.lineWidth = 2;
    context.strokeRect(x0 - 1, top + 2, width + 2, LANE_HEIGHT - 4);
    context.lineWidth = 1;
  }
  const text = state === "unsure" ? `${name} ?` : name;
  if (width > 30 && bar.count === 1) {
    context.fillStyle = open || !lane.own ? colours.text : inkOn(colour);
    context.save();
    context.beginPath();
    context.rect(x0, top, width - 3, LANE_HEIGHT);
    context.clip();
    context.fillText(text, Math.max(x0, 0) + 4, top + LANE_HEIGHT / 2);
    context.restore();
  }
}

/** Black or white, whichever is read better on a colour. */
export function inkOn(colour: string): string {
  const [red, green, blue] = rgb(colour).map((v) => ((v / 255) ** 2.2)) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.3 ? "#0b0f13" : "#ffffff";
}

/** How many spans of which class begin in each column of the whole recording. */
export function density(lane: LaneScene, n_samples: number, columns: number): Map<string, Uint16Array> {
  const found = new Map<string, Uint16Array>();
  for (let index = 0; index < lane.table.n; index++) {
    const colour = lane.classOf(lane.codeOf(index)).colour;
    const counts = found.get(colour) ?? new Uint16Array(columns);
    found.set(colour, counts);
    const column = Math.min(columns - 1, Math.floor((lane.table.start(index) / n_samples) * columns));
    counts[column] = Math.min(65_535, counts[column]! + 1);
  }
  return found;
}

export function paintOverview(
  surface: Surface, counts: Map<string, Uint16Array>, view: Viewport, whole: Viewport, segments: readonly Segment[], colours: Palette,
): void {
  if (!surface.begin()) return;
  const { context } = surface;
  const n_columns = counts.values().next().value?.length ?? 0;
  const totals = new Float64Array(n_columns);
  for (const columns of counts.values()) columns.forEach((n, x) => { totals[x]! += n; });
  const most = totals.reduce((a, b) => Math.max(a, b), 1);
  const below = new Float64Array(n_columns);
  surface.inPlot(() => {
    context.fillStyle = colours.panel;
    context.fillRect(0, 0, whole.width, surface.height);
    for (const [colour, columns] of counts) {
      context.fillStyle = colour;
      columns.forEach((n, x) => {
        if (!n) return;
        const whole_height = (0.3 + 0.7 * (totals[x]! / most)) * (surface.height - 4);
        const height = (whole_height * n) / totals[x]!;
        below[x]! += height;
        context.fillRect((x * whole.width) / n_columns, surface.height - 2 - below[x]!, Math.max(1, whole.width / n_columns - 0.5), height);
      });
    }
    context.fillStyle = colours.warn;
    for (const gap of gaps(whole, segments)) context.fillRect(gap.x, 0, 1, surface.height);
    const x0 = xOf(whole, view.start);
    const width = Math.max(3, (view.length / whole.length) * whole.width);
    context.fillStyle = faded(colours.accent, 0.22);
    context.fillRect(x0, 0, width, surface.height);
    context.strokeStyle = colours.accent;
    context.strokeRect(x0 + 0.5, 0.5, width - 1, surface.height - 1);
  });
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillStyle = colours.muted;
  context.fillText("whole", GUTTER - 6, surface.height / 2);
  context.textAlign = "left";
}

export const plotWidth = (surface: Surface): number => Math.max(1, surface.canvas.clientWidth - GUTTER - RIGHT);
