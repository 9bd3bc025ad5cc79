// The movie around a region, around one of its transients: played, or stepped through by a slider.
import type { NdArray } from "../../view.ts";
import { button, element, Sheet } from "../units/dom.ts";
import { picture } from "./field.ts";
import type { Curves, RegionStore } from "./store.ts";

const BEFORE_S = 1, AFTER_S = 3;
const SHOWN_PER_S = 15;

export class ClipPanel {
  readonly root: HTMLElement;
  private readonly sheet: Sheet;
  private readonly slider = element("input", { type: "range", min: "0", max: "0", value: "0", "aria-label": "Frame of the movie" });
  private readonly words = element("p", { class: "rg-words" });
  private readonly player: HTMLButtonElement;
  private readonly store: RegionStore;
  private readonly onFrame: (sample: number) => void;
  private item: number | null = null;
  private curves: Curves | null = null;
  private pieces: Float32Array = new Float32Array();
  private frames: NdArray | null = null;
  private transient = 0;
  private asking: AbortController | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;
  private movie = false;

  constructor(store: RegionStore, onFrame: (sample: number) => void) {
    this.store = store;
    this.onFrame = onFrame;
    const body = element("div", { class: "rg-clip-body" });
    this.player = button("Play", "Play the movie around the transient", () => this.play());
    const before = button("‹", "Transient before", () => this.walk(-1)), after = button("›", "Next transient", () => this.walk(1));
    before.setAttribute("aria-label", "Transient before");
    after.setAttribute("aria-label", "Next transient");
    this.root = element("section", { class: "rg-clip", "aria-label": "Movie around the region" },
      element("header", {}, element("h3", {}, "Movie"), before, after, this.player), body, this.slider, this.words);
    this.sheet = new Sheet(body, "Frame of the movie around the region", (brush, width, height) => this.draw(brush, width, height));
    this.slider.addEventListener("input", () => this.showFrame());
  }

  /** Another region, or another outline of it; its largest transient is shown. */
  async show(item: number, curves: Curves | null, pieces: Float32Array, movie: boolean): Promise<void> {
    const same = item === this.item;
    [this.item, this.curves, this.pieces, this.movie] = [item, curves, pieces, movie];
    if (same && this.frames) return this.sheet.repaint();
    this.stop();
    this.transient = 0;
    await this.fetch();
  }

  /** Next transient in order of size. */
  async walk(by: number): Promise<void> {
    const n = this.curves?.peaks.length ?? 0;
    if (!n) return;
    this.transient = (this.transient + by + n) % n;
    await this.fetch();
  }

  /** The movie around a sample of the trace. */
  async at(sample: number): Promise<void> {
    await this.fetch(sample);
  }

  play(): void {
    if (this.timer !== undefined) return this.stop();
    if (!this.frames) return;
    this.player.textContent = "Pause";
    this.timer = setInterval(() => {
      const next = Number(this.slider.value) + 1;
      this.slider.value = String(next > Number(this.slider.max) ? 0 : next);
      this.showFrame();
    }, 1000 / SHOWN_PER_S);
  }

  repaint(): void {
    this.sheet.repaint();
  }

  destroy(): void {
    this.stop();
    this.asking?.abort();
    this.sheet.destroy();
    this.root.remove();
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.player.textContent = "Play";
  }

  private async fetch(sample?: number): Promise<void> {
    const { item, curves } = this;
    this.asking?.abort();
    const control = (this.asking = new AbortController());
    const peak = sample ?? curves?.peaks[this.transient];
    if (item === null || !curves || peak === undefined || !this.movie) {
      this.frames = null;
      this.words.textContent = this.movie ? "No transient stands out." : "The movie is not at hand.";
      return this.sheet.repaint();
    }
    const rate = curves.rate_hz * curves.frameStep; // frames per second
    const start = Math.max(0, Math.round((peak - BEFORE_S * curves.rate_hz) * curves.frameStep));
    try {
      const frames = await this.store.frames(item, start, Math.min(600, Math.round((BEFORE_S + AFTER_S) * rate)), control.signal);
      if (control.signal.aborted) return;
      this.frames = frames;
    } catch (error) {
      if (control.signal.aborted) return;
      this.frames = null;
      this.words.textContent = error instanceof Error ? error.message : String(error);
      return this.sheet.repaint();
    }
    this.slider.max = String(Math.max(0, this.frames.shape[0]! - 1));
    this.slider.value = String(Math.min(Number(this.slider.max), peak * curves.frameStep - start));
    this.showFrame();
  }

  private showFrame(): void {
    const { frames, curves } = this;
    if (!frames || !curves) return;
    const frame = Number(frames.meta.first) + Number(this.slider.value);
    const n = curves.peaks.length;
    const place = n ? `transient ${this.transient + 1} of ${n} · ` : "";
    this.words.textContent = `${place}frame ${frame.toLocaleString("en")} · ${(frame / (curves.rate_hz * curves.frameStep)).toFixed(2)} s`;
    this.root.dataset.frame = String(frame);
    this.onFrame(frame / curves.frameStep);
    this.sheet.repaint();
  }

  private draw(brush: CanvasRenderingContext2D, width: number, height: number): void {
    const { frames } = this;
    if (!frames) return;
    const [, rows, columns] = frames.shape as [number, number, number];
    const scale = Math.min(width / columns, height / rows);
    const [left, top] = [(width - columns * scale) / 2, (height - rows * scale) / 2];
    brush.imageSmoothingEnabled = false;
    brush.drawImage(picture(frames, Math.min(Number(this.slider.value), frames.shape[0]! - 1)), left, top, columns * scale, rows * scale);
    brush.strokeStyle = "#f0c830";
    brush.lineWidth = 1.25;
    brush.beginPath();
    const [x0, y0] = [Number(frames.meta.left), Number(frames.meta.top)];
    for (let i = 0; i < this.pieces.length; i += 4) {
      brush.moveTo(left + (this.pieces[i]! - x0) * scale, top + (this.pieces[i + 1]! - y0) * scale);
      brush.lineTo(left + (this.pieces[i + 2]! - x0) * scale, top + (this.pieces[i + 3]! - y0) * scale);
    }
    brush.stroke();
  }
}
