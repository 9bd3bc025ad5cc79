// Curves of one region over time: dF/F, fluorescence with its neuropil, rate with its interval.
import { cssColour } from "../../theme.ts";
import { element, Sheet } from "../units/dom.ts";
import type { Curves } from "./store.ts";

const LEFT = 58, RIGHT = 8, BOTTOM = 16, GAP = 6;
const NARROWEST_S = 2;

interface Lane {
  title: string;
  share: number;
  lines: Array<{ name: string; values: Float32Array; colour: string; width: number }>;
  band: [Float32Array, Float32Array] | null;
  /** What a value is multiplied with for the axis. */
  times: number;
}

export class TracePanel {
  readonly root: HTMLElement;
  private readonly sheet: Sheet;
  private readonly words = element("p", { class: "rg-words", role: "status" });
  private readonly body = element("div", { class: "rg-trace-body", tabindex: "0" });
  private readonly legend = element("span", { class: "rg-legend" });
  private readonly control = new AbortController();
  private readonly onFrame: (sample: number) => void;
  private curves: Curves | null = null;
  private lanes: Lane[] = [];
  /** Shown, in samples. */
  private window: [number, number] = [0, 1];
  private cursor: number | null = null;

  constructor(onFrame: (sample: number) => void) {
    this.onFrame = onFrame;
    this.root = element("section", { class: "rg-trace", "aria-label": "Traces" },
      element("header", {}, element("h3", {}, "Traces"), this.legend, this.words), this.body);
    this.sheet = new Sheet(this.body, "Traces of the region", (brush, width, height) => this.draw(brush, width, height));
    this.listen();
  }

  /** Curves of a region; `keep` leaves the zoom as it is, for a new outline of the same. */
  show(curves: Curves | null, label: string, keep = false): void {
    const before = this.curves;
    this.curves = curves;
    this.lanes = curves ? lanesOf(curves) : [];
    if (curves && !(keep && before && before.n === curves.n)) this.window = [0, Math.max(1, curves.n)];
    this.legend.replaceChildren(...this.lanes.flatMap((lane) => lane.lines.map((line) =>
      element("span", { class: `rg-key rg-key-${line.name}` }, WORDS[line.name] ?? line.name))));
    this.words.textContent = wordsOf(curves);
    this.sheet.canvas.setAttribute("aria-label", spoken(curves, label));
    this.root.dataset.origin = curves?.origin ?? "none";
    this.root.dataset.read = String(curves?.read ?? 0);
    this.sheet.repaint();
  }

  say(text: string): void {
    this.words.textContent = text;
  }

  mark(sample: number | null): void {
    this.cursor = sample;
    if (sample !== null && (sample < this.window[0] || sample > this.window[1])) {
      const half = (this.window[1] - this.window[0]) / 2;
      this.slide(sample - half - this.window[0]);
    }
    this.sheet.repaint();
  }

  repaint(): void {
    this.lanes = this.curves ? lanesOf(this.curves) : [];
    this.sheet.repaint();
  }

  destroy(): void {
    this.control.abort();
    this.sheet.destroy();
    this.root.remove();
  }

  private slide(by: number): void {
    const n = this.curves?.n ?? 1, span = this.window[1] - this.window[0];
    const start = Math.min(Math.max(0, this.window[0] + by), Math.max(0, n - span));
    this.window = [start, start + span];
  }

  private listen(): void {
    const on = { signal: this.control.signal };
    const canvas = this.sheet.canvas;
    const sampleAt = (event: MouseEvent): number => {
      const box = canvas.getBoundingClientRect();
      const part = (event.clientX - box.left - LEFT) / Math.max(1, box.width - LEFT - RIGHT);
      return this.window[0] + part * (this.window[1] - this.window[0]);
    };
    canvas.addEventListener("wheel", (event) => {
      if (!this.curves) return;
      event.preventDefault();
      const at = sampleAt(event), factor = Math.exp(event.deltaY / 400);
      const least = NARROWEST_S * this.curves.rate_hz;
      const span = Math.min(this.curves.n, Math.max(least, (this.window[1] - this.window[0]) * factor));
      const part = (at - this.window[0]) / (this.window[1] - this.window[0]);
      this.window = [at - part * span, at - part * span + span];
      this.slide(0);
      this.sheet.repaint();
    }, { ...on, passive: false });
    let last: number | null = null, moved = false;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); last = event.clientX; moved = false; }, on);
    canvas.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const dx = event.clientX - last;
      if (Math.abs(dx) < 3 && !moved) return;
      moved = true;
      last = event.clientX;
      this.slide((-dx / Math.max(1, canvas.clientWidth - LEFT - RIGHT)) * (this.window[1] - this.window[0]));
      this.sheet.repaint();
    }, on);
    canvas.addEventListener("pointerup", (event) => {
      if (last !== null && !moved && this.curves) this.onFrame(Math.min(this.curves.n - 1, Math.max(0, Math.round(sampleAt(event)))));
      last = null;
    }, on);
    canvas.addEventListener("dblclick", () => { this.window = [0, Math.max(1, this.curves?.n ?? 1)]; this.sheet.repaint(); }, on);
  }

  private draw(brush: CanvasRenderingContext2D, width: number, height: number): void {
    const { curves } = this;
    if (!curves || !curves.n || !this.lanes.length) return;
    const total = this.lanes.reduce((sum, lane) => sum + lane.share, 0);
    const room = height - BOTTOM - GAP * this.lanes.length;
    let top = GAP / 2;
    const x = (sample: number) => LEFT + ((sample - this.window[0]) / (this.window[1] - this.window[0])) * (width - LEFT - RIGHT);
    brush.textBaseline = "middle";
    for (const lane of this.lanes) {
      const tall = (room * lane.share) / total;
      this.drawLane(brush, lane, x, width, top, tall);
      top += tall + GAP;
    }
    this.drawAxis(brush, x, width, height, curves);
  }

  private drawLane(
    brush: CanvasRenderingContext2D, lane: Lane, x: (sample: number) => number, width: number, top: number, tall: number,
  ): void {
    const first = Math.max(0, Math.floor(this.window[0])), last = Math.ceil(this.window[1]);
    const all = [...lane.lines.map((line) => line.values), ...(lane.band ?? [])];
    const [low, high] = range(all, first, last);
    const y = (value: number) => top + tall - ((value - low) / (high - low)) * tall;
    brush.save();
    brush.beginPath();
    brush.rect(LEFT, top - 1, width - LEFT - RIGHT, tall + 2);
    brush.clip();
    if (low < 0 && high > 0) {
      brush.fillStyle = cssColour("--line");
      brush.fillRect(LEFT, y(0), width - LEFT - RIGHT, 1);
    }
    if (lane.band) {
      brush.fillStyle = cssColour("--series-3");
      brush.globalAlpha = 0.3;
      for (const [px, from, to] of pixelColumns(first, last, lane.band[0].length, x)) {
        const bottom = y(extent(lane.band[0], from, to)[0]), up = y(extent(lane.band[1], from, to)[1]);
        brush.fillRect(px, up, 1, Math.max(1, bottom - up));
      }
      brush.globalAlpha = 1;
    }
    for (const { values, colour, width: thick } of lane.lines) line(brush, values, colour, thick, first, last, x, y);
    brush.restore();
    brush.fillStyle = cssColour("--muted");
    brush.textAlign = "right";
    brush.fillText(short(high * lane.times), LEFT - 5, top + 5);
    brush.fillText(short(low * lane.times), LEFT - 5, top + tall - 5);
    if (tall > 44) brush.fillText(lane.title, LEFT - 5, top + tall / 2);
  }

  private drawAxis(brush: CanvasRenderingContext2D, x: (sample: number) => number, width: number, height: number, curves: Curves): void {
    brush.fillStyle = cssColour("--muted");
    brush.textAlign = "center";
    const seconds = [this.window[0] / curves.rate_hz, this.window[1] / curves.rate_hz] as const;
    const step = niceStep((seconds[1] - seconds[0]) / Math.max(2, width / 110));
    for (let t = Math.ceil(seconds[0] / step) * step; t <= seconds[1]; t += step) {
      const px = x(t * curves.rate_hz);
      brush.fillRect(px, height - BOTTOM, 1, 3);
      if (px < width - 18) brush.fillText(time(t, step), px, height - BOTTOM + 9);
    }
    brush.fillStyle = cssColour("--select");
    for (const peak of curves.peaks) {
      const px = x(peak);
      if (px < LEFT || px > width - RIGHT) continue;
      brush.beginPath();
      brush.moveTo(px - 4, 0);
      brush.lineTo(px + 4, 0);
      brush.lineTo(px, 6);
      brush.fill();
    }
    if (this.cursor !== null) {
      const px = x(this.cursor);
      if (px >= LEFT && px <= width - RIGHT) brush.fillRect(px - 0.5, 0, 1, height - BOTTOM);
    }
  }
}

const WORDS: Record<string, string> = { dff: "dF/F", raw: "fluorescence", neuropil: "neuropil", rate: "rate and interval" };

function lanesOf(curves: Curves): Lane[] {
  const get = (name: string) => curves.lines.get(name);
  const [dff, raw, neuropil, rate, low, high] = ["dff", "raw", "neuropil", "rate", "low", "high"].map(get);
  const lanes: Lane[] = [];
  const one = (name: string, values: Float32Array, variable: string, width = 1.2) => ({ name, values, colour: cssColour(variable), width });
  if (dff) lanes.push({ title: "dF/F %", share: 3, lines: [one("dff", dff, "--series-1")], band: null, times: 100 });
  const light = [...(neuropil ? [one("neuropil", neuropil, "--series-2", 1)] : []), ...(raw ? [one("raw", raw, "--series-8", 1)] : [])];
  if (light.length) lanes.push({ title: "F", share: 2, lines: light, band: null, times: 1 });
  if (rate) lanes.push({ title: "spikes/s", share: 2, lines: [one("rate", rate, "--series-3")], band: low && high ? [low, high] : null, times: 1 });
  return lanes;
}

/** Least and greatest value of every pixel column, or each sample where there are few. */
function line(
  brush: CanvasRenderingContext2D, values: Float32Array, colour: string, width: number, first: number, last: number,
  x: (sample: number) => number, y: (value: number) => number,
): void {
  brush.strokeStyle = colour;
  brush.lineWidth = width;
  brush.beginPath();
  if (x(first + 2) - x(first) >= 1) {
    for (let i = Math.max(0, first - 1); i <= Math.min(values.length - 1, last); i++) brush.lineTo(x(i), y(values[i]!));
  } else {
    for (const [px, from, to] of pixelColumns(first, last, values.length, x)) {
      const [low, high] = extent(values, from, Math.min(values.length, to + 1)); // so that columns join
      if (low > high) continue;
      brush.moveTo(px, y(low) + 0.5);
      brush.lineTo(px, y(high) - 0.5);
    }
  }
  brush.stroke();
}

/** Every pixel column, and the samples [from, to) that lie in it: at least one. */
function* pixelColumns(first: number, last: number, n: number, x: (sample: number) => number): Generator<[number, number, number]> {
  const [left, perPixel] = [x(first), 1 / Math.max(1e-9, x(first + 1) - x(first))];
  for (let px = Math.floor(left), end = x(Math.min(last, n)); px < end; px++) {
    const from = Math.min(n - 1, Math.max(0, first + Math.floor((px - left) * perPixel)));
    yield [px, from, Math.min(n, Math.max(from + 1, Math.ceil(first + (px + 1 - left) * perPixel)))];
  }
}

function extent(values: Float32Array, from: number, to: number): [number, number] {
  let low = Infinity, high = -Infinity;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function range(lines: Float32Array[], first: number, last: number): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const values of lines) {
    const [least, most] = extent(values, first, Math.min(last, values.length));
    [low, high] = [Math.min(low, least), Math.max(high, most)];
  }
  if (!(low <= high)) return [0, 1];
  const margin = 0.04 * (high - low) || 0.5;
  return [low >= 0 && low < margin ? 0 : low - margin, high + margin];
}

export function niceStep(rough: number): number {
  const ten = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
  return [1, 2, 5, 10].map((k) => k * ten).find((step) => step >= rough) ?? rough;
}

const time = (t: number, step: number): string => {
  const digits = step < 1 ? 1 : 0;
  return t < 60 ? `${t.toFixed(digits)} s` : `${Math.floor(t / 60)}:${(t % 60).toFixed(digits).padStart(2, "0")}`;
};

const short = (value: number): string => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));

export function wordsOf(curves: Curves | null): string {
  if (!curves) return "";
  const origin = {
    kept: "as the method extracted it", movie: "extracted now from the movie", table: "kept with the regions, coarse", none: "",
  }[curves.origin] ?? "";
  if (!curves.n && curves.origin === "movie") return "The movie is being read.";
  if (!curves.n) return "No trace: none was kept, and the movie is not at hand.";
  return [
    origin,
    ...(curves.read < 1 ? [`${Math.round(100 * curves.read)} % of the movie read`] : []),
    ...(curves.noise !== null ? [`noise ${short(curves.noise)} %/√Hz`] : []),
    ...(curves.coefficient !== null ? [`neuropil × ${curves.coefficient.toFixed(2)} taken off`] : []),
    ...(curves.note ? [curves.note] : []),
  ].join(" · ");
}

function spoken(curves: Curves | null, label: string): string {
  const dff = curves?.lines.get("dff");
  if (!curves || !dff) return `${label}: no trace`;
  const most = curves.peaks.length ? Math.max(...curves.peaks.map((peak) => dff[peak] ?? 0)) : 0;
  return `${label}: ${(curves.n / curves.rate_hz).toFixed(0)} seconds, ${curves.peaks.length} largest transients, up to ${(100 * most).toFixed(0)} % dF/F`;
}
