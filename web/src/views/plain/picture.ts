// Numbers on a canvas: a line, an image.
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
