// One pane of the field: a picture in grey, the outlines that belong here, and what is drawn now.
import { cssColour } from "../../theme.ts";
import type { NdArray } from "../../view.ts";
import { element } from "../units/dom.ts";
import type { Camera, Size } from "./camera.ts";
import type { Drawn } from "./contours.ts";
import { ContourPainter } from "./contours.ts";

export type Tool = "select" | "brush" | "erase" | "draw" | "split";

/** What a pointer does; places are in pixels of the field. */
export interface Acts {
  tool(): Tool;
  pick(x: number, y: number, more: boolean): void;
  flip(x: number, y: number): void;
  hover(x: number, y: number): void;
  /** A stroke grows: x0, y0, x1, y1, ... */
  stroking(path: readonly number[]): void;
  stroked(path: readonly number[]): void;
  dropped(): void;
}

export interface Overlay {
  outlines: Array<{ pieces: Float32Array; colour: string; width: number; fill?: boolean }>;
  /** A stroke or a line under way. */
  path: readonly number[] | null;
  closed: boolean;
  /** Where a brush would paint, and how wide. */
  brush: { x: number; y: number; radius: number } | null;
}

type Layer = "picture" | "contours" | "top";

const CLICK_PX = 4;

export class FieldPane {
  readonly root: HTMLElement;
  private readonly host = element("div", { class: "rg-host" });
  private readonly picture = element("canvas", { "aria-hidden": "true" });
  private readonly contours = element("canvas", { "aria-hidden": "true" });
  private readonly top: HTMLCanvasElement;
  private readonly painter: ContourPainter;
  private readonly title = element("h3", {});
  private readonly camera: Camera;
  private readonly acts: Acts;
  private readonly observer: ResizeObserver;
  private readonly control = new AbortController();
  private image: OffscreenCanvas | null = null;
  private overlay: Overlay = { outlines: [], path: null, closed: false, brush: null };
  private asked = 0;
  private readonly stale = new Set<Layer>();
  private field: Size = { width: 1, height: 1 };
  /** Outlines are shown. */
  shown = true;

  constructor(name: string, label: string, camera: Camera, acts: Acts) {
    this.camera = camera;
    this.acts = acts;
    this.top = element("canvas", { class: "rg-top", role: "img", "aria-label": label, tabindex: "-1" });
    this.host.append(this.picture, this.contours, this.top);
    this.root = element("section", { class: `rg-pane rg-${name}`, "aria-label": label }, element("header", {}, this.title), this.host);
    this.painter = new ContourPainter(this.contours);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.host);
    camera.onMove(() => this.repaint());
    this.listen();
  }

  get pane(): Size {
    return { width: Math.max(1, this.host.clientWidth), height: Math.max(1, this.host.clientHeight) };
  }

  say(title: string): void {
    if (this.title.textContent !== title) this.title.textContent = title;
  }

  /** Gives the size of the field, and its picture where there is one; 0 of it is unknown. */
  show(field: Size, image: NdArray | null): void {
    this.field = field;
    this.image = image && picture(image);
    this.resize();
  }

  load(outlines: readonly Drawn[]): void {
    this.host.dataset.outlines = String(outlines.length);
    if (this.painter.load(outlines)) this.ask("contours");
  }

  draw(overlay: Overlay): void {
    this.overlay = overlay;
    this.ask("top");
  }

  fit(): void {
    this.camera.fit(this.field, this.pane, true);
  }

  repaint(): void {
    this.ask("picture", "contours", "top");
  }

  /** Paints these layers with the next frame; what did not change is left as it is. */
  private ask(...layers: Layer[]): void {
    for (const layer of layers) this.stale.add(layer);
    cancelAnimationFrame(this.asked);
    this.asked = requestAnimationFrame(() => this.paint());
  }

  destroy(): void {
    cancelAnimationFrame(this.asked);
    this.observer.disconnect();
    this.control.abort();
    this.root.remove();
  }

  private resize(): void {
    if (!this.host.clientWidth || !this.host.clientHeight) return;
    const ratio = devicePixelRatio || 1;
    for (const canvas of [this.picture, this.contours, this.top]) {
      canvas.width = Math.round(this.pane.width * ratio);
      canvas.height = Math.round(this.pane.height * ratio);
    }
    if (this.field.width > 1) this.camera.fit(this.field, this.pane);
    this.repaint();
  }

  private paint(): void {
    const ratio = devicePixelRatio || 1;
    if (this.stale.has("picture")) this.paintPicture(ratio);
    if (this.stale.has("contours")) {
      this.contours.hidden = !this.shown;
      if (this.shown) this.painter.paint(this.camera, this.pane, this.camera.scale > 6 ? 2 : 1);
    }
    if (this.stale.has("top")) this.paintTop(ratio);
    this.stale.clear();
  }

  private paintPicture(ratio: number): void {
    const { pane, camera, field } = this;
    const [left, top] = camera.toScreen(0, 0, pane);
    const brush = this.picture.getContext("2d")!;
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    brush.fillStyle = cssColour("--ground");
    brush.fillRect(0, 0, pane.width, pane.height);
    brush.fillStyle = "#000";
    brush.fillRect(left, top, field.width * camera.scale, field.height * camera.scale);
    brush.imageSmoothingEnabled = camera.scale < 2;
    if (this.image) brush.drawImage(this.image, left, top, field.width * camera.scale, field.height * camera.scale);
  }

  private paintTop(ratio: number): void {
    const brush = this.top.getContext("2d")!;
    const { pane, camera } = this;
    brush.setTransform(1, 0, 0, 1, 0, 0);
    brush.clearRect(0, 0, this.top.width, this.top.height);
    brush.setTransform(ratio, 0, 0, ratio, 0, 0);
    const at = (x: number, y: number) => camera.toScreen(x, y, pane);
    for (const { pieces, colour, width } of this.overlay.outlines) {
      brush.beginPath();
      for (let i = 0; i < pieces.length; i += 4) {
        brush.moveTo(...at(pieces[i]!, pieces[i + 1]!));
        brush.lineTo(...at(pieces[i + 2]!, pieces[i + 3]!));
      }
      brush.lineCap = "square";
      brush.strokeStyle = "rgb(0 0 0 / .55)";
      brush.lineWidth = width + 2;
      brush.stroke();
      brush.strokeStyle = colour;
      brush.lineWidth = width;
      brush.stroke();
    }
    const { path, closed, brush: ring } = this.overlay;
    brush.strokeStyle = "#fff";
    brush.lineWidth = 1.5;
    if (path && path.length > 2) {
      brush.beginPath();
      for (let i = 0; i < path.length; i += 2) brush.lineTo(...at(path[i]!, path[i + 1]!));
      if (closed) brush.closePath();
      brush.setLineDash([5, 4]);
      brush.stroke();
      brush.setLineDash([]);
    }
    if (ring) {
      brush.beginPath();
      brush.arc(...at(ring.x, ring.y), Math.max(2, ring.radius * camera.scale), 0, 2 * Math.PI);
      brush.stroke();
    }
  }

  private place(event: MouseEvent): [number, number] {
    const box = this.host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private listen(): void {
    const on = { signal: this.control.signal };
    const { top, camera, acts } = this;
    let last: [number, number] | null = null, from: [number, number] = [0, 0];
    let path: number[] | null = null;
    let paused = false;
    const field = (event: MouseEvent) => camera.toField(...this.place(event), this.pane);
    top.addEventListener("pointerdown", (event) => {
      if (event.button === 2) return;
      top.setPointerCapture(event.pointerId);
      last = from = this.place(event);
      const draws = acts.tool() !== "select" && !event.shiftKey && event.button === 0;
      path = draws ? [...field(event)] : null;
      if (path) acts.stroking(path);
      event.preventDefault();
    }, on);
    top.addEventListener("pointermove", (event) => {
      const now = this.place(event);
      if (!last) {
        if (!paused) { // at most once a frame
          paused = true;
          requestAnimationFrame(() => { paused = false; });
          acts.hover(...field(event));
        }
        return;
      }
      if (path) {
        path.push(...field(event));
        acts.stroking(path);
      } else camera.pan(now[0] - last[0], now[1] - last[1]);
      last = now;
    }, on);
    const end = (event: PointerEvent) => {
      if (!last) return;
      const now = this.place(event);
      if (path) acts.stroked(path);
      else if (Math.hypot(now[0] - from[0], now[1] - from[1]) < CLICK_PX) acts.pick(...field(event), event.shiftKey);
      last = path = null;
    };
    top.addEventListener("pointerup", end, on);
    top.addEventListener("pointercancel", () => { if (path) acts.dropped(); last = path = null; }, on);
    top.addEventListener("contextmenu", (event) => { event.preventDefault(); acts.flip(...field(event)); }, on);
    top.addEventListener("dblclick", () => { if (acts.tool() === "select") this.fit(); }, on);
    top.addEventListener("wheel", (event) => {
      event.preventDefault();
      camera.zoom(Math.exp(-event.deltaY / 400), ...this.place(event), this.pane);
    }, { ...on, passive: false });
  }
}

/** Grey steps on a canvas of the field's size. */
export function picture(image: NdArray, first = 0, width = image.shape.at(-1)!, height = image.shape.at(-2)!): OffscreenCanvas {
  const data = image.data as Uint8Array;
  const pixels = new ImageData(width, height);
  const size = width * height;
  for (let i = 0; i < size; i++) {
    const value = data[first * size + i]!;
    pixels.data[4 * i] = pixels.data[4 * i + 1] = pixels.data[4 * i + 2] = value;
    pixels.data[4 * i + 3] = value ? 255 : 0;
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d")!.putImageData(pixels, 0, 0);
  return canvas;
}
