// What the view shows of a field: its pictures, every outline, the curves of one region, frames.
import type { NdArray, ViewContext } from "../../view.ts";
import type { Pixels } from "./masks.ts";

export interface Field {
  /** z, y, x. */
  shape: [number, number, number];
  layers: string[];
  pictures: "reading" | "ready" | "patches" | "none";
  movie: boolean;
  rate_hz: number;
  n_frames: number | null;
  spacing_um: [number, number, number] | null;
}

export interface Region {
  /** Of the plane that holds most of it. */
  pixels: Pixels;
  weights: Float32Array;
  plane: number;
}

export interface Curves {
  lines: Map<string, Float32Array>;
  n: number;
  rate_hz: number;
  /** "kept", "movie", "table" or "none": where they come from. */
  origin: string;
  /** Samples of the largest transients, the largest first. */
  peaks: number[];
  /** Frames of the movie per sample. */
  frameStep: number;
  /** Part of the movie that was read; 1 where it is all. */
  read: number;
  coefficient: number | null;
  noise: number | null;
  note: string;
}

const KEPT = 300;

export class RegionStore {
  private readonly context: ViewContext;
  private readonly known = new Map<number, Promise<Curves>>();
  private readonly images = new Map<string, Promise<NdArray>>();

  constructor(context: ViewContext) {
    this.context = context;
  }

  private path(rest: string): string {
    return `desks/${this.context.desk.key}/regions/${rest}`;
  }

  field(): Promise<Field> {
    return this.context.api.json<Field>(this.path("field"));
  }

  image(name: string, plane: number): Promise<NdArray> {
    const key = `${name} ${plane}`;
    let found = this.images.get(key);
    if (!found) {
      found = this.context.api.array(this.path(`images/${encodeURIComponent(name)}`), { plane });
      found.catch(() => this.images.delete(key));
      this.images.set(key, found);
    }
    return found;
  }

  async outlines(size: number): Promise<Map<number, Region>> {
    return readOutlines(await this.context.api.array(this.path("outlines")), size);
  }

  curves(item: number): Promise<Curves> {
    return this.known.get(item) ?? this.keep(item, this.context.api.array(this.path(`${item}/trace`)).then(readCurves));
  }

  /** The curves of an item are those of an outline that the server may not have yet. */
  extract(item: number, region: Region, offset: number): void {
    const outline = { pixels: Array.from(region.pixels, (pixel) => pixel + offset), weights: Array.from(region.weights), item };
    void this.keep(item, this.context.api.postArray(this.path("extract"), outline).then(readCurves));
  }

  /** Keeps what is known whole; what was read in part, or failed, is asked for again. */
  private keep(item: number, curves: Promise<Curves>): Promise<Curves> {
    const forget = () => { if (this.known.get(item) === curves) this.known.delete(item); };
    curves.then((found) => { if (found.read < 1) forget(); }, forget);
    this.known.set(item, curves);
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value!);
    return curves;
  }

  /** What is known of these items is void. */
  forget(items: Iterable<number>): void {
    for (const item of items) this.known.delete(item);
  }

  warm(x: number, y: number, plane: number): void {
    void this.context.api.json(this.path("warm"), { x, y, plane }).catch(() => undefined); // told when it is drawn
  }

  frames(item: number, start: number, n: number, signal: AbortSignal): Promise<NdArray> {
    return this.context.api.array(this.path(`${item}/frames`), { start, n }, signal);
  }
}

/** Items, ends, pixels and weights, one after the other; `size` is that of one plane. */
export function readOutlines(array: NdArray, size: number): Map<number, Region> {
  const all = array.data as Int32Array;
  const n = Number(array.meta.n);
  const nPixels = n ? all[2 * n - 1]! : 0;
  const weights = new Float32Array(all.buffer, all.byteOffset + 4 * (2 * n + nPixels), nPixels);
  const found = new Map<number, Region>();
  for (let k = 0, start = 0; k < n; k++) {
    const stop = all[n + k]!;
    const flat = all.subarray(2 * n + start, 2 * n + stop);
    const plane = Math.floor(flat[flat.length >> 1]! / size); // pixels increase: the middle one's plane
    const offset = plane * size;
    const whole = Math.floor(flat[0]! / size) === plane && Math.floor(flat.at(-1)! / size) === plane;
    const own = Array.from(flat.keys()).filter((i) => whole || Math.floor(flat[i]! / size) === plane);
    found.set(all[k]!, {
      plane,
      pixels: Int32Array.from(own, (i) => flat[i]! - offset),
      weights: Float32Array.from(own, (i) => weights[start + i]!),
    });
    start = stop;
  }
  return found;
}

export function readCurves(array: NdArray): Curves {
  const { meta } = array;
  const names = (meta.lines ?? []) as string[];
  const n = names.length ? array.shape[1]! : 0;
  const data = array.data as Float32Array;
  return {
    lines: new Map(names.map((name, k) => [name, data.subarray(k * n, (k + 1) * n)])),
    n,
    rate_hz: Number(meta.rate_hz),
    origin: String(meta.origin),
    peaks: (meta.peaks ?? []) as number[],
    frameStep: Number(meta.frame_step ?? 1),
    read: typeof meta.read === "number" ? meta.read : 1,
    coefficient: typeof meta.coefficient === "number" ? meta.coefficient : null,
    noise: typeof meta.noise === "number" ? meta.noise : null,
    note: String(meta.note ?? ""),
  };
}
