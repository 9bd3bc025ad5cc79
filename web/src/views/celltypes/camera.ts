// Where places of the map are on the screen: one scale for both axes, for distances mean something.

export interface Box {
  width: number;
  height: number;
}

export class Camera {
  private scale = 1;
  private x = 0;
  private y = 0;
  private box: Box = { width: 1, height: 1 };
  private moved = false;

  /** Shows all places, and keeps a margin. */
  fit(xs: ArrayLike<number>, ys: ArrayLike<number>, box: Box, margin: number): void {
    const [left, right] = ends(xs), [low, high] = ends(ys);
    this.box = box;
    this.scale = Math.max(1e-9, Math.min((box.width - 2 * margin) / (right - left), (box.height - 2 * margin) / (high - low)));
    [this.x, this.y] = [(left + right) / 2, (low + high) / 2];
    this.moved = false;
  }

  /** Whether the reader has moved or zoomed since everything was shown. */
  get isMoved(): boolean {
    return this.moved;
  }

  get pixels(): number {
    return this.scale;
  }

  resize(box: Box): void {
    this.box = box;
  }

  project(x: number, y: number): [number, number] {
    return [this.box.width / 2 + (x - this.x) * this.scale, this.box.height / 2 - (y - this.y) * this.scale];
  }

  toMap(px: number, py: number): [number, number] {
    return [this.x + (px - this.box.width / 2) / this.scale, this.y - (py - this.box.height / 2) / this.scale];
  }

  pan(dx: number, dy: number): void {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
    this.moved = true;
  }

  /** The place under the pointer stays under it. */
  zoom(factor: number, px: number, py: number): void {
    const [x, y] = this.toMap(px, py);
    this.scale *= factor;
    const [nowX, nowY] = this.toMap(px, py);
    this.x += x - nowX;
    this.y += y - nowY;
    this.moved = true;
  }
}

/** Index of the nearest place within `reach` pixels, or -1. */
export function nearest(camera: Camera, xs: ArrayLike<number>, ys: ArrayLike<number>, px: number, py: number, reach: number): number {
  let found = -1, least = reach * reach;
  for (let k = 0; k < xs.length; k++) {
    if (!Number.isFinite(xs[k]) || !Number.isFinite(ys[k])) continue;
    const [x, y] = camera.project(xs[k]!, ys[k]!);
    const away = (x - px) ** 2 + (y - py) ** 2;
    if (away <= least) [found, least] = [k, away];
  }
  return found;
}

function ends(values: ArrayLike<number>): [number, number] {
  let low = Infinity, high = -Infinity;
  for (let k = 0; k < values.length; k++) {
    if (!Number.isFinite(values[k])) continue;
    low = Math.min(low, values[k]!);
    high = Math.max(high, values[k]!);
  }
  if (!(low <= high)) return [-1, 1];
  return low === high ? [low - 1, high + 1] : [low, high];
}
