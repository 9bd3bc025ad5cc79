// What the hand does to points and tracks: shown at once, sent as edits of the journal.
import type { Columns, ViewContext } from "../../view.ts";
import type { Place } from "./cube.ts";
import { added, hidden, merged, moved, pointsRight, pointsUnsure, removed, split, swapped } from "./editing.ts";
import type { Grid } from "./grid.ts";
import { ACCEPTED, ADDED, CHANGED, HIDDEN, LEAST, UNKNOWN, UNSURE, isDecided } from "./grid.ts";
import type { Point, PointStore } from "./store.ts";

/** Of two tracks that are both seen in more of their volumes than this, one cannot be the other. */
const MOST_OVERLAP = 0.5;
const NUMBER_MS = 3000;

/** Volumes in which a track has a point to be seen, with the point's row. */
function seen(rows: Columns): Map<number, number> {
  const frames = rows.numbers("frame"), ids = rows.numbers("id"), visible = rows.values("visible");
  return new Map(Array.from(frames, (frame, k) => [frame, ids[k]!] as [number, number]).filter((_, k) => Boolean(visible[k])));
}

/** What of the view the hand reads. */
export interface Scene {
  readonly frame: number;
  readonly item: number | null;
  readonly cursor: Place;
  readonly points: Point[];
  /** Whether the points are still those of another volume. */
  readonly reading: boolean;
  readonly point: Point | undefined;
  worst(): Promise<void>;
  doubt(): Promise<void>;
  name(item: number): string;
}

export interface HandActs {
  grid(): Grid;
  /** Points are other than they were; of one track, or of several. */
  changed(item: number | null): void;
  /** What a method had put elsewhere was put right in a volume. */
  corrected(frame: number): void;
  inside(place: Place): boolean;
}

export class Hand {
  /** Volume in which the next neuron is to be shown. */
  wanted: number | null = null;
  /** A track is on its way that has no number yet. */
  makes = false;
  private readonly context: ViewContext;
  private readonly store: PointStore;
  private readonly scene: Scene;
  private readonly acts: HandActs;

  constructor(context: ViewContext, store: PointStore, scene: Scene, acts: HandActs) {
    this.context = context;
    this.store = store;
    this.scene = scene;
    this.acts = acts;
  }

  /** Puts the neuron at a place of this volume: moved there, or added where it has no point. */
  async put(place: Place): Promise<void> {
    if (this.early()) return;
    const { item, frame } = this.scene;
    if (item === null || !this.acts.grid().has(item)) return this.context.announce("No neuron is shown.");
    if (!this.acts.inside(place)) return this.context.announce("That place is outside the volume.");
    const point = await this.numbered();
    if (this.scene.item !== item || this.scene.frame !== frame) return;
    if (point === undefined) {
      this.scene.points.push({ id: null, item, ...at(place), visible: true, confidence: null, said: ADDED });
      this.acts.grid().set(item, frame, { sure: UNKNOWN, said: ADDED });
      this.context.decide([added(item, frame, place)]);
      this.context.announce(`${this.scene.name(item)} was added to volume ${frame}.`);
    } else if (point) {
      Object.assign(point, at(place), { visible: true, said: CHANGED });
      this.acts.grid().set(item, frame, { sure: codeOf(point), said: CHANGED });
      this.context.decide([moved(item, point.id!, place)]);
      this.acts.corrected(frame);
    }
    this.acts.changed(item);
  }

  /** By so many voxels. */
  nudge(by: Partial<Place>): void {
    const { point } = this.scene;
    if (!point?.visible) return this.context.announce("The neuron has no point in this volume; `a` puts one at the cursor.");
    void this.put({ x: point.x + (by.x ?? 0), y: point.y + (by.y ?? 0), z: point.z + (by.z ?? 0) });
  }

  /** Not to be seen in this volume, or to be seen again. */
  async hide(): Promise<void> {
    if (this.early()) return;
    const { item, frame } = this.scene;
    const point = await this.numbered();
    if (item === null || !point || this.scene.item !== item || this.scene.frame !== frame) return this.context.announce("The neuron has no point in this volume.");
    if (!point.visible && !Number.isFinite(point.x)) return this.context.announce("It has no place; put it somewhere.");
    Object.assign(point, { visible: !point.visible, said: CHANGED });
    this.acts.grid().set(item, frame, { sure: point.visible ? codeOf(point) : HIDDEN, said: CHANGED });
    this.context.decide([hidden(item, point.id!, point.visible)]);
    this.context.announce(point.visible ? "To be seen here." : "Not to be seen here.");
    this.acts.changed(item);
  }

  /** All points of this volume are right; on to the next that is worst. */
  volumeRight(): void {
    if (this.early()) return;
    const { frame, points } = this.scene;
    const there = points.filter((point) => this.acts.grid().has(point.item));
    if (!there.length) return this.context.announce("There is no point in this volume.");
    for (const point of there) this.say(point, ACCEPTED);
    this.context.decide([pointsRight(there.map((point) => point.item), frame)]);
    this.acts.changed(null);
    void this.scene.worst();
  }

  /** This point is right; on to the next doubtful one. */
  pointRight(): void {
    if (this.sayHere(ACCEPTED)) void this.scene.doubt();
  }

  pointUnsure(): void {
    if (this.sayHere(UNSURE)) void this.scene.doubt();
  }

  mark(item: number | null): void {
    if (item === null) return;
    const now = this.context.selection.value;
    this.context.selection.value = now.includes(item) ? now.filter((one) => one !== item) : [...now, item];
    this.context.announce(`${this.context.selection.value.length} marked.`);
  }

  unmark(): void {
    this.context.selection.value = [];
  }

  /** The neuron and the one that is marked exchange identity from this volume on. */
  swap(words: string): void {
    if (this.early()) return;
    const { item, frame } = this.scene;
    const other = this.other(words);
    if (item === null || other === null) return this.context.announce("Mark the neuron to swap with: m, or Shift+click. `/swap 7` names it.");
    this.context.selection.value = [];
    this.context.decide([swapped(item, other, frame)]);
    this.acts.corrected(frame);
    this.context.announce(`${this.scene.name(item)} and ${this.scene.name(other)} are each other from volume ${frame} on.`);
  }

  async merge(words: string): Promise<void> {
    const { item } = this.scene;
    const other = this.other(words);
    if (item === null || other === null) return this.context.announce("Mark the track to merge with: m, or Shift+click. `/merge 7` names it.");
    // asked of the server: the map may still be that of before the last edit
    const [mine, theirs] = await Promise.all([this.store.rows(item), this.store.rows(other)]);
    const own = seen(mine), both = [...seen(theirs)].filter(([frame]) => own.has(frame));
    if (both.length > MOST_OVERLAP * seen(theirs).size) return this.context.announce(`Both are seen in ${both.length} volumes: they are two neurons.`);
    const ids = both.map(([, id]) => id);
    this.context.selection.value = [];
    this.wanted = this.scene.frame;
    this.context.decide(merged([item, other], other, ids));
    this.context.announce(ids.length
      ? `One track; where both had a point (${ids.length}), those of ${this.scene.name(other)} are a track of their own.`
      : `${this.scene.name(item)} and ${this.scene.name(other)} are one track.`);
    this.context.goto(Math.min(item, other));
  }

  /** From this volume on it is another neuron. */
  async split(): Promise<void> {
    if (this.early()) return;
    const { item, frame } = this.scene;
    if (item === null) return;
    const rows = await this.store.rows(item);
    const frames = rows.numbers("frame");
    const ids = Array.from(rows.numbers("id")).filter((_, k) => frames[k]! >= frame);
    if (!ids.length || ids.length === rows.n) return this.context.announce("The track must have points before this volume, and from it on.");
    this.makes = true;
    this.context.decide([split(item, ids)]);
    this.context.announce(`From volume ${frame} on it is a track of its own.`);
  }

  /** A neuron that no track has, at the cursor. */
  create(): void {
    if (this.early()) return;
    const { frame, cursor } = this.scene;
    this.makes = true;
    this.context.decide([added(null, frame, cursor)]);
    this.context.announce(`A new track, at ${cursor.x}, ${cursor.y}, ${cursor.z} in volume ${frame}.`);
  }

  remove(): void {
    const { item } = this.scene;
    if (item === null || !this.acts.grid().has(item)) return;
    this.context.decide([removed(item)], { advance: true });
  }

  /** Says something of the neuron's point; false where it has none. */
  private sayHere(said: number): boolean {
    if (this.early()) return false;
    const { item, point, frame } = this.scene;
    if (item === null || !point) {
      this.context.announce("The neuron has no point in this volume.");
      return false;
    }
    this.say(point, said);
    this.context.decide([said === UNSURE ? pointsUnsure([item], frame) : pointsRight([item], frame)]);
    this.acts.changed(null);
    return true;
  }

  private say(point: Point, said: number): void {
    if (said === ACCEPTED && isDecided(point.said)) return; // what was placed stays so
    point.said = said;
    this.acts.grid().set(point.item, this.scene.frame, { said });
  }

  /** True, and told, while the volume is not there yet: nothing is decided on what nobody has seen. */
  private early(): boolean {
    if (this.scene.reading) this.context.announce(`Volume ${this.scene.frame} is still being read; nothing was decided.`);
    return this.scene.reading;
  }

  /** The one named, else the one that is marked. */
  private other(words: string): number | null {
    const named = words.trim() ? [Number(words.trim())] : this.context.selection.value;
    const others = named.filter((one) => one !== this.scene.item && this.acts.grid().has(one));
    return others.length === 1 ? others[0]! : null;
  }

  /** The neuron's point here, once it has a number; undefined where it has none. */
  private async numbered(): Promise<Point | null | undefined> {
    const { item, frame } = this.scene;
    for (const started = performance.now(); ; await new Promise((resolve) => { setTimeout(resolve, 30); })) {
      if (this.scene.item !== item || this.scene.frame !== frame) return null;
      const { point } = this.scene;
      if (!point || point.id !== null) return point;
      if (performance.now() - started > NUMBER_MS) {
        this.context.announce("The server has not taken the point yet; once more in a moment.");
        return null;
      }
    }
  }
}

const at = ({ x, y, z }: Place): Place => ({ x, y, z });

const codeOf = ({ confidence }: Point): number => (confidence === null ? UNKNOWN : LEAST + Math.round(confidence * (255 - LEAST)));
