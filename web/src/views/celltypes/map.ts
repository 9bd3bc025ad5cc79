// The map of all units: near each other where the model finds them alike. Shape says what became of a
// unit, colour of which class it is; a click goes there, a lasso selects.
import { gestures } from "../../gestures.ts";
import { selectInside } from "../../lasso.ts";
import type { ItemState, ViewContext } from "../../view.ts";
import { element } from "../units/dom.ts";
import { Camera, nearest } from "./camera.ts";
import type { Exemplar } from "./data.ts";
import { Panel } from "./panel.ts";
import type { Brush, Palette } from "./plot.ts";
import { FONT, palette } from "./plot.ts";

const CLICK_PX = 14;
const MARGIN = 30;
const SHAPES: Array<[string, string]> = [["●", "proposed"], ["◆", "decided"], ["○", "unsure"], ["✕", "rejected"], ["◎", "this unit"], ["◯", "ring: selected"]];

export interface Places {
  items: number[];
  x: Float32Array;
  y: Float32Array;
}

export class MapPanel extends Panel {
  private readonly context: ViewContext;
  private readonly colourOf: (name: string) => string;
  private readonly overlay = element("canvas", { "aria-hidden": "true", class: "ct-lasso" });
  private readonly hover = element("span", { class: "muted num ct-hover" });
  private readonly camera = new Camera();
  private readonly stop: () => void;
  private places: Places = { items: [], x: new Float32Array(), y: new Float32Array() };
  private exemplars: readonly Exemplar[] = [];
  private states: Array<ItemState | undefined> = [];
  private seen = "";
  private current: number | null = null;
  private fitted = "";
  private frame = 0;

  constructor(context: ViewContext, colourOf: (name: string) => string) {
    super("map", "Map of all units", "Map of all units; a click goes to one, a lasso selects", (...at) => this.draw(...at));
    [this.context, this.colourOf] = [context, colourOf];
    this.head.append(this.hover);
    this.body.append(this.overlay);
    const shapes = SHAPES.map(([glyph, word]) => element("span", {}, element("b", { "aria-hidden": "true" }, glyph), ` ${word}`));
    this.root.append(element("p", { class: "ct-shapes muted" }, ...shapes));
    this.stop = gestures(this.overlay, this.body, {
      pan: (dx, dy) => { this.camera.pan(dx, dy); this.repaint(); },
      zoom: (factor, px, py) => { this.camera.zoom(factor, px, py); this.repaint(); },
      fit: () => { this.fitted = ""; this.repaint(); },
      lasso: (path) => (path.length < 6 ? this.click(path[0]!, path[1]!) : this.lasso(path)),
    });
    this.overlay.addEventListener("pointermove", (event) => this.point(event));
    this.overlay.addEventListener("pointerleave", () => { this.hover.textContent = ""; });
  }

  set(places: Places, exemplars: readonly Exemplar[]): void {
    [this.places, this.exemplars, this.seen] = [places, exemplars, ""];
    const known = places.x.some((value) => Number.isFinite(value));
    this.say(known ? null : "There is no map of these units.");
    this.overlay.hidden = !known;
    this.fitted = "";
    this.repaint();
  }

  show(current: number): void {
    this.current = current;
    this.repaint();
  }

  /** At most once a frame. */
  override repaint(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => super.repaint());
  }

  override destroy(): void {
    cancelAnimationFrame(this.frame);
    this.stop();
    super.destroy();
  }

  private draw(brush: Brush, width: number, height: number): void {
    this.fit(brush, width, height);
    const colours = palette();
    brush.font = FONT;
    const told = this.context.blind() ? [] : this.exemplars;
    for (const one of told) this.region(brush, one);
    const states = this.known();
    const decided = (k: number) => states[k] !== undefined && states[k]!.state !== "untouched";
    const order = states.map((_, k) => k).filter((k) => Number.isFinite(this.places.x[k]));
    for (const k of order.filter((k) => !decided(k))) this.mark(brush, k, states[k], colours);
    for (const k of order.filter(decided)) this.mark(brush, k, states[k], colours);
    this.names(brush, told, width, height, colours);
    const selected = new Set(this.context.selection.value);
    for (const k of order) if (selected.has(this.places.items[k]!)) this.ring(brush, k, 7, colours.select, 2);
    const here = this.places.items.indexOf(this.current ?? Number.NaN);
    if (here >= 0 && Number.isFinite(this.places.x[here])) {
      this.mark(brush, here, states[here], colours); // on top of all others
      this.ring(brush, here, 9, colours.panel, 5);
      this.ring(brush, here, 9, colours.text, 2.5);
    }
  }

  /** What stands of each unit, looked up anew when something changed or another one is shown. */
  private known(): Array<ItemState | undefined> {
    const now = `${this.context.version.value} ${this.current} ${this.context.blind()} ${this.places.items.length}`;
    if (now !== this.seen) this.states = this.places.items.map((item) => this.context.state(item));
    this.seen = now;
    return this.states;
  }

  /** Everything is in sight at first, and after a change of size unless the reader has moved. */
  private fit(brush: Brush, width: number, height: number): void {
    const ratio = brush.getTransform().a;
    const size = `${width} ${height} ${ratio}`;
    if (size === this.fitted) return;
    this.overlay.width = Math.round(width * ratio);
    this.overlay.height = Math.round(height * ratio);
    this.overlay.getContext("2d")?.scale(ratio, ratio);
    if (this.camera.isMoved && this.fitted) this.camera.resize({ width, height });
    else {
      const centres = this.exemplars.map((one) => one.centre).filter((c) => c !== null);
      const all = (own: Float32Array, k: 0 | 1) => [...own, ...centres.map((c) => c[k])];
      this.camera.fit(all(this.places.x, 0), all(this.places.y, 1), { width, height }, MARGIN);
    }
    this.fitted = size;
  }

  /** Where units of a class lie: one and two standard deviations about their mean. */
  private region(brush: Brush, { name, centre, radius, places }: Exemplar): void {
    const colour = this.colourOf(name);
    brush.save();
    brush.fillStyle = brush.strokeStyle = colour;
    if (centre && radius) {
      const [x, y] = this.camera.project(...centre);
      const [rx, ry] = [radius[0] * this.camera.pixels, radius[1] * this.camera.pixels];
      for (const [times, alpha] of [[2, 0.07], [1, 0.12]] as const) {
        brush.globalAlpha = alpha;
        brush.beginPath();
        brush.ellipse(x, y, Math.max(2, rx * times), Math.max(2, ry * times), 0, 0, 2 * Math.PI);
        brush.fill();
      }
      brush.globalAlpha = 0.5;
      brush.setLineDash([3, 3]);
      brush.stroke();
    }
    brush.globalAlpha = 0.35;
    for (const place of places) brush.fillRect(...this.camera.project(...place), 2, 2);
    brush.restore();
  }

  private mark(brush: Brush, k: number, state: ItemState | undefined, colours: Palette): void {
    const [x, y] = this.camera.project(this.places.x[k]!, this.places.y[k]!);
    const colour = state?.label ? this.colourOf(state.label) : colours.muted;
    const what = state?.state ?? "untouched";
    brush.fillStyle = brush.strokeStyle = colour;
    brush.lineWidth = 1.5;
    brush.beginPath();
    if (what === "untouched") {
      brush.globalAlpha = 0.75;
      brush.arc(x, y, 3.4, 0, 2 * Math.PI);
      brush.fill();
    } else if (what === "unsure") {
      brush.arc(x, y, 4, 0, 2 * Math.PI);
      brush.stroke();
    } else if (what === "removed") {
      for (const side of [-1, 1]) {
        brush.moveTo(x - 4, y - 4 * side);
        brush.lineTo(x + 4, y + 4 * side);
      }
      brush.stroke();
    } else {
      for (const [dx, dy] of [[0, -6], [6, 0], [0, 6], [-6, 0]] as const) brush.lineTo(x + dx, y + dy);
      brush.closePath();
      brush.fill();
      brush.strokeStyle = colours.text;
      brush.lineWidth = 1.2;
      brush.stroke();
    }
    brush.globalAlpha = 1;
  }

  private ring(brush: Brush, k: number, radius: number, colour: string, width: number): void {
    const [x, y] = this.camera.project(this.places.x[k]!, this.places.y[k]!);
    brush.strokeStyle = colour;
    brush.lineWidth = width;
    brush.beginPath();
    brush.arc(x, y, radius, 0, 2 * Math.PI);
    brush.stroke();
  }

  /** Each class at its mean, on a halo; one that would cover another goes below it. */
  private names(brush: Brush, told: readonly Exemplar[], width: number, height: number, colours: Palette): void {
    const taken: Array<[number, number, number]> = [];
    brush.save();
    brush.font = `600 ${FONT}`;
    brush.textAlign = "center";
    brush.textBaseline = "middle";
    brush.lineJoin = "round";
    for (const { name, centre } of told) {
      if (!centre) continue;
      const half = brush.measureText(name).width / 2;
      let [x, y] = this.camera.project(...centre);
      x = Math.min(Math.max(x, half + 4), width - half - 4);
      while (taken.some(([tx, ty, th]) => Math.abs(tx - x) < th + half + 4 && Math.abs(ty - y) < 14)) y += 14;
      y = Math.min(Math.max(y, 8), height - 8);
      taken.push([x, y, half]);
      brush.strokeStyle = colours.panel;
      brush.lineWidth = 4;
      brush.strokeText(name, x, y);
      brush.fillStyle = colours.text;
      brush.fillText(name, x, y);
    }
    brush.restore();
  }

  private at(px: number, py: number): number {
    return nearest(this.camera, this.places.x, this.places.y, px, py, CLICK_PX);
  }

  private click(px: number, py: number): void {
    const k = this.at(px, py);
    if (k >= 0) this.context.goto(this.places.items[k]!);
    else if (this.context.selection.value.length) this.select([]);
  }

  private lasso(path: number[]): void {
    const polygon: number[] = [];
    for (let k = 0; k < path.length; k += 2) polygon.push(...this.camera.toMap(path[k]!, path[k + 1]!));
    this.select(selectInside(polygon, this.places.x, this.places.y).map((k) => this.places.items[k]!));
  }

  select(items: number[]): void {
    this.context.selection.value = items;
    const n = items.length;
    this.context.announce(n
      ? `${n} unit${n > 1 ? "s" : ""} selected: /label NAME selection, /accept selection; a click beside them lets go.`
      : "Nothing is selected.");
  }

  private point(event: PointerEvent): void {
    if (event.buttons) return;
    const box = this.body.getBoundingClientRect();
    const k = this.at(event.clientX - box.left, event.clientY - box.top);
    this.overlay.style.cursor = k >= 0 ? "pointer" : "crosshair";
    if (k < 0) {
      this.hover.textContent = "";
      return;
    }
    const item = this.places.items[k]!, state = this.context.state(item);
    this.hover.textContent = `unit ${item}${state?.label ? `: ${state.label}` : ""}${state && state.state !== "untouched" ? `, ${state.state}` : ""}`;
  }
}
