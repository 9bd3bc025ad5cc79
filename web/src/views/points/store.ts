// What the view asks of the server: planes of volumes, points by volume, the grid, trails.
import type { Columns, ViewContext } from "../../view.ts";
import type { Axis, Place } from "./cube.ts";
import { AXES } from "./cube.ts";
import { Grid } from "./grid.ts";

export interface Field {
  /** z, y, x. */
  shape: [number, number, number];
  spacing_um: [number, number, number] | null;
  n_frames: number;
  rate_hz: number | null;
  channels: string[];
  /** Volumes of the movie; 0 where it is gone. */
  n_volumes: number;
  /** Volumes that the method left as pictures, synthetic ones among them. */
  layers: string[];
}

export interface Point extends Place {
  /** Null until the server has told it. */
  id: number | null;
  item: number;
  visible: boolean;
  confidence: number | null;
  said: number;
}

export interface Cut {
  data: Uint8Array;
  /** Channels, rows, columns. */
  shape: [number, number, number];
}

export type Cuts = Record<Axis, Cut>;

/** Which planes are shown. */
export interface Sight {
  frame: number;
  at: Place;
  flat: boolean;
  level: number;
  layer: string;
}

/** Frame, x, y, z of a track, by frame. */
export interface Trail {
  n: number;
  frame: Float32Array;
  x: Float32Array;
  y: Float32Array;
  z: Float32Array;
}

const TOGETHER = 16, KEPT_PARTS = 40, KEPT_CUTS = 120, KEPT_TRAILS = 20;

export class PointStore {
  private readonly context: ViewContext;
  private readonly parts = new Map<number, Promise<Map<number, Point[]>>>();
  private readonly sights = new Map<string, Promise<Cuts>>();
  private readonly trails = new Map<number, Promise<Trail>>();

  constructor(context: ViewContext) {
    this.context = context;
  }

  private path(rest: string): string {
    return `desks/${this.context.desk.key}/points/${rest}`;
  }

  field(): Promise<Field> {
    return this.context.api.json<Field>(this.path("field"));
  }

  async grid(): Promise<Grid> {
    return Grid.read(await this.context.api.array(this.path("grid")));
  }

  /** Points of one volume; those around it come with them. */
  async points(frame: number): Promise<Point[]> {
    const part = Math.floor(frame / TOGETHER);
    const found = await kept(this.parts, part, KEPT_PARTS, async () =>
      readPoints(await this.context.api.table(this.path("rows"), { start: part * TOGETHER, n: TOGETHER })));
    let points = found.get(frame);
    if (!points) found.set(frame, (points = []));
    return points;
  }

  cuts(sight: Sight): Promise<Cuts> {
    const { frame, at, flat, level, layer } = sight;
    const place = flat ? { z: 0, y: 0, x: 0 } : at;
    const query = { frame: layer ? 0 : frame, ...place, flat, level, layer };
    return kept(this.sights, JSON.stringify(query), KEPT_CUTS, async () => {
      const { data, meta } = await this.context.api.array(this.path("cuts"), query);
      return readCuts(data as Uint8Array, meta.shapes as Array<[number, number, number]>);
    });
  }

  trail(item: number): Promise<Trail> {
    return kept(this.trails, item, KEPT_TRAILS, async () => {
      const { data, shape } = await this.context.api.array(this.path(`${item}/track`));
      const n = shape[1]!, all = data as Float32Array;
      const [frame, x, y, z] = [0, 1, 2, 3].map((k) => all.subarray(k * n, (k + 1) * n)) as [Float32Array, Float32Array, Float32Array, Float32Array];
      return { n, frame, x, y, z };
    });
  }

  /** Rows of a track with their ids. */
  rows(item: number): Promise<Columns> {
    return this.context.api.table(`desks/${this.context.desk.key}/rows`, { items: item });
  }

  /** What is known of points is void; pictures of volumes stay. */
  forget(): void {
    this.parts.clear();
    this.trails.clear();
  }

  forgetTrail(item: number): void {
    this.trails.delete(item);
  }
}

/** What was made for a key, or is being made; the oldest is forgotten, and what failed at once. */
function kept<K, T>(known: Map<K, Promise<T>>, key: K, most: number, make: () => Promise<T>): Promise<T> {
  let found = known.get(key);
  if (found) known.delete(key); // the last one used is the last to go
  else {
    found = make();
    const made = found;
    made.catch(() => { if (known.get(key) === made) known.delete(key); });
  }
  known.set(key, found);
  if (known.size > most) known.delete(known.keys().next().value!);
  return found;
}

export function readCuts(data: Uint8Array, shapes: ReadonlyArray<[number, number, number]>): Cuts {
  const found = {} as Cuts;
  let start = 0;
  AXES.forEach((axis, k) => {
    const shape = shapes[k]!;
    const size = shape[0] * shape[1] * shape[2];
    found[axis] = { data: data.subarray(start, start + size), shape };
    start += size;
  });
  return found;
}

export function readPoints(table: Columns): Map<number, Point[]> {
  const [id, item, frame, x, y, z, said] = ["id", "item", "frame", "x", "y", "z", "said"].map((name) => table.numbers(name));
  const confidence = table.has("confidence") ? table.numbers("confidence") : null;
  const visible = table.values("visible");
  const found = new Map<number, Point[]>();
  for (let row = 0; row < table.n; row++) {
    const sure = confidence?.[row];
    const at = frame![row]!;
    const points = found.get(at) ?? [];
    points.push({
      id: id![row]!, item: item![row]!, x: x![row]!, y: y![row]!, z: Number.isFinite(z![row]) ? z![row]! : 0, visible: Boolean(visible[row]),
      confidence: sure !== undefined && Number.isFinite(sure) ? sure : null, said: said![row]!,
    });
    found.set(at, points);
  }
  return found;
}

/** Places of a track in the volumes around one, and how far each is away in time: -1 to 1 at `reach`. */
export function placesAround(trail: Trail, frame: number, reach: number): Array<Place & { away: number }> {
  const found: Array<Place & { away: number }> = [];
  for (let k = firstAtOrAfter(trail.frame, frame - reach); k < trail.n && trail.frame[k]! <= frame + reach; k++) {
    const z = trail.z[k]!;
    found.push({ x: trail.x[k]!, y: trail.y[k]!, z: Number.isFinite(z) ? z : 0, away: (trail.frame[k]! - frame) / reach });
  }
  return found;
}

function firstAtOrAfter(values: Float32Array, wanted: number): number {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
