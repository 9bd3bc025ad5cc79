// Puts the panels together: which region is shown, which tool is in the hand, what stands where.
import { effect } from "@preact/signals";
import type { Command, QueueEntry, View, ViewContext } from "../../view.ts";
import { ApiError } from "../../view.ts";
import { element } from "../units/dom.ts";
import { Bar } from "./bar.ts";
import { Camera } from "./camera.ts";
import { ClipPanel } from "./clip.ts";
import type { Rgb, Scale } from "./colours.ts";
import { classColour, decidedColour, ramp, scaleOf, statistics, valuesOf } from "./colours.ts";
import type { Drawn } from "./contours.ts";
import { sided } from "./editing.ts";
import { FactsPanel } from "./facts.ts";
import type { Acts, Overlay, Tool } from "./field.ts";
import { FieldPane } from "./field.ts";
import { Ground } from "./ground.ts";
import { Hand } from "./hand.ts";
import { centre } from "./masks.ts";
import type { Curves, Field, Region } from "./store.ts";
import { RegionStore } from "./store.ts";
import { TracePanel } from "./trace.ts";
import "./regions.css";

const POLL_MS = 500, SETTLE_MS = 60;
/** A region is shown without its trace when that takes longer than this. */
const PATIENCE_MS = 150;
const CURRENT = "#ffffff", CHOSEN = "#ff7fd0", DRAFT = "#f0c830";

const later = (ms: number) => new Promise<void>((resolve) => { setTimeout(resolve, ms); });

export class RegionsView implements View {
  private context!: ViewContext;
  private store!: RegionStore;
  private field!: Field;
  private ground!: Ground;
  private hand!: Hand;
  private readonly root = element("div", { class: "regions" });
  private readonly message = element("p", { class: "rg-message", role: "status" });
  private readonly camera = new Camera();
  private bar!: Bar;
  private panes: [FieldPane, FieldPane] | null = null;
  private clip!: ClipPanel;
  private readonly trace = new TracePanel((sample) => void this.clip.at(sample));
  private facts!: FactsPanel;

  private scale: Scale | null = null;
  private item: number | null = null;
  private layer = "";
  private statistic = "class";
  private fresh = false;
  private drawnAt: number | null = null;
  private nDrawn = 0;
  /** Drawn anew without a movie: only the server can tell what its trace then is. */
  private readonly untold = new Set<number>();
  private turn = 0;
  private asked = 0;
  private drawing = 0;
  private gone = false;
  private stops: Array<() => void> = [];

  async mount(root: HTMLElement, context: ViewContext): Promise<void> {
    this.context = context;
    this.store = new RegionStore(context);
    root.append(this.root);
    this.root.append(this.message);
    try {
      this.field = await this.store.field();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.message.textContent = error.message;
      return;
    }
    const [, height, width] = this.field.shape;
    this.ground = new Ground({ width, height });
    this.build();
    const facts = context.api.json<{ units: Record<string, string> }>(`desks/${context.desk.key}/facts`).then(({ units }) => this.facts.setUnits(units));
    await Promise.all([this.reloadOutlines(), this.showPicture(), facts]);
    this.stops = [
      effect(() => {
        void context.theme.value;
        requestAnimationFrame(() => this.repaint());
      }),
      effect(() => {
        void context.version.value;
        void context.selection.value;
        this.soonRecolour();
      }),
      effect(() => {
        if (context.items.value && this.panes) void this.reloadOutlines().catch(() => undefined); // offline is told by show()
      }),
      () => { this.gone = true; },
    ];
    void this.waitForPictures();
  }

  async show(entry: QueueEntry): Promise<void> {
    if (!this.panes) return;
    const turn = ++this.turn;
    const other = entry.item !== this.item;
    this.item = entry.item;
    if (other) this.hand.drop();
    const region = this.ground.regions.get(entry.item);
    if (region) {
      if (region.plane !== this.ground.plane) await this.choosePlane(region.plane);
      this.camera.reveal(...centre(region.pixels, this.ground.grid), this.panes[0].pane);
    }
    this.say(region ? "" : `Region ${entry.item} has no pixels any more: it was merged or removed. Undo brings it back.`);
    this.paintOverlay();
    this.facts.show(this.context.items.value, entry.item, region?.pixels.length ?? 0);
    this.root.dataset.region = String(entry.item); // whose pictures these are
    const loaded = region ? this.loadCurves(entry.item, turn, !other) : this.paintCurves(null, entry.item);
    await Promise.race([loaded, later(PATIENCE_MS)]);
  }

  prefetch(entry: QueueEntry): void {
    if (this.panes && this.ground.regions.has(entry.item)) this.store.curves(entry.item).catch(() => undefined); // told when it is shown
  }

  unmount(): void {
    for (const stop of this.stops) stop();
    for (const part of [...(this.panes ?? []), this.trace, this.clip]) part?.destroy();
    this.root.remove();
  }

  commands(): Command[] {
    const tool = (name: Tool, key: string, help: string): Command => ({ name: `tool-${name}`, help, key, run: () => this.hand.choose(name) });
    if (!this.panes) return [];
    return [
      { name: "to-left", help: "To the left: the first class (a cell), and on", key: "ArrowLeft", run: () => this.toSide(0) },
      { name: "to-right", help: "To the right: the second class (not a cell), and on", key: "ArrowRight", run: () => this.toSide(1) },
      { name: "flip", help: "Flip to the other side: this region, or all that are marked", key: "c", run: () => this.hand.flip(this.chosen()) },
      tool("brush", "b", "Brush: paint pixels onto the region"),
      tool("erase", "e", "Erase: rub pixels off the region"),
      { name: "tool-draw", help: "Draw around a new region; `/tool-draw 120 80 5`: a disc at x, y", key: "d", run: (rest) => this.hand.drawNew(rest) },
      { name: "tool-split", help: "Split by a line that you draw; again: across its middle", key: "k", run: () => this.hand.splitKey() },
      { name: "tool-select", help: "Select: put the tool down, let go of what is marked", key: "Escape", run: () => this.drop() },
      { name: "narrower", help: "Narrower brush", key: ",", run: () => this.hand.resize(false) },
      { name: "wider", help: "Wider brush", key: ".", run: () => this.hand.resize(true) },
      { name: "grow", help: "One pixel more all around", key: "Shift+ArrowUp", run: () => this.hand.grow(1) },
      { name: "shrink", help: "One pixel less all around", key: "Shift+ArrowDown", run: () => this.hand.grow(-1) },
      { name: "mark", help: "Mark this region, to merge or flip several; Shift+click marks, too", key: "m", run: () => this.mark(this.item) },
      { name: "merge", help: "Merge with the marked regions; `/merge 3 7`", key: "g", run: (rest) => this.hand.merge(rest) },
      { name: "remove-region", help: "Remove: nothing is here", key: "Delete", run: () => this.remove() },
      { name: "region-after", help: "Next region in the order of the colours", key: "ArrowDown", run: () => this.walk(1) },
      { name: "region-before", help: "Region before in the order of the colours", key: "ArrowUp", run: () => this.walk(-1) },
      { name: "layer", help: "Next picture; `/layer max`", key: "i", run: (rest) => this.nextLayer(rest.trim()) },
      { name: "colour", help: "Colour outlines by the next fact; `/colour skewness`", key: "s", run: (rest) => this.nextStatistic(rest.trim()) },
      { name: "outlines", help: "Show or hide the outlines", key: "o", run: () => this.showOutlines(!this.panes?.[0].shown) },
      { name: "transient-after", help: "Movie: next transient, the largest first", key: "]", run: () => this.clip.walk(1) },
      { name: "transient-before", help: "Movie: the transient before", key: "[", run: () => this.clip.walk(-1) },
      { name: "play", help: "Movie: play or pause", key: "p", run: () => this.clip.play() },
      { name: "closer", help: "Larger", key: "+", run: () => this.zoom(1.5) },
      { name: "farther", help: "Smaller", key: "-", run: () => this.zoom(1 / 1.5) },
      { name: "whole-field", help: "The whole field", key: "0", run: () => this.panes?.[0].fit() },
    ];
  }

  private build(): void {
    const { context } = this;
    this.hand = new Hand(context, this.ground, {
      item: () => this.item,
      changed: () => this.handChanged(),
      redrawn: (item, region) => this.redrawn(item, region),
      begins: (x, y) => this.store.warm(x, y, this.ground.plane),
      adds: () => { this.fresh = true; },
    });
    const acts: Acts = {
      tool: () => this.hand.tool,
      pick: (x, y, more) => this.pick(x, y, more),
      flip: (x, y) => { const item = this.ground.at(x, y); if (item !== null) this.hand.flip([item]); },
      hover: (x, y) => this.hand.hover(x, y),
      stroking: (path) => this.hand.stroking(path),
      stroked: (path) => this.hand.stroked(path),
      dropped: () => this.hand.drop(),
    };
    this.bar = new Bar({
      tool: (name) => this.hand.choose(name),
      layer: (name) => this.nextLayer(name),
      plane: (plane) => void this.choosePlane(plane),
      statistic: (name) => this.nextStatistic(name),
      outlines: (on) => this.showOutlines(on),
      brightness: (value) => this.root.style.setProperty("--rg-bright", String(value)),
    }, (name) => context.keys.keyOf(name));
    const [left, right] = context.desk.vocabulary;
    this.panes = [
      new FieldPane("left", left ? `Field: ${left.name}` : "Field", this.camera, acts),
      new FieldPane("right", right ? `Field: ${right.name}` : "Field: the rest", this.camera, acts),
    ];
    this.panes[1].root.hidden = !right;
    this.clip = new ClipPanel(this.store, (sample) => this.trace.mark(sample));
    this.facts = new FactsPanel();
    this.root.classList.toggle("rg-single", !right);
    this.root.append(
      this.bar.root, this.panes[0].root, this.panes[1].root,
      element("div", { class: "rg-side" }, this.clip.root, this.facts.root), this.trace.root,
    );
    this.handChanged();
  }

  private say(text: string): void {
    this.message.textContent = text;
  }

  // what stands

  private async reloadOutlines(): Promise<void> {
    const asked = ++this.asked;
    const found = await this.settledOutlines(() => asked !== this.asked || this.gone);
    if (!found) return;
    const before = new Set(this.ground.regions.keys());
    const { changed, missing } = this.ground.load(found);
    changed.push(...this.untold);
    this.untold.clear();
    this.store.forget([...changed, ...missing]);
    this.soonRecolour();
    if (!before.size) return;
    const made = changed.filter((item) => !before.has(item));
    if (this.fresh && made.length) {
      this.fresh = false;
      this.context.goto(Math.max(...made));
    } else if (this.item !== null && (changed.includes(this.item) || missing.includes(this.item))) {
      await this.show({ item: this.item } as QueueEntry);
    }
  }

  /** Outlines of the server once it has every decision of this page; else a stroke made meanwhile would be lost. */
  private async settledOutlines(stale: () => boolean): Promise<Map<number, Region> | null> {
    const { width, height } = this.ground.grid;
    for (const first = !this.ground.regions.size; ; await later(SETTLE_MS)) {
      if (stale()) return null;
      const drawn = this.nDrawn;
      if (!first && this.context.waiting()) continue;
      const found = await this.store.outlines(width * height);
      if (stale()) return null;
      if (first || (drawn === this.nDrawn && !this.context.waiting())) return found;
    }
  }

  private soonRecolour(): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.recolour());
  }

  /** Sorts outlines into the panes, in their colours. */
  private recolour(): void {
    if (!this.panes || this.gone) return;
    const { desk } = this.context;
    const table = this.context.items.value;
    const names = statistics(table);
    if (!names.includes(this.statistic)) this.statistic = "class";
    const values = valuesOf(this.context.items.value, this.statistic);
    this.scale = values ? scaleOf([...values.values()]) : null;
    const sidesOf: [Drawn[], Drawn[]] = [[], []];
    const first = desk.vocabulary[0]?.name;
    let hidden = 0;
    for (const item of this.ground.regions.keys()) {
      const state = this.context.state(item);
      if (!this.ground.isShown(item) || state?.state === "removed") continue;
      const label = state?.label ?? null;
      const plain = this.statistic === "decided" ? decidedColour(state) : classColour(desk, state);
      const colour: Rgb = values ? ramp(values.get(item) ?? Number.NaN, this.scale!) : plain;
      if (label === null) hidden++;
      const side = label === null || label === first || desk.vocabulary.length < 2 ? 0 : 1;
      sidesOf[side].push({ pieces: this.ground.piecesOf(item), colour });
    }
    this.panes.forEach((pane, k) => {
      pane.load(sidesOf[k]!);
      const name = desk.vocabulary[k]?.name ?? "regions";
      pane.say(`${hidden && !k ? `${name}, or not to be seen yet` : name} · ${sidesOf[k]!.length.toLocaleString("en")}`);
    });
    this.bar.colours(names, this.statistic, this.scale, this.facts.unitOf(this.statistic), this.panes[0].shown);
    this.paintOverlay();
  }

  private repaint(): void {
    for (const pane of this.panes ?? []) pane.repaint();
    this.trace.repaint();
    this.clip?.repaint();
    this.soonRecolour();
  }

  private paintOverlay(): void {
    if (!this.panes) return;
    const { ground } = this;
    const { draft, ...drawn } = this.hand.overlay();
    const outlines: Overlay["outlines"] = this.context.selection.value.filter((item) => ground.isShown(item))
      .map((item) => ({ pieces: ground.piecesOf(item), colour: CHOSEN, width: 2 }));
    if (draft) outlines.push({ pieces: draft, colour: DRAFT, width: 2 });
    else if (this.item !== null && ground.isShown(this.item)) outlines.push({ pieces: ground.piecesOf(this.item), colour: CURRENT, width: 2 });
    for (const pane of this.panes) pane.draw({ outlines, ...drawn });
  }

  // curves

  private async loadCurves(item: number, turn: number, keep = false): Promise<void> {
    try {
      for (;;) {
        const curves = await this.store.curves(item);
        if (turn !== this.turn || this.gone) return;
        this.paintCurves(curves, item, keep);
        if (this.drawnAt !== null && curves.origin === "movie") {
          this.root.dataset.extractMs = (performance.now() - this.drawnAt).toFixed(0);
          this.drawnAt = null;
        }
        if (curves.read >= 1) return;
        await later(POLL_MS);
        if (turn !== this.turn || this.gone) return;
      }
    } catch (error) {
      if (turn !== this.turn || !(error instanceof ApiError)) throw error;
      this.paintCurves(null, item);
      this.trace.say(error.message);
    }
  }

  private paintCurves(curves: Curves | null, item: number, keep = false): void {
    this.trace.show(curves, `Region ${item}`, keep);
    void this.clip.show(item, curves, this.ground.piecesOf(item), this.field.movie);
  }

  // pictures

  private async showPicture(): Promise<void> {
    const { layers, shape } = this.field;
    if (!layers.includes(this.layer)) this.layer = layers[0] ?? "";
    this.bar.pictures(layers, this.layer, shape[0], this.ground.plane);
    const image = this.layer ? await this.store.image(this.layer, this.ground.plane) : null;
    for (const pane of this.panes ?? []) pane.show(this.ground.grid, image);
  }

  private async waitForPictures(): Promise<void> {
    while (this.field.pictures === "reading" && !this.gone) {
      await later(POLL_MS);
      const field = await this.store.field().catch(() => null); // offline: asked again
      if (field) this.field = field;
    }
    if (this.gone) return;
    await this.showPicture();
    if (this.field.pictures === "patches") this.context.announce("The movie is not at hand: only what was kept around each region is shown.");
  }

  private async choosePlane(plane: number): Promise<void> {
    this.ground.choosePlane(plane);
    this.soonRecolour();
    await this.showPicture();
  }

  private nextLayer(name: string): void {
    const { layers } = this.field;
    if (!layers.length) return this.context.announce("There are no pictures of this field.");
    const found = name ? layers.find((one) => one.startsWith(name)) : layers[(layers.indexOf(this.layer) + 1) % layers.length];
    if (!found) return this.context.announce(`Pictures are ${layers.join(", ")}.`);
    this.layer = found;
    this.context.announce(`Picture: ${found}.`);
    void this.showPicture();
  }

  private nextStatistic(name: string): void {
    const names = statistics(this.context.items.value);
    const found = name ? names.find((one) => one.startsWith(name)) : names[(names.indexOf(this.statistic) + 1) % names.length];
    if (!found) return this.context.announce(`Outlines can be coloured by ${names.join(", ")}.`);
    this.statistic = found;
    this.context.announce(`Outlines are coloured by ${found}.`);
    this.soonRecolour();
  }

  private showOutlines(on: boolean): void {
    for (const pane of this.panes ?? []) {
      pane.shown = on;
      pane.repaint();
    }
    this.soonRecolour();
  }

  private zoom(factor: number): void {
    const pane = this.panes?.[0].pane;
    const region = this.item === null ? undefined : this.ground.regions.get(this.item);
    if (!pane) return;
    const [x, y] = region ? centre(region.pixels, this.ground.grid) : [this.camera.x, this.camera.y];
    this.camera.zoom(factor, ...this.camera.toScreen(x, y, pane), pane);
  }

  // the hand

  private handChanged(): void {
    this.bar.choose(this.hand.tool, this.hand.radius);
    this.root.dataset.tool = this.hand.tool;
    this.paintOverlay();
  }

  private redrawn(item: number, region: Region): void {
    const { width, height } = this.ground.grid;
    if (this.field.movie) this.store.extract(item, region, region.plane * width * height);
    else this.untold.add(item);
    this.drawnAt = performance.now();
    this.nDrawn++;
    this.soonRecolour();
    if (item !== this.item) return this.context.goto(item);
    this.facts.resize(region.pixels.length);
    void this.loadCurves(item, ++this.turn, true);
  }

  private drop(): void {
    this.context.selection.value = [];
    this.hand.choose("select");
  }

  /** What is marked; else the region that is shown. */
  private chosen(): readonly number[] {
    const marked = this.context.selection.value;
    return marked.length ? marked : this.item === null ? [] : [this.item];
  }

  private pick(x: number, y: number, more: boolean): void {
    const item = this.ground.at(x, y);
    if (item === null) return;
    if (more) this.mark(item);
    else this.context.goto(item);
  }

  private mark(item: number | null): void {
    if (item === null) return;
    const now = this.context.selection.value;
    this.context.selection.value = now.includes(item) ? now.filter((one) => one !== item) : [...now, item];
    this.context.announce(`${this.context.selection.value.length} marked.`);
  }

  private remove(): void {
    const { item } = this;
    if (item === null || !this.ground.regions.has(item)) return;
    this.context.decide([{ kind: "remove", items: [item], payload: {}, optimistic: [[item, { state: "removed" }]] }], { advance: true });
  }

  private toSide(side: 0 | 1): void {
    const edit = this.item !== null && this.ground.regions.has(this.item) ? sided(this.context, this.item, side) : null;
    if (edit) this.context.decide([edit], { advance: true });
  }

  /** Regions of this pane one after the other, by what colours them, else by number. */
  private walk(by: number): void {
    const values = valuesOf(this.context.items.value, this.statistic);
    const label = this.item === null ? null : this.context.state(this.item)?.label;
    const items = [...this.ground.regions.keys()].filter((item) => this.context.state(item)?.label === label && this.context.state(item)?.state !== "removed");
    items.sort((a, b) => (values ? (values.get(b) ?? -Infinity) - (values.get(a) ?? -Infinity) : 0) || a - b);
    const now = items.indexOf(this.item ?? -1);
    const next = items[(now + by + items.length) % Math.max(1, items.length)];
    if (next !== undefined) this.context.goto(next);
  }
}
