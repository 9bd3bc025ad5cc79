// Puts the panels together: which volume and which neuron are shown, where the cursor is.
import { effect } from "@preact/signals";
import { painted } from "../../core/latency.ts";
import type { Command, QueueEntry, View, ViewContext } from "../../view.ts";
import { ApiError } from "../../view.ts";
import { element } from "../units/dom.ts";
import { Bar } from "./bar.ts";
import type { Colouring } from "./colours.ts";
import { COLOURINGS, markColour } from "./colours.ts";
import { commandsOf } from "./commands.ts";
import type { Axis, Place } from "./cube.ts";
import { AXES, Cube, SIDES } from "./cube.ts";
import type { Cell, Grid } from "./grid.ts";
import { LEAST, UNKNOWN, UNSURE, Walk, isDecided, whereOther } from "./grid.ts";
import { Hand } from "./hand.ts";
import { HeatMap } from "./heat.ts";
import type { Outlines } from "./masks.ts";
import { MaskOutlines, NONE } from "./masks.ts";
import { Loop } from "./loop.ts";
import type { Mark } from "./pane.ts";
import { Pane } from "./pane.ts";
import type { Shown } from "./picture.ts";
import { Side } from "./side.ts";
import type { Cuts, Field, Point, Sight, Trail } from "./store.ts";
import { PointStore, placesAround } from "./store.ts";
import "./points.css";

const SETTLE_MS = 40;
/** Volumes before and after whose places make the trail. */
const TRAIL = 20;
const AHEAD = 3;
/** A volume whose pictures take longer than this is shown without them first. */
const PATIENCE_MS = 400;

const later = (ms: number) => new Promise<void>((resolve) => { setTimeout(resolve, ms); });

export class PointsView implements View {
  private context!: ViewContext;
  private store!: PointStore;
  private field!: Field;
  private grid!: Grid;
  private cube!: Cube;
  private hand!: Hand;
  private readonly root = element("div", { class: "points" });
  private readonly message = element("p", { class: "pt-message", role: "status" });
  private bar!: Bar;
  private panes: Pane[] = [];
  private heat!: HeatMap;
  private readonly side = new Side();
  private masks!: MaskOutlines;
  private outlines: Outlines = NONE;
  loop!: Loop;

  frame = 0;
  item: number | null = null;
  cursor: Place = { x: 0, y: 0, z: 0 };
  points: Point[] = [];
  private pointsOf: number | null = null;
  private cuts: Cuts | null = null;
  private trail: Trail | null = null;
  private layer = "";
  private shown: Shown = "both";
  private gains: [number, number] = [1, 1];
  private colouring: Colouring = "identity";
  private flat = false;
  private names = false;
  private trails = true;
  private puts = false;
  private readonly worstWalk = new Walk<number>(String);
  private readonly doubtWalk = new Walk<Cell>(({ item, frame }) => `${item} ${frame}`);
  private turn = 0;
  private asked = 0;
  private direction = 1;
  private gone = false;
  private stops: Array<() => void> = [];

  async mount(root: HTMLElement, context: ViewContext): Promise<void> {
    this.context = context;
    this.store = new PointStore(context);
    root.append(this.root);
    this.root.append(this.message);
    try {
      [this.field, this.grid] = await Promise.all([this.store.field(), this.store.grid()]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.message.textContent = error.message;
      return;
    }
    this.build();
    void context.api.json<{ units: Record<string, string> }>(`desks/${context.desk.key}/facts`)
      .then(({ units }) => { this.side.setUnits(units); this.paint(); }).catch(() => undefined); // offline: without units
    this.frame = this.grid.worst()[0] ?? 0;
    let first = true;
    this.stops = [
      effect(() => {
        void context.theme.value;
        this.heat.repaint();
        for (const pane of this.panes) pane.repaint();
      }),
      effect(() => {
        void context.version.value;
        void context.selection.value;
        this.paint();
      }),
      effect(() => {
        void context.items.value;
        if (first) first = false;
        else void this.reload().catch(() => undefined); // offline is told by the shell
      }),
      () => { this.gone = true; },
    ];
  }

  async show(entry: QueueEntry): Promise<void> {
    if (!this.panes.length) return;
    const other = entry.item !== this.item;
    this.item = entry.item;
    this.bar.tellKeys((name) => this.context.keys.keyOf(name));
    if (other) this.trail = null;
    if (!this.grid.has(entry.item)) this.say(`Track ${entry.item} has no points any more: it was merged, removed or split. Undo brings it back.`);
    else this.sayWhatIsMissing();
    const frame = other && this.hand.wanted !== null ? this.hand.wanted : this.frame;
    this.hand.wanted = null;
    await this.go(frame, { follow: other || undefined });
  }

  prefetch(entry: QueueEntry): void {
    if (this.panes.length && this.grid.has(entry.item) && this.trails) void this.store.trail(entry.item).catch(() => undefined); // told when it is shown
  }

  unmount(): void {
    for (const stop of this.stops) stop();
    for (const part of [...this.panes, this.heat]) part?.destroy();
    this.root.remove();
  }

  commands(): Command[] {
    return this.panes.length ? commandsOf(this, this.hand) : [];
  }

  // where one is

  /** Shows a volume; `follow` brings the cursor to the neuron, which is so unless told otherwise. */
  async go(frame: number, { follow = true }: { follow?: boolean | undefined } = {}): Promise<void> {
    const at = Math.min(this.grid.nFrames - 1, Math.max(0, Math.round(frame)));
    const turn = ++this.turn;
    this.direction = at === this.frame ? this.direction : Math.sign(at - this.frame);
    this.frame = at;
    const points = await this.store.points(at);
    if (turn !== this.turn || this.gone) return;
    const own = points.find((point) => point.item === this.item && point.visible);
    if (follow && own) this.cursor = this.cube.voxel(own);
    const [cuts] = await Promise.all([
      Promise.race([this.cutsHere(), later(PATIENCE_MS).then(() => null)]),
      this.trails ? Promise.race([this.loadTrail(), later(PATIENCE_MS)]) : null,
    ]);
    if (turn !== this.turn || this.gone) return;
    [this.points, this.pointsOf] = [points, at];
    this.outline(turn);
    this.take(cuts);
    this.paint();
    this.heat.mark(at, this.item);
    painted();
    this.root.dataset.frame = String(at);
    this.root.dataset.track = String(this.item ?? "");
    if (!cuts && this.hasPictures) void this.cutsHere().then((found) => { if (turn === this.turn && found) { this.take(found); painted(); } });
    this.ahead();
  }

  /** Takes the outlines of masks, when they have come, unless another place is shown by then. */
  private outline(turn = this.turn): void {
    void this.masks.at(this.sight()).then((found) => {
      if (turn !== this.turn || this.gone || found === this.outlines) return;
      this.outlines = found;
      this.paint();
    });
  }

  step(by: number): Promise<void> {
    return this.go(this.frame + by);
  }

  /** The cursor to a place, in the same volume. */
  async look(place: Place): Promise<void> {
    this.cursor = this.cube.voxel(place);
    await this.go(this.frame, { follow: false });
  }

  deeper(by: number, axis: Axis = "xy"): Promise<void> {
    const across = SIDES[axis][2];
    return this.look({ ...this.cursor, [across]: this.cursor[across] + by });
  }

  async worst(back = false): Promise<void> {
    const frame = back ? this.worstWalk.back() : this.worstWalk.next(this.grid.worst());
    if (frame === undefined) return this.context.announce(back ? "This is the first." : "Every volume is decided.");
    await this.go(frame);
  }

  async doubt(back = false): Promise<void> {
    const cell = back ? this.doubtWalk.back() : this.doubtWalk.next(this.grid.doubts());
    if (!cell) return this.context.announce(back ? "This is the first." : "No point is left to be decided.");
    await this.visit(cell.item, cell.frame);
  }

  /** A neuron in a volume. */
  async visit(item: number, frame: number): Promise<void> {
    if (item === this.item) return this.go(frame);
    this.hand.wanted = frame;
    this.context.goto(item);
  }

  /** Whether the points are still those of another volume than the one that was asked for. */
  get reading(): boolean {
    return this.pointsOf !== this.frame;
  }

  /** The point of the neuron that is shown, in this volume. */
  get point(): Point | undefined {
    return this.points.find((point) => point.item === this.item);
  }

  /** Its name, else its number after a word. */
  name(item: number, word = "Track "): string {
    const table = this.context.items.value;
    if (!table?.has("name")) return `${word}${item}`;
    const row = Array.prototype.indexOf.call(table.numbers("item"), item) as number;
    const name = row < 0 ? null : table.values("name")[row];
    return typeof name === "string" && name ? name : `${word}${item}`;
  }

  // what is shown

  toggleMasks(): void {
    this.masks.toggle();
    this.outline();
  }

  toggle(what: "flat" | "names" | "trails" | "puts"): void {
    if (what === "flat") this.flat = !this.flat;
    else if (what === "names") this.names = !this.names;
    else if (what === "trails") this.trails = !this.trails;
    else this.puts = !this.puts;
    this.root.dataset.tool = this.puts ? "put" : "look";
    if (what === "puts") this.context.announce(this.puts ? "A click puts the neuron there." : "A click looks there, or takes a neuron.");
    void this.go(this.frame, { follow: false });
  }

  colour(by?: Colouring): void {
    this.colouring = by ?? COLOURINGS[(COLOURINGS.indexOf(this.colouring) + 1) % COLOURINGS.length]!;
    this.context.announce(`Neurons are coloured by ${this.colouring}.`);
    this.paint();
  }

  channels(shown?: Shown): void {
    const all: Shown[] = ["both", 0, 1];
    this.shown = shown ?? all[(all.indexOf(this.shown) + 1) % 3]!;
    this.paint();
    this.paintPictures();
  }

  picture(name: string): void {
    const { layers } = this.field;
    const all = ["", ...layers];
    const found = name ? layers.find((one) => one.startsWith(name)) ?? "" : all[(all.indexOf(this.layer) + 1) % all.length]!;
    this.layer = found;
    this.context.announce(found ? `Picture: ${found}.` : "The recording.");
    void this.go(this.frame, { follow: false });
  }

  zoom(factor: number): void {
    const pane = this.panes[0]!;
    this.cube.zoom("xy", factor, ...this.cube.toScreen("xy", this.cursor, pane.size), pane.size);
  }

  zoomTime(factor: number): void {
    this.heat.zoom(factor);
  }

  fit(again = true): void {
    const [xy, xz, yz] = this.panes.map((pane) => pane.size);
    this.cube.fit({ xy: xy!, xz: xz!, yz: yz! }, again);
  }

  private build(): void {
    const { context, field } = this;
    this.cube = new Cube(field.shape, field.spacing_um);
    const { size, voxels } = this.cube;
    this.cursor = { x: voxels.x >> 1, y: voxels.y >> 1, z: voxels.z >> 1 };
    this.hand = new Hand(context, this.store, this, {
      grid: () => this.grid,
      changed: (item) => this.changed(item),
      corrected: (frame) => void this.loop.correct(frame),
      inside: (place) => this.cube.isInside(place),
    });
    this.loop = new Loop(context, { go: (frame) => this.go(frame), reload: () => this.reload() });
    const share = (part: number) => Math.min(1.5, Math.max(0.2, part)).toFixed(3);
    this.root.style.setProperty("--pt-depth-x", `${share(size.z / size.x)}fr`);
    this.root.classList.toggle("pt-plane", voxels.z < 2);
    this.bar = new Bar(field.channels, field.layers, {
      put: () => this.toggle("puts"), flat: () => this.toggle("flat"), names: () => this.toggle("names"), trail: () => this.toggle("trails"),
      layer: (name) => { this.layer = name; void this.go(this.frame, { follow: false }); },
      channels: (shown) => this.channels(shown),
      gain: (channel, value) => { this.gains[channel] = value; this.paintPictures(); },
      colour: (by) => this.colour(by),
      right: () => this.hand.volumeRight(), worst: () => void this.worst(), next: () => void this.loop.next(),
    });
    const acts = {
      pick: (_: Axis, place: Place, item: number | null, how: { more: boolean; put: boolean }) => this.pick(place, item, how),
      dropped: (place: Place) => void this.hand.put(place),
      step: (axis: Axis, by: number) => void this.deeper(by, axis),
      puts: () => this.puts,
    };
    this.panes = AXES.map((axis) => new Pane(axis, this.cube, acts, () => this.fit(false)));
    this.heat = new HeatMap({
      pick: (frame, item) => void (item === null ? this.go(frame) : this.visit(item, frame)),
      name: (item) => this.name(item),
      volume: (frame) => this.volumeName(frame),
    });
    this.heat.load(this.grid);
    this.masks = new MaskOutlines(context, () => this.outline());
    (this.bar.root.querySelector('[aria-label="Show"]') ?? this.bar.root).append(this.masks.button);
    void this.masks.load().then(() => this.outline()).catch(() => undefined); // offline: without masks
    this.bar.root.append(this.loop.root);
    this.root.append(this.bar.root, ...this.panes.map((pane) => pane.root), this.side.root, this.heat.root);
    this.sayWhatIsMissing();
  }

  private volumeName(frame: number): string {
    const { rate_hz } = this.field;
    const time = rate_hz ? ` · ${(frame / rate_hz).toFixed(1)} s` : "";
    return `Volume ${frame.toLocaleString("en")} of ${this.grid.nFrames.toLocaleString("en")}${time}`;
  }

  private say(text: string): void {
    this.message.textContent = text;
  }

  private sayWhatIsMissing(): void {
    const { n_volumes, spacing_um, shape } = this.field;
    const movie = n_volumes ? "" : "The movie is not at hand: places and confidence are shown, without pictures.";
    const size = spacing_um || shape[0] < 2 ? "" : "Nothing says how large a voxel is: voxels are drawn as cubes.";
    this.say([movie, size].filter(Boolean).join(" "));
  }

  private pick(place: Place, item: number | null, how: { more: boolean; put: boolean }): void {
    if (how.put || (this.puts && !how.more)) void this.hand.put(place);
    else if (item !== null && how.more) this.hand.mark(item);
    else if (item !== null && item !== this.item) void this.visit(item, this.frame);
    else void this.look(place);
  }

  private get hasPictures(): boolean {
    return Boolean(this.layer) || this.frame < this.field.n_volumes;
  }

  private sight(frame = this.frame, at = this.cursor): Sight {
    const perVoxel = this.cube.camera.scale * this.cube.side.x * (devicePixelRatio || 1);
    const level = Math.max(0, Math.min(6, Math.floor(-Math.log2(Math.max(1e-3, perVoxel)))));
    return { frame, at, flat: this.flat, level, layer: this.layer };
  }

  private async cutsHere(): Promise<Cuts | null> {
    if (!this.hasPictures) return null;
    try {
      return await this.store.cuts(this.sight());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(error.message);
      return null;
    }
  }

  private take(cuts: Cuts | null): void {
    this.cuts = cuts;
    this.paintPictures();
  }

  private paintPictures(): void {
    for (const pane of this.panes) pane.show(this.cuts?.[pane.axis] ?? null, this.shown, this.gains);
  }

  private async loadTrail(): Promise<void> {
    const { item } = this;
    if (item === null || !this.grid.has(item)) return;
    const found = await this.store.trail(item).catch(() => null); // gone on the server: no trail
    if (item === this.item) this.trail = found;
  }

  /** Fetches what the next keys will ask for: volumes on, and the worst one. */
  private ahead(): void {
    const next = Array.from({ length: AHEAD }, (_, k) => this.frame + (k + 1) * this.direction);
    const worst = this.grid.nFrames < 2000 ? [] : [this.frame - this.direction];
    void (async () => {
      const turn = this.turn;
      for (const frame of [...next, ...worst]) {
        if (turn !== this.turn || this.gone || frame < 0 || frame >= this.grid.nFrames) continue;
        const points = await this.store.points(frame);
        const own = points.find((point) => point.item === this.item && point.visible);
        if (turn === this.turn && (this.layer || frame < this.field.n_volumes)) await this.store.cuts(this.sight(frame, own ? this.cube.voxel(own) : this.cursor));
      }
    })().catch(() => undefined); // told when it is shown
  }

  // painting

  private paint(): void {
    if (!this.panes.length || this.gone) return;
    const { grid, frame, item } = this;
    const selected = this.context.selection.value;
    const marks: Mark[] = [];
    for (const point of this.layer ? [] : this.points) {
      if (!point.visible && point.item !== item) continue;
      if (!grid.has(point.item) || !point.visible) continue;
      const code = point.confidence === null ? UNKNOWN : LEAST + Math.round(point.confidence * (255 - LEAST));
      marks.push({
        item: point.item, at: point, colour: markColour(this.colouring, point.item, code, point.said), name: this.name(point.item, ""),
        decided: isDecided(point.said), doubted: point.said === UNSURE, current: point.item === item, marked: selected.includes(point.item),
      });
    }
    marks.sort((a, b) => Number(a.current) - Number(b.current));
    const scene = { marks, cursor: this.cursor, flat: this.flat, names: this.names, trail: this.trails && !this.layer ? this.trailHere() : [], masks: this.outlines };
    for (const pane of this.panes) pane.draw(scene);
    const seen = this.points.filter((point) => point.visible);
    if (item !== null) {
      this.side.show(this.name(item), this.point, { points: seen.length, decided: seen.filter((point) => isDecided(point.said)).length }, this.context.items.value, item);
    }
    const { puts, flat, layer, shown, colouring, names, trails } = this;
    this.bar.show({ puts, flat, layer, shown, colouring, names, trail: trails });
    this.root.dataset.points = String(seen.length);
    this.heat.mark(frame, item);
  }

  private trailHere(): Array<Place & { away: number }> {
    return this.trail ? placesAround(this.trail, this.frame, TRAIL) : [];
  }

  /** A point was decided here, before the server has it. */
  private changed(item: number | null): void {
    if (item !== null) this.store.forgetTrail(item);
    this.heat.changed();
    this.paint();
    if (item === this.item && item !== null && this.trails) void this.loadTrail().then(() => this.paint());
  }

  // what stands

  /** Takes what the server has once it has every decision of this page. */
  private async reload(): Promise<void> {
    const asked = ++this.asked;
    let found: Grid;
    for (;;) {
      while (this.context.waiting()) {
        await later(SETTLE_MS);
        if (asked !== this.asked || this.gone) return;
      }
      found = await this.store.grid();
      if (asked !== this.asked || this.gone) return;
      if (!this.context.waiting()) break;
    }
    const before = this.grid;
    this.grid = found;
    this.store.forget();
    this.heat.load(found);
    const made = found.items.filter((item) => !before.has(item));
    if (this.hand.makes && made.length) {
      this.hand.makes = false;
      await this.visit(Math.max(...made), this.frame);
    }
    await this.go(whereOther(before, found, this.frame), { follow: false });
    this.root.dataset.loads = String(asked);
  }
}
