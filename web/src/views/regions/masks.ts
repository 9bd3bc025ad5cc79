// Sets of pixels of one plane: their outlines, strokes of a brush, cuts. Pixels are y * width + x.

export interface Grid {
  width: number;
  height: number;
}

export type Pixels = Int32Array;

/** Scratch that outlines are found with, without a set for each region. */
export class Stamp {
  private readonly marks: Int32Array;
  private turn = 0;
  readonly grid: Grid;

  constructor(grid: Grid) {
    this.grid = grid;
    this.marks = new Int32Array(grid.width * grid.height);
  }

  /** Marks pixels; `has` then tells whether a place is one of them. */
  take(pixels: Pixels): (x: number, y: number) => boolean {
    const turn = ++this.turn;
    const { width, height } = this.grid;
    for (const pixel of pixels) this.marks[pixel] = turn;
    return (x, y) => x >= 0 && y >= 0 && x < width && y < height && this.marks[y * width + x] === turn;
  }
}

/** Outline along the edges of pixels: x0, y0, x1, y1 of each straight piece. Pixels increase. */
export function outline(pixels: Pixels, stamp: Stamp): Float32Array {
  const { width } = stamp.grid;
  const has = stamp.take(pixels);
  const pieces: number[] = [];
  const level = (dy: number) => {
    let from = -1, at = -1, row = -1;
    const close = () => { if (from >= 0) pieces.push(from, row, at, row); from = -1; };
    for (const pixel of pixels) {
      const y = Math.floor(pixel / width), x = pixel - y * width;
      if (has(x, y + dy)) continue;
      const line = dy < 0 ? y : y + 1;
      if (from < 0 || line !== row || x !== at) { close(); [from, row] = [x, line]; }
      at = x + 1;
    }
    close();
  };
  const upright = (dx: number) => {
    for (const pixel of pixels) {
      const y = Math.floor(pixel / width), x = pixel - y * width;
      if (has(x + dx, y) || (has(x, y - 1) && !has(x + dx, y - 1))) continue; // not an edge, or not its top
      let stop = y + 1;
      while (has(x, stop) && !has(x + dx, stop)) stop++;
      const column = dx < 0 ? x : x + 1;
      pieces.push(column, y, column, stop);
    }
  };
  level(-1);
  level(1);
  upright(-1);
  upright(1);
  return Float32Array.from(pieces);
}

const sorted = (pixels: Iterable<number>): Pixels => Int32Array.from(pixels).sort();

/** Pixels whose centres lie within `radius` of the path x0, y0, x1, y1, ... */
export function stroke(path: readonly number[], radius: number, grid: Grid): Set<number> {
  const found = new Set<number>();
  for (let i = 0; i < path.length; i += 2) {
    const [x1, y1] = [path[i]!, path[i + 1]!];
    const [x0, y0] = i ? [path[i - 2]!, path[i - 1]!] : [x1, y1];
    const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / Math.max(0.5, radius / 2)));
    for (let k = i ? 1 : 0; k <= (i ? steps : 0); k++) {
      disc(x0 + ((x1 - x0) * k) / steps, y0 + ((y1 - y0) * k) / steps, radius, grid, found);
    }
  }
  return found;
}

function disc(cx: number, cy: number, radius: number, { width, height }: Grid, into: Set<number>): void {
  const reach = radius * radius;
  for (let y = Math.max(0, Math.floor(cy - radius)); y <= Math.min(height - 1, Math.floor(cy + radius)); y++) {
    for (let x = Math.max(0, Math.floor(cx - radius)); x <= Math.min(width - 1, Math.floor(cx + radius)); x++) {
      const own = x === Math.floor(cx) && y === Math.floor(cy); // a small brush still paints a pixel
      if (own || (x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 <= reach) into.add(y * width + x);
    }
  }
}

/** Pixels whose centres lie inside a closed path; where there are none, those under the path. */
export function filled(path: readonly number[], grid: Grid): Pixels {
  const { width, height } = grid;
  const found: number[] = [];
  let low = Infinity, high = -Infinity;
  for (let i = 1; i < path.length; i += 2) [low, high] = [Math.min(low, path[i]!), Math.max(high, path[i]!)];
  for (let y = Math.max(0, Math.floor(low)); y <= Math.min(height - 1, Math.ceil(high)); y++) {
    const crossings: number[] = [];
    for (let i = 0, j = path.length - 2; i < path.length; j = i, i += 2) {
      const [xi, yi, xj, yj] = [path[i]!, path[i + 1]!, path[j]!, path[j + 1]!];
      const at = y + 0.5;
      if (yi > at !== yj > at) crossings.push(xi + ((at - yi) / (yj - yi)) * (xj - xi));
    }
    crossings.sort((a, b) => a - b);
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      const first = Math.max(0, Math.ceil(crossings[k]! - 0.5)), last = Math.min(width - 1, Math.ceil(crossings[k + 1]! - 0.5) - 1);
      for (let x = first; x <= last; x++) found.push(y * width + x);
    }
  }
  return found.length ? Int32Array.from(found) : sorted(stroke(path, 0.5, grid));
}

export function united(a: Iterable<number>, b: Iterable<number>): Pixels {
  return sorted(new Set([...a, ...b]));
}

export function without(a: Iterable<number>, b: ReadonlySet<number>): Pixels {
  return sorted([...a].filter((pixel) => !b.has(pixel)));
}

/** The two sides of a straight line; either may be empty. */
export function sides(pixels: Pixels, line: readonly [number, number, number, number], { width }: Grid): [Pixels, Pixels] {
  const [x0, y0, x1, y1] = line;
  const left: number[] = [], right: number[] = [];
  for (const pixel of pixels) {
    const y = Math.floor(pixel / width), x = pixel - y * width;
    const side = (x1 - x0) * (y + 0.5 - y0) - (y1 - y0) * (x + 0.5 - x0);
    (side < 0 ? left : right).push(pixel);
  }
  return [Int32Array.from(left), Int32Array.from(right)];
}

/** The line across the middle of a region's longest direction. */
export function waist(pixels: Pixels, grid: Grid): [number, number, number, number] {
  const [cx, cy] = centre(pixels, grid);
  let xx = 0, xy = 0, yy = 0;
  for (const pixel of pixels) {
    const y = Math.floor(pixel / grid.width), x = pixel - y * grid.width;
    const [dx, dy] = [x + 0.5 - cx, y + 0.5 - cy];
    xx += dx * dx; xy += dx * dy; yy += dy * dy;
  }
  const along = 0.5 * Math.atan2(2 * xy, xx - yy);
  const [nx, ny] = [-Math.sin(along), Math.cos(along)];
  return [cx - nx, cy - ny, cx + nx, cy + ny];
}

export function centre(pixels: Pixels, { width }: Grid): [number, number] {
  let sx = 0, sy = 0;
  for (const pixel of pixels) {
    const y = Math.floor(pixel / width);
    sx += pixel - y * width + 0.5;
    sy += y + 0.5;
  }
  return [sx / Math.max(1, pixels.length), sy / Math.max(1, pixels.length)];
}

/** One pixel more, or less, all around. */
export function grown(pixels: Pixels, by: 1 | -1, grid: Grid): Pixels {
  const { width, height } = grid;
  const inside = new Set(pixels);
  const around = (pixel: number): number[] => {
    const y = Math.floor(pixel / width), x = pixel - y * width;
    return [
      ...(x > 0 ? [pixel - 1] : []), ...(x < width - 1 ? [pixel + 1] : []),
      ...(y > 0 ? [pixel - width] : []), ...(y < height - 1 ? [pixel + width] : []),
    ];
  };
  if (by > 0) return sorted(new Set([...pixels].flatMap((pixel) => [pixel, ...around(pixel)])));
  return pixels.filter((pixel) => around(pixel).filter((one) => inside.has(one)).length === 4);
}

/** Weights of a region's new pixels: those it had, and their mean where it had none. */
export function reweighed(pixels: Pixels, before: Pixels, weights: Float32Array): Float32Array {
  const known = new Map(Array.from(before, (pixel, i) => [pixel, weights[i]!]));
  const mean = weights.length ? weights.reduce((sum, one) => sum + one, 0) / weights.length : 1;
  return Float32Array.from(pixels, (pixel) => known.get(pixel) ?? mean);
}
