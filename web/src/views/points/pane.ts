// One pane: a plane or a projection, the neurons that lie near it, and where the cursor is.
import { cssColour } from "../../theme.ts";
import type { Size } from "../regions/camera.ts";
import { element } from "../units/dom.ts";
import type { Axis, Cube, Place } from "./cube.ts";
import { SIDES } from "./cube.ts";
import type { Outlines } from "./masks.ts";
import { NONE, paintOutlines } from "./masks.ts";
import type { Gains, Shown } from "./picture.ts";
import { compose } from "./picture.ts";
import type { Cut } from "./store.ts";

export interface Mark {
  item: number;
  at: Place;
  colour: string;
  name: string;
  decided: boolean;
  doubted: boolean;
  /** Shown: whatever its plane; its name is written. */
  current: boolean;
  marked: boolean;
}

export interface Scene {
  marks: readonly Mark[];
  cursor: Place;
  /** Maxima are shown: every neuron is as near as any other. */
  flat: boolean;
  names: boolean;
  /** Places of the current neuron in the volumes around this one, and how far each is away in time, -1 to 1. */
  trail: ReadonlyArray<Place & { away: number }>;
  masks: Outlines;
}

export interface Acts {
  /** A click: near a neuron that one, else null. */
  pick(axis: Axis, place: Place, item: number | null, how: { more: boolean; put: boolean }): void;
  /** The current neuron was drawn along. */
  dropped(place: Place): void;
  /** The wheel with Shift: planes on or back. */
  step(axis: Axis, by: number): void;
  puts(): boolean;
}

const CLICK_PX = 4, NEAR_PX = 9;
/** Units from the plane within which a neuron is drawn whole; it fades until twice as far. */
const NEAR = 4;
const TITLES: Record<Axis, string> = { xy: "x · y", xz: "x · z", yz: "z · y" };

export class Pane {
  readonly root: HTMLElement;
  readonly axis: Axis;
  private readonly host = element("div", { class: "pt-host" });
  private readonly under = element("canvas", { "aria-hidden": "true" });
  private readonly top: HTMLCanvasElement;
  private readonly title = element("h3", {});
  private readonly cube: Cube;
  private readonly acts: Acts;
  private readonly observer: ResizeObserver;
  private readonly control = new AbortController();
  private image: OffscreenCanvas | null = null;
  private cut: Cut | null = null;
  private scene: Scene = { marks: [], cursor: { x: 0, y: 0, z: 0 }, flat: false, names: false, trail: [], masks: NONE };
  private carried: Place | null = null;
  private asked = 0;
  private readonly stale = new Set<"under" | "top">();

  constructor(axis: Axis, cube: Cube, acts: Acts, resized: () => void) {
    this.axis = axis;
    this.cube = cube;
    this.acts = acts;
    const label = `Volume, ${SIDES[axis][0]} to the right and ${SIDES[axis][1]} down`;
    this.top = element("canvas", { class: "pt-top", role: "img", "aria-label": label, tabindex: "-1" });
    this.host.append(this.under, this.top);
    this.root = element("section", { class: `pt-pane pt-${axis}`, "aria-label": label }, element("header", {}, this.title), this.host);
    this.observer = new ResizeObserver(() => { this.fitCanvas(); resized(); });
    this.observer.observe(this.host);
    cube.camera.onMove(() => this.ask("under", "top"));
    this.listen();
  }

  get size(): Size {
    return { width: Math.max(1, this.host.clientWidth), height: Math.max(1, this.host.clientHeight) };
  }

  show(cut: Cut | null, shown: Shown, gains: Gains): void {
    this.cut = cut;
    if (!cut) this.image = null;
    else {
      const [, height, width] = cut.shape;
      if (!this.image || this.image.width !== width || this.image.height !== height) this.image = new OffscreenCanvas(width, height);
      this.image.getContext("2d")!.putImageData(compose(cut, shown, gains), 0, 0);
    }
    this.ask("under");
  }

  draw(scene: Scene): void {
    this.scene = scene;
    const [, , across] = SIDES[this.axis];
    const where = scene.flat ? "brightest" : `${across} ${Math.round(scene.cursor[across])}`;
    const text = `${TITLES[this.axis]} · ${where}`;
    if (this.title.textContent !== text) this.title.textContent = text;
    this.host.dataset.marks = String(scene.marks.length);
    this.host.dataset.masks = String(scene.masks[this.axis].length);
    this.ask("top");
  }

  repaint(): void {
    this.ask("under", "top");
  }

  destroy(): void {
    cancelAnimationFrame(this.asked);
    this.observer.disconnect();
    this.control.abort();
    this.root.remove();
  }

  /** Paints these layers with the next frame. */
  private ask(...layers: Array<"under" | "top">): void {
    for (const layer of layers) this.stale.add(layer);
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => {
      if (this.stale.has("under")) this.paintPicture();
      if (this.stale.has("top")) this.paintMarks();
      this.stale.clear();
    });
  }

  private fitCanvas(): void {
    const ratio = devicePixelRatio || 1;
    for (const canvas of [this.under, this.top]) {
      canvas.width = Math.round(this.size.width * ratio);
      canvas.height = Math.round(this.size.height * ratio);
    }
    this.ask("under", "top");
  }

  private brush(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
    const ratio = devicePixelRatio || 1;
    const brush = canvas.getContext("2d")!;
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    return brush;
  }

  private paintPicture(): void {
    const { size, cube } = this;
    const brush = this.brush(this.under);
    brush.fillStyle = cssColour("--ground");
    brush.fillRect(0, 0, size.width, size.height);
    const [left, top, right, bottom] = this.extent();
    brush.fillStyle = "#000";
    brush.fillRect(left, top, right - left, bottom - top);
    if (!this.image || !this.cut) return;
    brush.imageSmoothingEnabled = cube.camera.scale < 12;
    brush.drawImage(this.image, left, top, right - left, bottom - top);
  }

  /** Left, top, right and bottom of the volume on the screen. */
  private extent(): [number, number, number, number] {
    const { cube, size, axis } = this;
    const low = { x: -0.5, y: -0.5, z: -0.5 };
    const { voxels } = cube;
    return [
      ...cube.toScreen(axis, low, size),
      ...cube.toScreen(axis, { x: voxels.x - 0.5, y: voxels.y - 0.5, z: voxels.z - 0.5 }, size),
    ];
  }

  /** How much of a neuron is drawn, from its distance to the plane. */
  private presence(at: Place): number {
    if (this.scene.flat) return 1;
    const across = SIDES[this.axis][2];
    const away = Math.abs(at[across] - this.scene.cursor[across]) * this.cube.side[across];
    return away <= NEAR ? 1 : Math.max(0, 1 - (away - NEAR) / NEAR);
  }

  private paintMarks(): void {
    const { size, scene, cube, axis } = this;
    const brush = this.brush(this.top);
    brush.clearRect(0, 0, size.width, size.height);
    brush.font = "11px system-ui, sans-serif";
    const current = scene.marks.find((mark) => mark.current)?.item ?? null;
    paintOutlines(brush, axis, scene.masks[axis], current, (place) => cube.toScreen(axis, place, size));
    if (!scene.flat) this.paintCross(brush);
    this.paintTrail(brush);
    const radius = Math.min(9, Math.max(4, cube.camera.scale * 1.6));
    for (const mark of scene.marks) {
      const presence = mark.current ? 1 : this.presence(mark.at);
      if (presence <= 0) continue;
      const [px, py] = cube.toScreen(axis, mark.current && this.carried ? this.carried : mark.at, size);
      if (px < -20 || py < -20 || px > size.width + 20 || py > size.height + 20) continue;
      brush.globalAlpha = 0.25 + 0.75 * presence;
      this.paintMark(brush, mark, px, py, mark.current ? radius + 1.5 : radius * (0.55 + 0.45 * presence));
      if (mark.current || mark.marked || (scene.names && presence > 0.5)) this.paintName(brush, mark, px + radius + 4, py);
    }
    brush.globalAlpha = 1;
  }

  private paintMark(brush: CanvasRenderingContext2D, mark: Mark, px: number, py: number, radius: number): void {
    brush.beginPath();
    brush.arc(px, py, radius, 0, 2 * Math.PI);
    brush.lineWidth = mark.current ? 4.5 : 3.5;
    brush.strokeStyle = "rgb(0 0 0 / .6)";
    brush.stroke();
    brush.setLineDash(mark.doubted ? [3, 2.5] : []);
    brush.lineWidth = mark.current ? 2.5 : 1.6;
    brush.strokeStyle = mark.current ? "#fff" : mark.marked ? "#ff7fd0" : mark.colour;
    brush.stroke();
    brush.setLineDash([]);
    if (!mark.decided && !mark.current) return;
    brush.beginPath(); // a dot: somebody decided; of the current one its colour
    brush.arc(px, py, mark.decided ? radius * 0.5 : 1.6, 0, 2 * Math.PI);
    brush.fillStyle = mark.colour;
    brush.fill();
  }

  private paintName(brush: CanvasRenderingContext2D, mark: Mark, px: number, py: number): void {
    brush.globalAlpha = 1;
    brush.textBaseline = "middle";
    brush.lineWidth = 3;
    brush.lineJoin = "round";
    brush.strokeStyle = "rgb(0 0 0 / .75)";
    brush.strokeText(mark.name, px, py);
    brush.fillStyle = mark.current ? "#fff" : mark.marked ? "#ff7fd0" : mark.colour;
    brush.fillText(mark.name, px, py);
  }

  private paintCross(brush: CanvasRenderingContext2D): void {
    const { size, cube, scene } = this;
    const [px, py] = cube.toScreen(this.axis, scene.cursor, size);
    brush.fillStyle = "rgb(255 255 255 / .28)";
    brush.fillRect(Math.round(px), 0, 1, size.height);
    brush.fillRect(0, Math.round(py), size.width, 1);
  }

  private paintTrail(brush: CanvasRenderingContext2D): void {
    const { trail } = this.scene;
    const places = trail.map((place) => this.cube.toScreen(this.axis, place, this.size));
    brush.lineWidth = 2;
    brush.lineCap = "round";
    for (let k = 1; k < places.length; k++) {
      const { away } = trail[k]!;
      brush.globalAlpha = 0.75 * (1 - Math.abs(away)) + 0.05;
      brush.strokeStyle = away > 0 ? "#7fd4ff" : "#ffd27f"; // what comes, what was
      brush.beginPath();
      brush.moveTo(...places[k - 1]!);
      brush.lineTo(...places[k]!);
      brush.stroke();
    }
    brush.globalAlpha = 1;
  }

  /** The neuron at a place of the screen, the nearest of those that are drawn. */
  private at(px: number, py: number): Mark | null {
    let best: Mark | null = null, least = NEAR_PX + 1;
    for (const mark of this.scene.marks) {
      if (this.presence(mark.at) <= 0.3 && !mark.current) continue;
      const [x, y] = this.cube.toScreen(this.axis, mark.at, this.size);
      const away = Math.hypot(x - px, y - py);
      if (away < least) [best, least] = [mark, away];
    }
    return best;
  }

  private listen(): void {
    const on = { signal: this.control.signal };
    const { top, cube, axis } = this;
    const where = (event: MouseEvent): [number, number] => {
      const box = top.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const placeOf = (event: MouseEvent, third: Place) => cube.toPlace(axis, ...where(event), this.size, third);
    let from: [number, number] | null = null, last: [number, number] | null = null, held: Mark | null = null;
    top.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      top.setPointerCapture(event.pointerId);
      from = last = where(event);
      const mark = this.at(...from);
      held = mark?.current ? mark : null;
    }, on);
    top.addEventListener("pointermove", (event) => {
      if (!from || !last) {
        top.style.cursor = this.acts.puts() || event.altKey ? "crosshair" : this.at(...where(event)) ? "pointer" : "grab";
        return;
      }
      const now = where(event);
      if (!this.carried && Math.hypot(now[0] - from[0], now[1] - from[1]) < CLICK_PX) return;
      if (held) {
        this.carried = placeOf(event, held.at);
        this.ask("top");
      } else cube.pan(axis, now[0] - last[0], now[1] - last[1]);
      last = now;
    }, on);
    const end = (event: PointerEvent) => {
      if (!from) return;
      const now = where(event);
      const { carried } = this;
      this.carried = null;
      if (carried) this.acts.dropped(carried);
      else if (Math.hypot(now[0] - from[0], now[1] - from[1]) < CLICK_PX) {
        this.acts.pick(axis, placeOf(event, this.scene.cursor), this.at(...now)?.item ?? null, { more: event.shiftKey, put: event.altKey });
      }
      from = last = held = null;
    };
    top.addEventListener("pointerup", end, on);
    top.addEventListener("pointercancel", () => { from = last = held = this.carried = null; this.ask("top"); }, on);
    top.addEventListener("wheel", (event) => {
      event.preventDefault();
      const by = event.deltaY || event.deltaX; // Shift turns one into the other
      if (event.shiftKey) this.acts.step(axis, Math.sign(by));
      else cube.zoom(axis, Math.exp(-by / 400), ...where(event), this.size);
    }, { ...on, passive: false });
  }
}
