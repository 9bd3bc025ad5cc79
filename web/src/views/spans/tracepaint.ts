// Stacked traces from the ranges of their bins.
//
// uPlot draws one path per series on axes of its own, which suits a handful of curves. A page here
// is 16 to 384 rows over one time axis, with spans drawn through all of them: the ranges are put
// into the pixels of one canvas directly, whose cost is the pixels that are touched, not the
// number of series. Only where samples lie far apart, and a curve has slopes, it is drawn as lines.
import { type Viewport, xOf } from "./viewport.ts";
import { rgb } from "./surface.ts";

export interface TracePage {
  /** (n_traces, n_bins, 2): minimum and maximum, uV; NaN where nothing is known. */
  values: Float32Array;
  n_traces: number;
  n_bins: number;
  first: number;
  bin_samples: number;
  labels: string[];
  exact: boolean;
  notes: string[];
}

const MOST_POINTS = 120_000;
/** Rows lower than this (device pixels), of bins longer than this (samples), are drawn as shades. */
const LOW_ROW = 6;
const LONG_BIN = 64;

/** Middle of each row of a page, uV: what is drawn at the row's own height. */
export function middles(page: TracePage): Float32Array {
  const found = new Float32Array(page.n_traces);
  for (let row = 0; row < page.n_traces; row++) {
    let sum = 0;
    let n = 0;
    for (let i = row * page.n_bins * 2, end = i + page.n_bins * 2; i < end; i += 2) {
      const middle = (page.values[i]! + page.values[i + 1]!) / 2;
      if (middle === middle) {
        sum += middle;
        n += 1;
      }
    }
    found[row] = n ? sum / n : 0;
  }
  return found;
}

/** uV between rows at which a typical trace fills its row: 1, 2 or 5 times a power of ten. */
export function fittingScale(page: TracePage): number {
  const centre = middles(page);
  const spans: number[] = [];
  for (let row = 0; row < page.n_traces; row++) {
    const heights: number[] = [];
    const step = Math.max(1, Math.floor(page.n_bins / 200));
    for (let bin = 0; bin < page.n_bins; bin += step) {
      const at = (row * page.n_bins + bin) * 2;
      const high = page.values[at + 1]! - centre[row]!;
      const low = page.values[at]! - centre[row]!;
      if (high === high) heights.push(Math.max(Math.abs(high), Math.abs(low)));
    }
    heights.sort((a, b) => a - b);
    const height = heights[Math.floor(heights.length * 0.97)];
    if (height) spans.push(height);
  }
  spans.sort((a, b) => a - b);
  return nice((spans[spans.length >> 1] ?? 50) * 1.8);
}

/** The nearest of 1, 2, 5 times a power of ten, by ratio. */
export function nice(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((m) => m * power).reduce((best, step) =>
    Math.abs(Math.log(step / value)) < Math.abs(Math.log(best / value)) ? step : best);
}

/** One step of 1, 2, 5, 10 up or down. */
export function stepped(value: number, up: boolean): number {
  return nice(value * (up ? 2.2 : 1 / 2.2));
}

/** Lowest and highest value in each pixel column, joined to the column before; NaN: nothing. */
export function columnsOf(
  page: TracePage, row: number, view: Viewport, width: number, low: Float32Array, high: Float32Array,
): void {
  low.fill(Number.NaN);
  high.fill(Number.NaN);
  const scale = width / view.length;
  const offset = (page.first - view.start) * scale;
  const step = page.bin_samples * scale;
  const from = Math.max(0, Math.floor(-offset / step) - 1);
  const to = Math.min(page.n_bins, Math.ceil((width - offset) / step) + 1);
  let before_low = Number.NaN;
  let before_high = Number.NaN;
  for (let bin = from; bin < to; bin++) {
    const at = (row * page.n_bins + bin) * 2;
    let bottom = page.values[at]!;
    let top = page.values[at + 1]!;
    if (bottom !== bottom) {
      before_low = Number.NaN;
      continue;
    }
    const own_low = bottom;
    const own_high = top;
    if (before_low === before_low) {
      if (bottom > before_high) bottom = before_high;
      if (top < before_low) top = before_low;
    }
    before_low = own_low;
    before_high = own_high;
    const x0 = Math.max(0, Math.floor(offset + bin * step));
    const x1 = Math.min(width, Math.max(x0 + 1, Math.floor(offset + (bin + 1) * step)));
    for (let x = x0; x < x1; x++) {
      if (!(low[x]! <= bottom)) low[x] = bottom;
      if (!(high[x]! >= top)) high[x] = top;
    }
  }
}

export interface TraceScene {
  page: TracePage;
  view: Viewport;
  /** CSS pixels. */
  height: number;
  scale_uv: number;
  colour: string;
  centre: Float32Array;
}

/** Height of the middle of a row. */
export const rowMiddle = (row: number, n: number, height: number): number => ((row + 0.5) * height) / n;

/** Draws at the origin of the context, which may be translated. `left` and `ratio` place raw pixels. */
export function paintTraces(context: CanvasRenderingContext2D, scene: TraceScene, left: number, ratio: number): void {
  const { page, view } = scene;
  if (!page.n_traces || !page.n_bins) return;
  const bin_width = (page.bin_samples / view.length) * view.width;
  const seen = Math.min(page.n_bins, view.length / page.bin_samples);
  if (bin_width * ratio >= 1 && page.n_traces * seen <= MOST_POINTS) stroke(context, scene);
  else raster(context, scene, left, ratio);
}

function stroke(context: CanvasRenderingContext2D, { page, view, height, scale_uv, colour, centre }: TraceScene): void {
  const per_uv = height / page.n_traces / scale_uv;
  const half = page.bin_samples / 2;
  const from = Math.max(0, Math.floor((view.start - page.first) / page.bin_samples) - 2);
  const to = Math.min(page.n_bins, Math.ceil((view.start + view.length - page.first) / page.bin_samples) + 2);
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.lineJoin = "round";
  for (let row = 0; row < page.n_traces; row++) {
    const y0 = rowMiddle(row, page.n_traces, height);
    let pen = false;
    context.beginPath();
    for (let bin = from; bin < to; bin++) {
      const at = (row * page.n_bins + bin) * 2;
      const bottom = page.values[at]!;
      const top = page.values[at + 1]!;
      if (bottom !== bottom) {
        pen = false;
        continue;
      }
      const x = xOf(view, page.first + bin * page.bin_samples + (page.bin_samples > 1 ? half : 0));
      const low = y0 - (bottom - centre[row]!) * per_uv;
      if (pen) context.lineTo(x, low);
      else context.moveTo(x, low);
      if (top !== bottom) context.lineTo(x, y0 - (top - centre[row]!) * per_uv);
      pen = true;
    }
    context.stroke();
  }
}

function raster(context: CanvasRenderingContext2D, scene: TraceScene, left: number, ratio: number): void {
  const { page, view, height, scale_uv, colour, centre } = scene;
  const columns = Math.round(view.width * ratio);
  const rows = Math.round(height * ratio);
  if (columns < 1 || rows < 1) return;
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const [red, green, blue] = rgb(colour);
  const shade = (alpha: number): number => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  const ink = shade(230);
  const shaded = rows / page.n_traces < LOW_ROW && page.bin_samples >= LONG_BIN;
  const low = new Float32Array(columns);
  const high = new Float32Array(columns);
  const per_uv = (height * ratio) / page.n_traces / scale_uv;
  for (let row = 0; row < page.n_traces; row++) {
    columnsOf(page, row, view, columns, low, high);
    const y0 = rowMiddle(row, page.n_traces, rows) + centre[row]! * per_uv;
    for (let x = 0; x < columns; x++) {
      const bottom = low[x]!;
      if (bottom !== bottom) continue;
      if (shaded) {
        // a curve would fill its row and the next: how far it goes is told by how dark the row is
        const tone = shade(Math.round(255 * Math.min(1, (high[x]! - bottom) / (2 * scale_uv))));
        const last = Math.round(((row + 1) * rows) / page.n_traces);
        for (let y = Math.round((row * rows) / page.n_traces); y < last; y++) pixels[y * columns + x] = tone;
        continue;
      }
      const from = Math.max(0, Math.round(y0 - high[x]! * per_uv));
      const to = Math.min(rows - 1, Math.round(y0 - bottom * per_uv));
      for (let y = from; y <= to; y++) pixels[y * columns + x] = ink;
    }
  }
  const layer = new OffscreenCanvas(columns, rows);
  layer.getContext("2d")!.putImageData(image, 0, 0);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(layer, Math.round(left * ratio), 0);
  context.restore();
}
