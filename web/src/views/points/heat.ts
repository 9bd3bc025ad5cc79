// Neurons by volumes: how sure each point is, where doubt is, and the slider of time below.
import { cssColour, theme } from "../../theme.ts";
import { button, element, Sheet } from "../units/dom.ts";
import { ASKS, SHADES, legend, palette } from "./colours.ts";
import type { Grid } from "./grid.ts";
import { UNTOUCHED, sureness } from "./grid.ts";
import { niceStep } from "../regions/trace.ts";

const RIGHT = 8, BOTTOM = 16, STRIP = 18, GAP = 3, ROW_PX = 10;
const FEWEST = 12;

export interface HeatActs {
  /** A volume was chosen, and the neuron of its row. */
  pick(frame: number, item: number | null): void;
  name(item: number): string;
  volume(frame: number): string;
}

export class HeatMap {
  readonly root: HTMLElement;
  private readonly sheet: Sheet;
  private readonly body = element("div", { class: "pt-heat-body" });
  private readonly words = element("p", { class: "pt-words num", role: "status" });
  private readonly slider = element("input", { type: "range", min: "0", value: "0", "aria-label": "Volume" });
  private readonly strip = element("i", { "aria-hidden": "true" });
  private readonly control = new AbortController();
  private readonly acts: HeatActs;
  private grid: Grid | null = null;
  private expected: Float32Array = new Float32Array();
  private image: OffscreenCanvas | null = null;
  private drawn = "";
  private version = 0;
  private frame = 0;
  private item: number | null = null;
  private current = "";
  /** Shown, in volumes. */
  private window: [number, number] = [0, 1];

  constructor(acts: HeatActs) {
    this.acts = acts;
    const scale = element("span", { class: "pt-scale" }, "doubtful", this.strip, "sure", element("b", { class: "pt-key pt-decided" }, "decided"), element("b", { class: "pt-key pt-unsure" }, "unsure"));
    this.root = element("section", { class: "pt-heat", "aria-label": "Confidence of every neuron over time" },
      element("header", {}, element("h3", {}, "Confidence"), scale, this.words, button("All", "All volumes", () => this.whole())), this.body, this.slider);
    this.sheet = new Sheet(this.body, "Confidence, neurons by volumes", (brush, width, height) => this.draw(brush, width, height));
    this.listen();
  }

  load(grid: Grid): void {
    const first = this.grid === null || this.grid.nFrames !== grid.nFrames;
    this.grid = grid;
    if (first) this.window = [0, grid.nFrames];
    this.slider.max = String(grid.nFrames - 1);
    this.changed();
  }

  /** Cells are other than they were. */
  changed(): void {
    this.version++;
    this.expected = this.grid?.expected() ?? new Float32Array();
    this.sheet.repaint();
  }

  /** The volume and the neuron that are shown. */
  mark(frame: number, item: number | null): void {
    [this.frame, this.item] = [frame, item];
    this.slider.value = String(frame);
    this.slider.setAttribute("aria-valuetext", this.acts.volume(frame));
    const [from, to] = this.window;
    if (frame < from || frame >= to) this.slide(frame - (from + to) / 2);
    this.root.dataset.frame = String(frame);
    const wrong = this.expected[frame] ?? 0;
    this.current = `${this.acts.volume(frame)}${wrong > 0.05 ? ` · ${wrong.toFixed(1)} expected wrong` : ""}`;
    this.words.textContent = this.current;
    this.sheet.repaint();
  }

  repaint(): void {
    this.strip.style.backgroundImage = legend(SHADES[theme.value]);
    this.drawn = "";
    this.sheet.repaint();
  }

  whole(): void {
    this.window = [0, this.grid?.nFrames ?? 1];
    this.sheet.repaint();
  }

  zoom(factor: number, at = this.frame): void {
    const n = this.grid?.nFrames ?? 1;
    const [from, to] = this.window;
    const span = Math.min(n, Math.max(Math.min(FEWEST, n), (to - from) * factor));
    const part = (at - from) / Math.max(1e-9, to - from);
    this.window = [at - part * span, at - part * span + span];
    this.slide(0);
    this.sheet.repaint();
  }

  destroy(): void {
    this.control.abort();
    this.sheet.destroy();
    this.root.remove();
  }

  private slide(by: number): void {
    const n = this.grid?.nFrames ?? 1, span = this.window[1] - this.window[0];
    const start = Math.min(Math.max(0, this.window[0] + by), Math.max(0, n - span));
    this.window = [start, start + span];
  }

  private layout(width: number, height: number): { left: number; top: number; wide: number; tall: number } {
    const rows = this.grid?.items.length ?? 1;
    const tall = Math.max(1, height - BOTTOM - STRIP - GAP);
    return { left: tall / rows >= ROW_PX ? 66 : 10, top: STRIP + GAP, wide: Math.max(1, width - (tall / rows >= ROW_PX ? 66 : 10) - RIGHT), tall };
  }

  private draw(brush: CanvasRenderingContext2D, width: number, height: number): void {
    const { grid } = this;
    if (!grid || !grid.items.length) return;
    const { left, top, wide, tall } = this.layout(width, height);
    this.drawCells(grid, Math.round(wide));
    brush.fillStyle = cssColour("--ground");
    brush.fillRect(left, top, wide, tall);
    brush.imageSmoothingEnabled = false;
    brush.drawImage(this.image!, left, top, wide, tall);
    this.drawExpected(brush, left, wide);
    this.drawNames(brush, grid, left, top, tall);
    this.drawAxis(brush, left, wide, top + tall);
    this.drawCursor(brush, grid, left, top, wide, tall);
  }

  /** One column per pixel: of the volumes that lie in it, the cell that most asks for a look. */
  private drawCells(grid: Grid, columns: number): void {
    const name = [this.version, theme.value, columns, ...this.window].join(" ");
    if (this.drawn === name) return;
    this.drawn = name;
    const rows = grid.items.length, { nFrames, sure, said } = grid;
    const [from, to] = this.window;
    const colours = palette(SHADES[theme.value]);
    const image = new ImageData(columns, rows);
    const out = new Uint32Array(image.data.buffer);
    const starts = Int32Array.from({ length: columns + 1 }, (_, k) => Math.floor(from + (k * (to - from)) / columns));
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < columns; k++) {
        const first = row * nFrames + Math.min(nFrames - 1, starts[k]!), last = row * nFrames + Math.min(nFrames, Math.max(starts[k]! + 1, starts[k + 1]!));
        let best = 256 * said[first]! + sure[first]!;
        for (let cell = first + 1; cell < last; cell++) {
          const kind = 256 * said[cell]! + sure[cell]!;
          if (ASKS[kind]! > ASKS[best]!) best = kind;
        }
        out[row * columns + k] = colours[best]!;
      }
    }
    if (!this.image || this.image.width !== columns || this.image.height !== rows) this.image = new OffscreenCanvas(columns, rows);
    this.image.getContext("2d")!.putImageData(image, 0, 0);
  }

  /** How many points of each volume are expected to be wrong. */
  private drawExpected(brush: CanvasRenderingContext2D, left: number, wide: number): void {
    const [from, to] = this.window, { expected } = this;
    let most = 0.5;
    for (const value of expected) if (value > most) most = value;
    brush.fillStyle = cssColour("--series-5");
    for (let px = 0; px < wide; px++) {
      const first = Math.floor(from + (px * (to - from)) / wide), last = Math.max(first + 1, Math.floor(from + ((px + 1) * (to - from)) / wide));
      let value = 0;
      for (let frame = first; frame < Math.min(last, expected.length); frame++) if (expected[frame]! > value) value = expected[frame]!;
      const tall = (value / most) * (STRIP - 2);
      if (tall > 0.3) brush.fillRect(left + px, STRIP - tall, 1, tall);
    }
  }

  private drawNames(brush: CanvasRenderingContext2D, grid: Grid, left: number, top: number, tall: number): void {
    const row = tall / grid.items.length;
    if (row < ROW_PX) return;
    brush.textAlign = "right";
    brush.textBaseline = "middle";
    grid.items.forEach((item, k) => {
      brush.fillStyle = cssColour(item === this.item ? "--text" : "--muted");
      brush.fillText(this.acts.name(item), left - 6, top + (k + 0.5) * row, left - 10);
    });
  }

  private drawAxis(brush: CanvasRenderingContext2D, left: number, wide: number, bottom: number): void {
    const [from, to] = this.window;
    const step = Math.max(1, niceStep((to - from) / Math.max(2, wide / 90)));
    brush.fillStyle = cssColour("--muted");
    brush.textAlign = "center";
    brush.textBaseline = "middle";
    for (let frame = Math.ceil(from / step) * step; frame < to; frame += step) {
      const px = left + ((frame + 0.5 - from) / (to - from)) * wide;
      brush.fillRect(px, bottom, 1, 3);
      brush.fillText(frame.toLocaleString("en"), Math.min(px, left + wide - 12), bottom + 10);
    }
  }

  private drawCursor(brush: CanvasRenderingContext2D, grid: Grid, left: number, top: number, wide: number, tall: number): void {
    const [from, to] = this.window;
    const row = this.item === null ? -1 : grid.items.indexOf(this.item);
    const high = tall / grid.items.length;
    brush.strokeStyle = cssColour("--text");
    if (row >= 0) {
      brush.globalAlpha = 0.55;
      brush.lineWidth = 1;
      brush.strokeRect(left - 0.5, Math.round(top + row * high) - 0.5, wide + 1, Math.max(3, Math.round(high) + 1));
      brush.globalAlpha = 1;
    }
    const px = left + ((this.frame - from) / (to - from)) * wide, one = Math.max(2, wide / (to - from));
    if (px + one < left || px > left + wide) return;
    brush.fillStyle = cssColour("--select");
    brush.globalAlpha = 0.9;
    if (one > 6) {
      brush.strokeStyle = cssColour("--select");
      brush.lineWidth = 2;
      brush.strokeRect(px, 1, one, top + tall - 2);
    } else brush.fillRect(px + one / 2 - 1, 0, 2, top + tall);
    brush.globalAlpha = 1;
  }

  private listen(): void {
    const on = { signal: this.control.signal };
    const { canvas } = this.sheet;
    const under = (event: MouseEvent): { frame: number; at: number; item: number | null } => {
      const box = canvas.getBoundingClientRect();
      const { left, top, wide, tall } = this.layout(box.width, box.height);
      const [from, to] = this.window;
      const at = from + ((event.clientX - box.left - left) / wide) * (to - from);
      const frame = Math.min((this.grid?.nFrames ?? 1) - 1, Math.max(0, Math.floor(at)));
      const row = Math.floor(((event.clientY - box.top - top) / tall) * (this.grid?.items.length ?? 1));
      return { frame, at, item: this.grid?.items[row] ?? null };
    };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        this.slide(((event.deltaX || event.deltaY) / Math.max(1, canvas.clientWidth)) * (this.window[1] - this.window[0]));
        this.sheet.repaint();
      } else this.zoom(Math.exp(event.deltaY / 400), under(event).at);
    }, { ...on, passive: false });
    let last: number | null = null, moved = false;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); last = event.clientX; moved = false; }, on);
    canvas.addEventListener("pointermove", (event) => {
      if (last === null) return this.tell(under(event));
      const dx = event.clientX - last;
      if (Math.abs(dx) < 3 && !moved) return;
      moved = true;
      last = event.clientX;
      this.slide((-dx / Math.max(1, canvas.clientWidth)) * (this.window[1] - this.window[0]));
      this.sheet.repaint();
    }, on);
    canvas.addEventListener("pointerup", (event) => {
      const found = under(event);
      if (last !== null && !moved) this.acts.pick(found.frame, found.item);
      last = null;
    }, on);
    canvas.addEventListener("pointerleave", () => { this.words.textContent = this.current; }, on);
    canvas.addEventListener("dblclick", () => this.whole(), on);
    this.slider.addEventListener("input", () => this.acts.pick(Number(this.slider.value), null), on);
  }

  private tell({ frame, item }: { frame: number; item: number | null }): void {
    const cell = item === null || !this.grid ? -1 : this.grid.cell(item, frame);
    if (cell < 0 || item === null) {
      this.words.textContent = this.current;
      return;
    }
    const sure = sureness(this.grid!.sure[cell]!), said = this.grid!.said[cell]!;
    const state = said === UNTOUCHED ? "" : ` · ${["", "right", "placed", "added", "unsure"][said]}`;
    const known = sure === null ? ["no point", "not visible", "no confidence"][this.grid!.sure[cell]!] : `${Math.round(100 * sure)} %`;
    this.words.textContent = `${this.acts.name(item)} · volume ${frame.toLocaleString("en")} · ${known}${state}`;
  }
}
