// Numbers on a canvas: a line, an image, points in their own coordinates.
import { cssColour } from "../../theme.ts";
import type { NdArray } from "../../view.ts";

/** Fits the canvas to its box in device pixels and clears it; everything after is in CSS pixels. */
export function prepare(canvas: HTMLCanvasElement): { brush: CanvasRenderingContext2D; width: number; height: number } {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const brush = canvas.getContext("2d")!;
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { brush, width, height };
}

/** One item's array: 1-D as a line, 2-D as an image in grey, (y, x, 3) bytes in colour. */
export function drawArray(canvas: HTMLCanvasElement, array: NdArray): void {
  const shape = array.shape.slice(1);
  const values = Array.from(array.data as ArrayLike<number | bigint>, Number);
  if (shape.length === 1) drawLine(canvas, values);
  else drawImage(canvas, values, shape[0]!, shape[1]!, shape.length === 3 && shape[2] === 3);
}

function drawLine(canvas: HTMLCanvasElement, values: number[]): void {
  const { brush, width, height } = prepare(canvas);
  const [low, high] = range(values);
  brush.strokeStyle = cssColour("--series-1");
  brush.lineWidth = 1.5;
  brush.beginPath();
  let pen = false;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) { pen = false; return; }
    const x = (i / Math.max(1, values.length - 1)) * (width - 4) + 2;
    const y = height - 4 - ((value - low) / (high - low)) * (height - 8);
    if (pen) brush.lineTo(x, y);
    else brush.moveTo(x, y);
    pen = true;
  });
  brush.stroke();
}

function drawImage(canvas: HTMLCanvasElement, values: number[], rows: number, columns: number, colour: boolean): void {
  const { brush, width, height } = prepare(canvas);
  const [low, high] = colour ? [0, 255] : range(values);
  const image = new ImageData(Math.max(1, columns), Math.max(1, rows));
  for (let i = 0; i < rows * columns; i++) {
    for (let c = 0; c < 3; c++) {
      const value = values[colour ? 3 * i + c : i]!;
      image.data[4 * i + c] = Number.isFinite(value) ? (255 * (value - low)) / (high - low) : 128;
    }
    image.data[4 * i + 3] = 255;
  }
  const small = new OffscreenCanvas(image.width, image.height);
  small.getContext("2d")!.putImageData(image, 0, 0);
  const scale = Math.min(width / image.width, height / image.height);
  brush.imageSmoothingEnabled = false;
  brush.drawImage(small, (width - image.width * scale) / 2, (height - image.height * scale) / 2, image.width * scale, image.height * scale);
}

export interface Dots {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** Index of the dot to mark, or -1. */
  marked: number;
}

/** Image coordinates: y grows downward, one scale for both axes. */
export function drawDots(canvas: HTMLCanvasElement, dots: Dots): void {
  const { brush, width, height } = prepare(canvas);
  const [left, right] = range(dots.x), [low, high] = range(dots.y);
  const margin = 26;
  const scale = Math.min((width - 2 * margin) / (right - left), (height - 2 * margin) / (high - low));
  const px = (x: number) => margin + (x - left) * scale, py = (y: number) => margin + (y - low) * scale;
  frame(brush, [left, right], [low, high], px, py);
  brush.fillStyle = cssColour("--series-1");
  brush.globalAlpha = 0.75;
  for (let i = 0; i < dots.x.length; i++) dot(brush, px(dots.x[i]!), py(dots.y[i]!), 2.5);
  brush.globalAlpha = 1;
  if (dots.marked >= 0 && dots.marked < dots.x.length) {
    brush.fillStyle = cssColour("--series-2");
    dot(brush, px(dots.x[dots.marked]!), py(dots.y[dots.marked]!), 6);
  }
}

function dot(brush: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  brush.beginPath();
  brush.arc(x, y, radius, 0, 2 * Math.PI);
  brush.fill();
}

function frame(
  brush: CanvasRenderingContext2D, x: [number, number], y: [number, number], px: (x: number) => number, py: (y: number) => number,
): void {
  brush.strokeStyle = cssColour("--line");
  brush.fillStyle = cssColour("--muted");
  brush.font = "11px system-ui";
  brush.strokeRect(px(x[0]) - 3, py(y[0]) - 3, px(x[1]) - px(x[0]) + 6, py(y[1]) - py(y[0]) + 6);
  brush.fillText(`${short(x[0])}, ${short(y[0])}`, px(x[0]) - 3, py(y[0]) - 8);
  brush.fillText(`${short(x[1])}, ${short(y[1])}`, px(x[1]) - 24, py(y[1]) + 18);
}

export const short = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(4));

/** Least and greatest finite value; never the same. */
export function range(values: ArrayLike<number>): [number, number] {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}
