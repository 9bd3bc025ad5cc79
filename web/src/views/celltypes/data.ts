// What the view shows of one unit, and what classes look like on average.
import type { NdArray, ViewContext } from "../../view.ts";
import { Batcher } from "./batcher.ts";

/** A class as the model knows it: means over its training units. */
export interface Exemplar {
  name: string;
  n: number;
  waveform: number[];
  spread: number[];
  acg: number[];
  /** By decile of the firing rate, the slowest first. */
  acg3: number[][] | null;
  /** Training units on the map, where they are told one by one. */
  places: Array<[number, number]>;
  centre: [number, number] | null;
  radius: [number, number] | null;
}

export interface Axes {
  waveMs: number[];
  logS: number[];
  lagEdgesS: number[];
}

export interface Template {
  /** (n_samples, n_channels), C order. */
  data: Float32Array;
  nSamples: number;
  nChannels: number;
  places: Array<[number, number] | null>;
}

/** Curves of one unit; null where there is none. */
export interface Curves {
  item: number;
  waveform: Float32Array | null;
  acg: Float32Array | null;
  isi: Float32Array | null;
  acg3: Float32Array | null;
  template: Template | null;
}

export interface Reason {
  feature: string;
  towards: string;
  weight: number;
  sentence: string;
}

export interface Example {
  source: string;
  item: number;
  label: string;
  distance: number;
}

export interface Relative {
  name: string;
  label: string;
  evidence: string;
  distance: number;
}

export type Saliency = Record<string, number[] | null>;

export interface WhyAnswer {
  proposed: string;
  reasons: Reason[];
  accepted: Example[];
  rejected: Example[];
  library?: Relative[];
  findings: Array<{ sentence: string }>;
  unlike: string;
  saliency?: Saliency;
}

export interface Facts {
  units: Record<string, string>;
  arrays: Record<string, number[]>;
  context: Record<string, unknown>;
}

const NAMES = ["waveform", "acg", "isi", "acg3", "template", "template_position_um"] as const;
/** Items in the address of one request. */
const MOST = 2000;

export function readAxes(context: Record<string, unknown>): Axes {
  return { waveMs: numbers(context.wave_ms), logS: numbers(context.log_s), lagEdgesS: numbers(context.lag_edges_s) };
}

export function readExemplars(context: Record<string, unknown>): Exemplar[] {
  const classes = Array.isArray(context.classes) ? (context.classes as Array<Record<string, unknown>>) : [];
  return classes.map((one) => {
    const map = Array.isArray(one.map) ? (one.map as unknown[]) : [];
    const places = map.every(Array.isArray) ? map.map((xy) => pair(numbers(xy))!) : [];
    const given = places.length ? null : pair(numbers(map));
    const spread = pair(numbers(one.map_sd));
    const [centre, radius] = given ? [given, spread ?? null] : spreadOf(places);
    return {
      name: String(one.name), n: Number(one.n), waveform: numbers(one.waveform), spread: numbers(one.waveform_sd),
      acg: numbers(one.acg), acg3: Array.isArray(one.acg3) ? one.acg3.map(numbers) : null, places, centre, radius,
    };
  });
}

/** JSON has no NaN: null stands for what is not known. */
function numbers(values: unknown): number[] {
  return Array.isArray(values) ? values.map((value) => (value === null ? Number.NaN : Number(value))) : [];
}

function pair(values: number[]): [number, number] | null {
  return values.length >= 2 ? [values[0]!, values[1]!] : null;
}

/** Mean and standard deviation of places. */
export function spreadOf(places: ReadonlyArray<[number, number]>): [[number, number] | null, [number, number] | null] {
  if (!places.length) return [null, null];
  const mean = (of: (p: readonly [number, number]) => number) => places.reduce((sum, p) => sum + of(p), 0) / places.length;
  const [x, y] = [mean((p) => p[0]), mean((p) => p[1])];
  return [[x, y], [Math.sqrt(mean((p) => (p[0] - x) ** 2)), Math.sqrt(mean((p) => (p[1] - y) ** 2))]];
}

/** The row of one item, null where nothing of it is known. */
export function rowOf(array: NdArray | null, row: number): Float32Array | null {
  if (!array) return null;
  const size = array.shape.slice(1).reduce((a, b) => a * b, 1);
  const values = (array.data as Float32Array).subarray(row * size, (row + 1) * size);
  return values.some((value) => Number.isFinite(value)) ? values : null;
}

/** Channels that have a waveform, with their places where they are known. */
export function templateOf(template: NdArray | null, places: NdArray | null, row: number): Template | null {
  const values = rowOf(template, row);
  if (!template || !values) return null;
  const [, nSamples = 0, k = 0] = template.shape;
  const at = rowOf(places, row);
  const own = Array.from({ length: k }, (_, c) => c).filter((c) => {
    for (let s = 0; s < nSamples; s++) if (Number.isFinite(values[s * k + c])) return true;
    return false;
  });
  const data = new Float32Array(nSamples * own.length);
  own.forEach((c, j) => { for (let s = 0; s < nSamples; s++) data[s * own.length + j] = values[s * k + c]!; });
  const known = (c: number): [number, number] | null =>
    at && Number.isFinite(at[2 * c]) && Number.isFinite(at[2 * c + 1]) ? [at[2 * c]!, at[2 * c + 1]!] : null;
  return { data, nSamples, nChannels: own.length, places: own.map(known) };
}

export class UnitStore {
  private readonly context: ViewContext;
  private readonly facts: Facts;
  private readonly units: Batcher<Curves>;
  private readonly probabilities: Batcher<number[] | null>;

  constructor(context: ViewContext, facts: Facts) {
    [this.context, this.facts] = [context, facts];
    this.units = new Batcher((items) => this.fetchUnits(items));
    this.probabilities = new Batcher((items) => this.fetchProbabilities(items));
  }

  /** Whether nothing more must be asked for before an item is shown. */
  has(item: number, hidden: boolean): boolean {
    return this.units.has(item) && (hidden || this.probabilities.has(item));
  }

  curves(item: number): Promise<Curves> {
    return this.units.get(item);
  }

  /** Per class of the vocabulary; null where none is told. Never ask for what is hidden. */
  async chances(item: number): Promise<number[] | null> {
    const found = await this.probabilities.get(item);
    if (!found) this.probabilities.forget(item); // hidden by the server: perhaps not for long
    return found;
  }

  why(item: number, signal: AbortSignal): Promise<WhyAnswer> {
    return this.context.api.json<WhyAnswer>(this.path(`items/${item}/why`), {}, signal);
  }

  /** Places of all items on the map. */
  async map(items: readonly number[]): Promise<{ x: Float32Array; y: Float32Array }> {
    const [x, y] = [new Float32Array(items.length).fill(Number.NaN), new Float32Array(items.length).fill(Number.NaN)];
    if (!this.facts.arrays.map) return { x, y };
    for (let start = 0; start < items.length; start += MOST) {
      const part = items.slice(start, start + MOST);
      const { data } = await this.context.api.array(this.path("arrays/map"), { items: part.join() });
      part.forEach((_, k) => { [x[start + k], y[start + k]] = [Number(data[2 * k]), Number(data[2 * k + 1])]; });
    }
    return { x, y };
  }

  private async fetchUnits(items: number[]): Promise<Curves[]> {
    const wanted = items.join();
    const arrays = await Promise.all(NAMES.map((name) => {
      const shape = this.facts.arrays[name];
      return shape && !shape.includes(0) ? this.context.api.array(this.path(`arrays/${name}`), { items: wanted }) : null;
    }));
    const [waveform, acg, isi, acg3, template, places] = arrays as Array<NdArray | null>;
    return items.map((item, row) => ({
      item, waveform: rowOf(waveform!, row), acg: rowOf(acg!, row), isi: rowOf(isi!, row), acg3: rowOf(acg3!, row),
      template: templateOf(template!, places!, row),
    }));
  }

  private async fetchProbabilities(items: number[]): Promise<Array<number[] | null>> {
    const found = await this.context.api.array(this.path("probabilities"), { items: items.join() });
    const k = found.shape[1] ?? 0;
    return items.map((_, row) => {
      const own = Array.from((found.data as Float32Array).subarray(row * k, (row + 1) * k));
      return own.every(Number.isFinite) ? own : null;
    });
  }

  private path(rest: string): string {
    return `desks/${this.context.desk.key}/${rest}`;
  }
}
