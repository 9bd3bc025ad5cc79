// Masks of the same movie: outlines of every neuron's voxels in the planes or projections that are shown.
import { ApiError } from "../../view.ts";
import type { ViewContext } from "../../view.ts";
import { button, element } from "../units/dom.ts";
import { identityColour } from "./colours.ts";
import type { Axis, Place } from "./cube.ts";
import { AXES, SIDES } from "./cube.ts";
import type { Sight } from "./store.ts";

/** A line along the edges of voxels: right and down from, to; voxels of what was asked, from their corner. */
export type Edge = readonly [number, number, number, number];

export interface Outline {
  item: number;
  colour: string;
  edges: readonly Edge[];
}

export type Outlines = Record<Axis, readonly Outline[]>;

export const NONE: Outlines = { xy: [], xz: [], yz: [] };
const KEPT = 60;

/** Edges between each number and everything else, straight runs as one line each. */
export function edgesOf(numbers: Uint16Array, rows: number, columns: number): Map<number, Edge[]> {
  const found = new Map<number, Edge[]>();
  const at = (row: number, column: number) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : numbers[row * columns + column]!);
  const add = (number: number, edge: Edge) => {
    const own = found.get(number);
    if (own) own.push(edge);
    else found.set(number, [edge]);
  };
  /** Along lines between voxels: `side` is that of the number, 0 before the line and 1 after it. */
  const runs = (lines: number, length: number, pair: (line: number, k: number) => [number, number], edge: (line: number, from: number, to: number) => Edge) => {
    for (let line = 0; line <= lines; line++) {
      for (const side of [0, 1] as const) {
        let number = 0, from = 0;
        for (let k = 0; k <= length; k++) {
          const both = k < length ? pair(line, k) : ([0, 0] as [number, number]);
          const here = both[0] === both[1] ? 0 : both[side];
          if (here === number) continue;
          if (number) add(number, edge(line, from, k));
          [number, from] = [here, k];
        }
      }
    }
  };
  runs(rows, columns, (line, k) => [at(line - 1, k), at(line, k)], (line, from, to) => [from, line, to, line]);
  runs(columns, rows, (line, k) => [at(k, line - 1), at(k, line)], (line, from, to) => [line, from, line, to]);
  return found;
}

export class MaskOutlines {
  readonly button: HTMLButtonElement;
  private readonly context: ViewContext;
  private readonly known = new Map<string, Promise<Outlines>>();
  private readonly key = element("kbd", {});
  private items: number[] = [];
  private shown = true;

  constructor(context: ViewContext, changed: () => void) {
    this.context = context;
    this.button = button("Masks", "Outlines of the masks of this movie", () => { this.toggle(); changed(); });
    this.button.append(this.key);
    this.button.hidden = true;
  }

  /** Whether there are masks, asked once; without them nothing is shown and no button. */
  async load(): Promise<void> {
    const found = await this.context.api.json<{ items: number[]; author: string }>(`desks/${this.context.desk.key}/masks/field`);
    this.items = found.items;
    this.button.hidden = !found.items.length;
    this.button.title = `Outlines of the masks of this movie, by ${found.author}`;
    this.tell();
  }

  toggle(): void {
    this.shown = !this.shown;
    this.tell();
  }

  get on(): boolean {
    return this.shown && this.items.length > 0;
  }

  async at(sight: Sight): Promise<Outlines> {
    if (!this.on || sight.layer) return NONE;
    const { frame, at, flat, level } = sight;
    const query = { frame, ...(flat ? { z: 0, y: 0, x: 0 } : at), flat, level };
    const name = JSON.stringify(query);
    let made = this.known.get(name);
    if (!made) {
      made = this.read(query);
      this.known.set(name, made);
      made.catch(() => this.known.delete(name));
      if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value!);
    }
    try {
      return await made;
    } catch (error) {
      if (error instanceof ApiError) return NONE; // gone, or offline, which the shell tells
      throw error;
    }
  }

  private async read(query: { frame: number; level: number } & Record<string, string | number | boolean>): Promise<Outlines> {
    const { data, meta } = await this.context.api.array(`desks/${this.context.desk.key}/masks/cuts`, query);
    const shapes = meta.shapes as Array<[number, number, number]>;
    const found = { ...NONE };
    let start = 0;
    AXES.forEach((axis, k) => {
      const [, rows, columns] = shapes[k]!;
      const part = (data as Uint16Array).subarray(start, start + rows * columns);
      start += rows * columns;
      const step = 2 ** query.level;
      const [right, down] = SIDES[axis].map((side) => (side === "z" ? 1 : step)) as [number, number];
      found[axis] = [...edgesOf(part, rows, columns)].map(([number, edges]) => {
        const item = this.items[number - 1]!;
        return { item, colour: identityColour(item), edges: edges.map(([a, b, c, d]) => [a * right, b * down, c * right, d * down] as const) };
      });
    });
    return found;
  }

  private tell(): void {
    this.button.setAttribute("aria-pressed", String(this.shown));
    this.key.textContent = this.context.keys.keyOf("masks") ?? "";
  }
}

/** Draws outlines of one pane; the current neuron's is white and wider. */
export function paintOutlines(brush: CanvasRenderingContext2D, axis: Axis, outlines: readonly Outline[], current: number | null, toScreen: (place: Place) => [number, number]): void {
  const [right, down, across] = SIDES[axis];
  const place = (r: number, d: number): [number, number] => toScreen({ [right]: r - 0.5, [down]: d - 0.5, [across]: 0 } as unknown as Place);
  const [left, top] = place(0, 0), [unitRight, unitDown] = place(1, 1).map((v, k) => v - [left, top][k]!) as [number, number];
  for (const { item, colour, edges } of outlines) {
    brush.beginPath();
    for (const [a, b, c, d] of edges) {
      brush.moveTo(left + a * unitRight, top + b * unitDown);
      brush.lineTo(left + c * unitRight, top + d * unitDown);
    }
    brush.lineCap = "square";
    brush.lineWidth = item === current ? 3.5 : 2.5;
    brush.strokeStyle = "rgb(0 0 0 / .5)";
    brush.stroke();
    brush.lineWidth = item === current ? 2 : 1.2;
    brush.strokeStyle = item === current ? "#fff" : colour;
    brush.stroke();
  }
  brush.lineCap = "butt";
}
