// The regions of a field as they stand on this page: the server's, under what was just drawn here.
import type { Grid, Pixels } from "./masks.ts";
import { outline, Stamp } from "./masks.ts";
import type { Region } from "./store.ts";

export class Ground {
  readonly grid: Grid;
  plane = 0;
  regions = new Map<number, Region>();
  private readonly stamp: Stamp;
  private readonly pieces = new Map<number, Float32Array>();
  private owner: Int32Array = new Int32Array();

  constructor(grid: Grid) {
    this.grid = grid;
    this.stamp = new Stamp(grid);
  }

  /** Takes what the server has; returns the items that are other than before, and those that are gone. */
  load(found: Map<number, Region>): { changed: number[]; missing: number[] } {
    const before = this.regions;
    const changed = [...found].filter(([item, region]) => !alike(before.get(item), region)).map(([item]) => item);
    const missing = [...before.keys()].filter((item) => !found.has(item));
    this.regions = found;
    for (const item of [...changed, ...missing]) this.pieces.delete(item);
    this.own();
    return { changed, missing };
  }

  /** Puts an outline there at once, before the server has it; null takes it away. */
  stand(item: number, region: Region | null): void {
    if (region) this.regions.set(item, region);
    else this.regions.delete(item);
    this.pieces.delete(item);
    this.own();
  }

  choosePlane(plane: number): void {
    this.plane = plane;
    this.own();
  }

  piecesOf(item: number): Float32Array {
    let found = this.pieces.get(item);
    if (!found) {
      const region = this.regions.get(item);
      this.pieces.set(item, (found = region ? this.outline(region.pixels) : new Float32Array()));
    }
    return found;
  }

  outline(pixels: Pixels): Float32Array {
    return outline(pixels, this.stamp);
  }

  isShown(item: number): boolean {
    return this.regions.get(item)?.plane === this.plane;
  }

  inside(x: number, y: number): boolean {
    return x >= 0 && y >= 0 && x < this.grid.width && y < this.grid.height;
  }

  /** The region at a place of this plane: of several, the smallest. */
  at(x: number, y: number): number | null {
    const item = this.inside(x, y) ? this.owner[Math.floor(y) * this.grid.width + Math.floor(x)]! : -1;
    return item < 0 ? null : item;
  }

  private own(): void {
    this.owner = new Int32Array(this.grid.width * this.grid.height).fill(-1);
    const here = [...this.regions].filter(([item]) => this.isShown(item));
    here.sort((a, b) => b[1].pixels.length - a[1].pixels.length);
    for (const [item, region] of here) for (const pixel of region.pixels) this.owner[pixel] = item;
  }
}

export function alike(a: Region | undefined, b: Region): boolean {
  return a !== undefined && a.plane === b.plane && a.pixels.length === b.pixels.length && a.pixels.every((pixel, i) => pixel === b.pixels[i]);
}
