// A canvas that knows its size in CSS pixels, and the colours of the theme.
import { cssColour } from "../../theme.ts";

/** Width of the column of names left of every panel, CSS pixels. */
export const GUTTER = 92;
export const RIGHT = 12;

export class Surface {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  width = 0;
  height = 0;
  ratio = 1;

  constructor(parent: HTMLElement, name: string, label: string) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = `spans-${name}`;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", label);
    parent.append(this.canvas);
    const context = this.canvas.getContext("2d");
    if (!context) throw new Error("Expected a browser that draws on a canvas; got none. Use a current browser.");
    this.context = context;
  }

  /** Fits the canvas to its place and clears it; false where it has none. */
  begin(): boolean {
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.width * this.ratio);
    const height = Math.round(this.height * this.ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    return width > 0 && height > 0;
  }

  /** Draws only right of the names. */
  inPlot(draw: () => void): void {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, this.width - GUTTER - RIGHT, this.height);
    context.clip();
    context.translate(GUTTER, 0);
    draw();
    context.restore();
  }
}

const SQUEEZED = 1.3;

/** A text to be squeezed into a width, its end left out where that would make it hard to read. */
export function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  const most = SQUEEZED * width;
  if (context.measureText(text).width <= most) return text;
  let n = text.length - 1;
  while (n > 1 && context.measureText(`${text.slice(0, n)}…`).width > most) n -= 1;
  return `${text.slice(0, n)}…`;
}

export interface Palette {
  text: string;
  muted: string;
  line: string;
  panel: string;
  ground: string;
  accent: string;
  select: string;
  warn: string;
}

const NAMES = ["text", "muted", "line", "panel", "ground", "accent", "select", "warn"] as const;

/** The theme's colours as "#rrggbb", however the style sheet writes them. */
export function palette(): Palette {
  const context = new OffscreenCanvas(1, 1).getContext("2d")!;
  return Object.fromEntries(NAMES.map((name) => {
    context.fillStyle = cssColour(`--${name}`);
    return [name, context.fillStyle];
  })) as unknown as Palette;
}

/** [red, green, blue] of "#rrggbb". */
export function rgb(colour: string): [number, number, number] {
  const value = Number.parseInt(colour.replace("#", "").padEnd(6, "0").slice(0, 6), 16);
  return Number.isNaN(value) ? [128, 128, 128] : [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

const light = (colour: string): number => rgb(colour).reduce((sum, value, k) => sum + [0.2126, 0.7152, 0.0722][k]! * (value / 255) ** 2.2, 0);
const LEAST_CONTRAST = 2.2;

/** A colour that is told from the ground: mixed with black or white as far as that needs. */
export function seenOn(ground: string, colour: string): string {
  const dark = light(ground) < 0.2;
  let mixed = rgb(colour);
  const text = (): string => `#${mixed.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("")}`;
  for (let k = 0; k < 8; k++) {
    const [low, high] = [light(ground), light(text())].sort((a, b) => a - b) as [number, number];
    if ((high + 0.05) / (low + 0.05) >= LEAST_CONTRAST) break;
    mixed = mixed.map((value) => value * 0.85 + (dark ? 255 : 0) * 0.15) as [number, number, number];
  }
  return text();
}

export function faded(colour: string, alpha: number): string {
  const [red, green, blue] = rgb(colour);
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}
