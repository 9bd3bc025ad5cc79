// The tool in the hand: what a stroke draws, and the edits that it makes.
import type { ViewContext } from "../../view.ts";
import { addition, flipped, merged, parted, redrawn, reshape } from "./editing.ts";
import type { Overlay, Tool } from "./field.ts";
import type { Ground } from "./ground.ts";
import { alike } from "./ground.ts";
import type { Pixels } from "./masks.ts";
import { filled, grown, sides, stroke, united, waist, without } from "./masks.ts";
import type { Region } from "./store.ts";

const NARROWEST = 0.5, WIDEST = 40, STEP = 1.3;

const SAID: Record<Tool, string> = {
  select: "Select: click a region, drag to move, right click to flip.",
  brush: "Brush: paint pixels onto the region; Shift+drag moves the field.",
  erase: "Erase: rub pixels off the region.",
  draw: "Draw around a new region.",
  split: "Split: draw a line across the region; the key again cuts across its middle.",
};

export interface HandActs {
  item(): number | null;
  /** The tool, its width or what it draws has changed. */
  changed(): void;
  /** A region has other pixels now. */
  redrawn(item: number, region: Region): void;
  /** Somebody begins to draw here. */
  begins(x: number, y: number): void;
  /** An item is on its way that has no number yet. */
  adds(): void;
}

export class Hand {
  tool: Tool = "select";
  radius = 2.5;
  private draft: Pixels | null = null;
  private path: readonly number[] | null = null;
  private pointer: [number, number] | null = null;
  private readonly context: ViewContext;
  private readonly ground: Ground;
  private readonly acts: HandActs;

  constructor(context: ViewContext, ground: Ground, acts: HandActs) {
    this.context = context;
    this.ground = ground;
    this.acts = acts;
  }

  choose(tool: Tool): void {
    this.tool = tool;
    this.drop();
    this.context.announce(SAID[tool]);
  }

  /** Lets go of a stroke under way. */
  drop(): void {
    [this.draft, this.path] = [null, null];
    this.acts.changed();
  }

  resize(wider: boolean): void {
    this.radius = Math.min(WIDEST, Math.max(NARROWEST, this.radius * (wider ? STEP : 1 / STEP)));
    this.acts.changed();
  }

  /** What of the hand is seen on the field. */
  overlay(): Pick<Overlay, "path" | "closed" | "brush"> & { draft: Float32Array | null } {
    const { tool, path, pointer } = this;
    const line = path && tool === "split" ? [...path.slice(0, 2), ...path.slice(-2)] : path;
    const paints = tool === "brush" || tool === "erase";
    return {
      draft: this.draft && this.ground.outline(this.draft),
      path: tool === "draw" || tool === "split" ? line : null, closed: tool === "draw",
      brush: paints && pointer ? { x: pointer[0], y: pointer[1], radius: this.radius } : null,
    };
  }

  hover(x: number, y: number): void {
    this.pointer = [x, y];
    if (this.tool !== "select") this.acts.changed();
  }

  stroking(path: readonly number[]): void {
    const [x, y] = [path.at(-2)!, path.at(-1)!];
    [this.path, this.pointer] = [path, [x, y]];
    if (path.length === 2 && this.ground.inside(x, y)) this.acts.begins(Math.floor(x), Math.floor(y));
    const region = this.current()?.[1];
    const painted = () => stroke(path, this.radius, this.ground.grid);
    if (this.tool === "brush" && region) this.draft = united(region.pixels, painted());
    if (this.tool === "erase" && region) this.draft = without(region.pixels, painted());
    this.acts.changed();
  }

  stroked(path: readonly number[]): void {
    const { draft } = this;
    [this.draft, this.path] = [null, null];
    if (this.tool === "draw") this.add(filled(path, this.ground.grid));
    else if (this.tool === "split") this.split([path[0]!, path[1]!, path.at(-2)!, path.at(-1)!]);
    else if (draft) this.redraw(draft);
    else this.context.announce("No region is shown in this plane.");
    this.acts.changed();
  }

  grow(by: 1 | -1): void {
    const region = this.current()?.[1];
    if (region) this.redraw(grown(region.pixels, by, this.ground.grid));
  }

  /** Without words the pencil is taken; "x y radius" makes a disc, for those who do not draw. */
  drawNew(words: string): void {
    if (!words.trim()) return this.choose("draw");
    const [x = Number.NaN, y = Number.NaN, radius = 4] = words.trim().split(/[\s,]+/).map(Number);
    if (![x, y, radius].every(Number.isFinite) || !this.ground.inside(x, y)) {
      return this.context.announce("`/tool-draw 120 80 5` makes a disc of 5 pixels' radius at x 120, y 80.");
    }
    this.add(Int32Array.from(stroke([x + 0.5, y + 0.5], radius, this.ground.grid)).sort());
  }

  /** The first press takes the knife, the second cuts across the middle. */
  splitKey(): void {
    const region = this.current()?.[1];
    if (this.tool !== "split" || !region) this.choose("split");
    else this.split(waist(region.pixels, this.ground.grid));
  }

  merge(words: string): void {
    const item = this.acts.item();
    const named = words.trim() ? words.trim().split(/[\s,]+/).map(Number) : this.context.selection.value;
    const { regions } = this.ground;
    const items = [...new Set([...(item === null ? [] : [item]), ...named])].filter((one) => regions.has(one)).sort((a, b) => a - b);
    if (items.length < 2) return this.context.announce("Mark the regions to merge with: m, or Shift+click.");
    const [kept, ...gone] = items as [number, ...number[]];
    const all = items.map((one) => regions.get(one)!);
    if (all.some((one) => one.plane !== all[0]!.plane)) return this.context.announce("They lie in different planes.");
    const whole = redrawn(all[0]!, all.reduce<Pixels>((sum, one) => united(sum, one.pixels), new Int32Array()));
    this.context.selection.value = [];
    for (const one of gone) this.ground.stand(one, null);
    this.ground.stand(kept, whole);
    this.context.decide([merged(items)]);
    this.context.announce(`Regions ${items.join(", ")} are one: region ${kept}.`);
    this.acts.redrawn(kept, whole);
  }

  flip(items: readonly number[]): void {
    const there = items.filter((item) => this.ground.regions.has(item));
    const edits = there.map((item) => flipped(this.context, item)).filter((edit) => edit !== null);
    if (edits.length) this.context.decide(edits);
  }

  /** The current region, if it is in the plane on the screen. */
  private current(): [number, Region] | null {
    const item = this.acts.item();
    const region = item === null ? undefined : this.ground.regions.get(item);
    return item !== null && region && region.plane === this.ground.plane ? [item, region] : null;
  }

  private redraw(pixels: Pixels): void {
    const now = this.current();
    if (!now) return this.context.announce("No region is shown in this plane.");
    const [item, region] = now;
    if (!pixels.length) return this.context.announce("Nothing would be left; Delete removes a region.");
    if (alike({ ...region, pixels }, region)) return;
    const made = redrawn(region, pixels);
    this.ground.stand(item, made);
    this.context.decide([reshape(item, made, this.ground.grid)]);
    this.acts.redrawn(item, made);
  }

  private add(pixels: Pixels): void {
    if (!pixels.length) return;
    const region: Region = { plane: this.ground.plane, pixels, weights: new Float32Array(pixels.length).fill(1) };
    this.acts.adds();
    this.context.decide([addition(this.context, region, this.ground.grid, null)]);
    this.context.announce(`A new region of ${pixels.length} pixels.`);
  }

  private split(line: readonly [number, number, number, number]): void {
    const now = this.current();
    if (!now) return this.context.announce("No region is shown in this plane.");
    const [item, region] = now;
    const halves = sides(region.pixels, line, this.ground.grid).sort((a, b) => b.length - a.length);
    if (halves.some((half) => !half.length)) return this.context.announce("The line must cross the region.");
    const [larger, smaller] = halves.map((half) => redrawn(region, half)) as [Region, Region];
    this.ground.stand(item, larger);
    this.context.decide(parted(this.context, item, larger, smaller, this.ground.grid));
    this.choose("select");
    this.context.announce(`Region ${item} is two: ${larger.pixels.length} and ${smaller.pixels.length} pixels.`);
    this.acts.redrawn(item, larger);
  }
}
