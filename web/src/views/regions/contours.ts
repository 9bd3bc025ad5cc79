// Thousands of outlines on one canvas. They run along the edges of pixels, so a line is a run of equal
// values in memory: setting them by hand is faster than any canvas call, and needs no graphics card.
import type { Camera, Size } from "./camera.ts";
import type { Rgb } from "./colours.ts";

export interface Drawn {
  pieces: Float32Array;
  colour: Rgb;
}

const OPAQUE = 0xff000000;

/** Paints outlines over what the buffer holds; `ratio` is the screen's pixels per CSS pixel. */
export function rasterise(
  outlines: readonly Drawn[], buffer: Uint32Array, width: number, height: number, camera: Camera, pane: Size, ratio: number, thick: number,
): void {
  const scale = camera.scale * ratio;
  const left = (pane.width / 2) * ratio - camera.x * scale, top = (pane.height / 2) * ratio - camera.y * scale;
  const before = thick >> 1, after = thick - before;
  for (const { pieces, colour } of outlines) {
    const value = (OPAQUE | (colour[2] << 16) | (colour[1] << 8) | colour[0]) >>> 0;
    for (let i = 0; i < pieces.length; i += 4) {
      const x0 = Math.max(0, Math.round(pieces[i]! * scale + left) - before), x1 = Math.min(width, Math.round(pieces[i + 2]! * scale + left) + after);
      if (x1 <= x0) continue;
      const y0 = Math.max(0, Math.round(pieces[i + 1]! * scale + top) - before), y1 = Math.min(height, Math.round(pieces[i + 3]! * scale + top) + after);
      for (let y = y0; y < y1; y++) for (let at = y * width + x0, end = y * width + x1; at < end; at++) buffer[at] = value;
    }
  }
}

export class ContourPainter {
  private readonly canvas: HTMLCanvasElement;
  private image: ImageData | null = null;
  private outlines: readonly Drawn[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
  }

  /** False where they are what was drawn before. */
  load(outlines: readonly Drawn[]): boolean {
    const before = this.outlines;
    this.outlines = outlines;
    const same = (one: Drawn, k: number) => one.pieces === before[k]!.pieces && one.colour.every((value, c) => value === before[k]!.colour[c]);
    return outlines.length !== before.length || !outlines.every(same);
  }

  paint(camera: Camera, pane: Size, thick: number): void {
    const { width, height } = this.canvas;
    if (this.image?.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    const buffer = new Uint32Array(this.image.data.buffer);
    buffer.fill(0);
    const ratio = width / pane.width;
    rasterise(this.outlines, buffer, width, height, camera, pane, ratio, Math.max(1, Math.round(thick * ratio)));
    this.canvas.getContext("2d")!.putImageData(this.image, 0, 0);
  }
}
