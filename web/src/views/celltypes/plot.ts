// Axes, lines and images on a canvas, in CSS pixels.

export type Scale = (value: number) => number;
export type Brush = CanvasRenderingContext2D;

export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Axis {
  scale: Scale;
  ticks: number[];
  text: (value: number) => string;
  label: string;
}

export interface Palette {
  text: string;
  muted: string;
  line: string;
  panel: string;
  unit: string;
  select: string;
}

export const FONT = "11px system-ui, sans-serif";

/** The theme's colours, read once per painting. */
export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: of("--text"), muted: of("--muted"), line: of("--line"), panel: of("--panel"),
    unit: of("--series-1"), select: of("--select"),
  };
}

export function linear([a, b]: readonly [number, number], [p, q]: readonly [number, number]): Scale {
  const slope = b === a ? 0 : (q - p) / (b - a);
  return (value) => p + (value - a) * slope;
}

export function logarithmic([a, b]: readonly [number, number], range: readonly [number, number]): Scale {
  const scale = linear([Math.log10(a), Math.log10(b)], range);
  return (value) => scale(Math.log10(value));
}

/** Powers of ten from low to high, rounding errors of their ends forgiven. */
export function decades(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.ceil(Math.log10(low) - 0.05); power <= Math.floor(Math.log10(high) + 0.05); power++) {
    ticks.push(Number(`1e${power}`));
  }
  return ticks;
}

/** About n round values inside the range. */
export function niceTicks(low: number, high: number, n: number): number[] {
  const rough = (high - low) / Math.max(1, n);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough * 0.999)!;
  const ticks: number[] = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

/** "1 ms", "100 ms", "1 s". */
export function duration(seconds: number): string {
  return seconds < 0.9995 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;
}

export function plain(value: number): string {
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

/** Least and greatest finite value of all; never the same. */
export function extent(...all: Array<ArrayLike<number>>): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const values of all) {
    for (let k = 0; k < values.length; k++) {
      const value = values[k]!;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

export function inside(width: number, height: number, [top, right, bottom, left]: [number, number, number, number]): Frame {
  return { left, top, width: Math.max(1, width - left - right), height: Math.max(1, height - top - bottom) };
}

/** The frame with ticks and titles outside of it; the vertical title lies along the left edge. */
export function drawAxes(brush: Brush, frame: Frame, colours: Palette, x: Axis, y: Axis): void {
  const { left, top, width, height } = frame;
  const bottom = top + height;
  brush.save();
  brush.font = FONT;
  brush.lineWidth = 1;
  brush.strokeStyle = colours.line;
  brush.strokeRect(Math.round(left) + 0.5, Math.round(top) + 0.5, Math.round(width), Math.round(height));
  brush.fillStyle = colours.muted;
  brush.textBaseline = "top";
  for (const tick of x.ticks) {
    const at = x.scale(tick);
    if (at < left - 4 || at > left + width + 4) continue;
    brush.fillRect(Math.round(Math.min(Math.max(at, left), left + width)), bottom, 1, 4);
    const text = x.text(tick), half = brush.measureText(text).width / 2;
    brush.textAlign = "center";
    brush.fillText(text, Math.min(Math.max(at, left + half - 8), left + width + 8 - half), bottom + 6);
  }
  brush.textBaseline = "middle";
  brush.textAlign = "right";
  for (const tick of y.ticks) {
    const at = y.scale(tick);
    if (at < top - 1 || at > bottom + 1) continue;
    brush.fillRect(left - 4, Math.round(at), 4, 1);
    brush.fillText(y.text(tick), left - 6, at);
  }
  brush.textAlign = "center";
  brush.textBaseline = "bottom";
  if (x.label) brush.fillText(x.label, left + width / 2, bottom + 33);
  if (y.label) {
    brush.translate(1, top + height / 2);
    brush.rotate(-Math.PI / 2);
    brush.textBaseline = "top";
    brush.fillText(y.label, 0, 0);
  }
  brush.restore();
}

export function clipped(brush: Brush, { left, top, width, height }: Frame, paint: () => void): void {
  brush.save();
  brush.beginPath();
  brush.rect(left, top, width, height);
  brush.clip();
  paint();
  brush.restore();
}

export function drawLine(brush: Brush, x: ArrayLike<number>, y: ArrayLike<number>, px: Scale, py: Scale): void {
  brush.beginPath();
  let pen = false;
  for (let k = 0; k < y.length; k++) {
    if (!Number.isFinite(y[k])) { pen = false; continue; }
    if (pen) brush.lineTo(px(x[k]!), py(y[k]!));
    else brush.moveTo(px(x[k]!), py(y[k]!));
    pen = true;
  }
  brush.stroke();
}

/** Mean and one standard deviation to either side. */
export function drawBand(
  brush: Brush, x: ArrayLike<number>, mean: ArrayLike<number>, spread: ArrayLike<number>, px: Scale, py: Scale,
): void {
  const known = Array.from({ length: mean.length }, (_, k) => k).filter((k) => Number.isFinite(mean[k]) && Number.isFinite(spread[k]));
  brush.beginPath();
  for (const k of known) brush.lineTo(px(x[k]!), py(mean[k]! + spread[k]!));
  for (const k of known.reverse()) brush.lineTo(px(x[k]!), py(mean[k]! - spread[k]!));
  brush.fill();
}

/** Height of the strip that `drawSaliency` paints below a frame's curves. */
export const STRIP = 30;

/**
 * What each sample says: grey under the curve by how much, and bars in a strip along the bottom, upwards
 * for the class, downwards against it. Sides, not colours, tell them apart: colours are classes here.
 */
export function drawSaliency(
  brush: Brush, frame: Frame, x: ArrayLike<number>, curve: ArrayLike<number>, saliency: readonly number[],
  px: Scale, py: Scale, colours: Palette,
): void {
  const most = Math.max(...saliency.map((value) => Math.abs(value) || 0));
  if (!(most > 0)) return;
  const bottom = frame.top + frame.height, middle = bottom - STRIP / 2, reach = STRIP / 2 - 3;
  brush.save();
  brush.fillStyle = colours.panel;
  brush.fillRect(frame.left, bottom - STRIP, frame.width, STRIP);
  brush.fillStyle = colours.line;
  brush.fillRect(frame.left, bottom - STRIP, frame.width, 1);
  brush.fillRect(frame.left, middle, frame.width, 1);
  saliency.forEach((value, k) => {
    if (!value) return;
    const before = px(x[Math.max(0, k - 1)]!), here = px(x[k]!), after = px(x[Math.min(x.length - 1, k + 1)]!);
    const from = (before + here) / 2, width = (after - before) / 2 + 0.3;
    const share = value / most;
    brush.globalAlpha = 1;
    brush.fillStyle = value > 0 ? colours.text : colours.muted;
    brush.fillRect(from, Math.min(middle, middle - reach * share), width, Math.abs(reach * share));
    if (!Number.isFinite(curve[k])) return;
    brush.fillStyle = colours.text;
    brush.globalAlpha = 0.22 * Math.abs(share);
    const base = py(0), tip = py(curve[k]!);
    brush.fillRect(from, Math.min(base, tip), width, Math.abs(base - tip));
  });
  brush.restore();
}

/** Mean over each cell and its neighbours: where a region begins is told, not which single cell is in it. */
export function smoothed(values: ArrayLike<number>, rows: number, columns: number): number[] {
  return Array.from({ length: rows * columns }, (_, at) => {
    const row = Math.floor(at / columns), column = at % columns;
    let sum = 0, n = 0;
    for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++) {
      for (let c = Math.max(0, column - 1); c <= Math.min(columns - 1, column + 1); c++) {
        sum += values[r * columns + c] || 0;
        n += 1;
      }
    }
    return sum / n;
  });
}

/** Outlines of the cells of which a mask holds, as line segments between corners of cells. */
export function outlines(mask: ArrayLike<boolean>, rows: number, columns: number): Array<[number, number, number, number]> {
  const held = (r: number, c: number) => r >= 0 && c >= 0 && r < rows && c < columns && mask[r * columns + c] === true;
  const found: Array<[number, number, number, number]> = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      if (!held(r, c)) continue;
      if (!held(r - 1, c)) found.push([c, r, c + 1, r]);
      if (!held(r + 1, c)) found.push([c, r + 1, c + 1, r + 1]);
      if (!held(r, c - 1)) found.push([c, r, c, r + 1]);
      if (!held(r, c + 1)) found.push([c + 1, r, c + 1, r + 1]);
    }
  }
  return found;
}

// Cividis (Nunez, Anderton and Renslow 2018, PLoS ONE 13:e0199239): the same for any colour vision.
const CIVIDIS: Array<[number, number, number]> = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116],
  [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

/** Colour of a share from 0 to 1. */
export function cividis(share: number): [number, number, number] {
  const at = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const k = Math.min(Math.floor(at), CIVIDIS.length - 2), rest = at - k;
  return [0, 1, 2].map((c) => Math.round(CIVIDIS[k]![c]! * (1 - rest) + CIVIDIS[k + 1]![c]! * rest)) as [number, number, number];
}

/** Rows from the bottom upwards; what is not known stays clear. */
export function drawHeat(
  brush: Brush, { left, top, width, height }: Frame, values: ArrayLike<number>, rows: number, columns: number, most: number,
): void {
  const image = new ImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = values[row * columns + column]!;
      const at = 4 * ((rows - 1 - row) * columns + column);
      if (!Number.isFinite(value)) continue;
      image.data.set([...cividis(value / most), 255], at);
    }
  }
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d")!.putImageData(image, 0, 0);
  brush.imageSmoothingEnabled = false;
  brush.drawImage(small, left, top, width, height);
}

/** "#rrggbb" a third nearer to white; other colours as they are. */
export function lighter(colour: string): string {
  const hex = /^#([0-9a-f]{6})$/i.exec(colour);
  if (!hex) return colour;
  const value = Number.parseInt(hex[1]!, 16);
  const parts = [value >> 16, (value >> 8) & 255, value & 255].map((part) => Math.round(part + (255 - part) / 3));
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
