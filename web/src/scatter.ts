// A point cloud with pan, zoom and lasso: WebGL for millions of points, a 2-D canvas without WebGL.
// Drag draws a lasso, Shift+drag (or the middle button) moves, the wheel zooms, a double click fits.
import { gestures } from "./gestures.ts";
import { selectInside } from "./lasso.ts";
import type { Painter } from "./scatterpaint.ts";
import { canvasPainter, webglPainter } from "./scatterpaint.ts";

export interface Points {
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  /** Index into the palette per point; 255 hides a point. All 0 when left out. */
  group?: Uint8Array;
}

export interface ScatterOptions {
  /** CSS colours, at most 16; the last groups are drawn on top. */
  palette: string[];
  pointSize?: number;
  opacity?: number;
  /** Share of the points that the first view may leave outside on each side; a double click shows all. */
  trim?: number;
  label: string;
  /** Indices of the points inside a finished lasso (empty: the selection was cleared), and its
   * corners x0, y0, x1, y1, ... in data coordinates. */
  onLasso?: (indices: number[], polygon: number[]) => void;
}

export interface Scatter {
  /** `keep` leaves the pan and zoom as they are, for the same points in other colours. */
  set(points: Points, keep?: boolean): void;
  setPalette(palette: string[]): void;
  fit(): void;
  /** Pixel of a data point now, for labels drawn above. */
  project(x: number, y: number): [number, number];
  readonly webgl: boolean;
  destroy(): void;
}

/** Data -> clip space: clip = data * scale + offset. */
export interface Camera {
  scale: [number, number];
  offset: [number, number];
}

export function createScatter(host: HTMLElement, options: ScatterOptions): Scatter {
  const base = document.createElement("canvas");
  const overlay = document.createElement("canvas");
  for (const canvas of [base, overlay]) {
    canvas.style.position = "absolute";
    canvas.style.inset = "0";
    canvas.style.width = canvas.style.height = "100%";
  }
  host.style.position = "relative";
  host.append(base, overlay);
  overlay.setAttribute("role", "img");
  overlay.setAttribute("aria-label", options.label);

  let points: Points = { x: [], y: [] };
  const camera: Camera = { scale: [1, 1], offset: [0, 0] };
  const painter: Painter = webglPainter(base, () => paint()) ?? canvasPainter(base);
  let palette = options.palette;
  let asked = 0;

  function paint(): void {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() =>
      painter.paint(camera, palette, options.pointSize ?? 2.5, options.opacity ?? 0.7),
    );
  }

  function resize(): void {
    const ratio = devicePixelRatio || 1;
    for (const canvas of [base, overlay]) {
      canvas.width = Math.max(1, Math.round(host.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(host.clientHeight * ratio));
    }
    overlay.getContext("2d")?.scale(ratio, ratio);
    paint();
  }

  function fit(trim = 0): void {
    const shown = trim > 0 ? trimmed(points, trim) : points;
    const [left, right] = range(shown.x);
    const [low, high] = range(shown.y);
    camera.scale = [1.9 / (right - left), 1.9 / (high - low)];
    camera.offset = [-camera.scale[0] * (left + right) / 2, -camera.scale[1] * (low + high) / 2];
    paint();
  }

  const toData = (px: number, py: number): [number, number] => [
    ((px / host.clientWidth) * 2 - 1 - camera.offset[0]) / camera.scale[0],
    (1 - (py / host.clientHeight) * 2 - camera.offset[1]) / camera.scale[1],
  ];

  const stop = gestures(overlay, host, {
    pan(dx, dy) {
      camera.offset[0] += (2 * dx) / host.clientWidth;
      camera.offset[1] -= (2 * dy) / host.clientHeight;
      paint();
    },
    zoom(factor, px, py) {
      const [x, y] = toData(px, py);
      camera.scale = [camera.scale[0] * factor, camera.scale[1] * factor];
      camera.offset = [(px / host.clientWidth) * 2 - 1 - x * camera.scale[0], 1 - (py / host.clientHeight) * 2 - y * camera.scale[1]];
      paint();
    },
    fit: () => fit(),
    lasso(path) {
      const polygon: number[] = [];
      for (let i = 0; i < path.length; i += 2) polygon.push(...toData(path[i]!, path[i + 1]!));
      const found = selectInside(polygon, points.x, points.y);
      options.onLasso?.(points.group ? found.filter((i) => points.group![i] !== 255) : found, polygon);
    },
  });

  const observer = new ResizeObserver(resize);
  observer.observe(host);
  resize();
  return {
    set(given, keep = false) {
      points = given;
      painter.load(given);
      if (keep) paint();
      else fit(options.trim);
    },
    setPalette(given) {
      palette = given;
      paint();
    },
    fit: () => fit(),
    project: (x, y) => [
      ((x * camera.scale[0] + camera.offset[0] + 1) / 2) * host.clientWidth,
      ((1 - y * camera.scale[1] - camera.offset[1]) / 2) * host.clientHeight,
    ],
    webgl: painter.webgl,
    destroy() {
      cancelAnimationFrame(asked);
      observer.disconnect();
      stop();
      painter.destroy();
      base.remove();
      overlay.remove();
    },
  };
}

/** Least and greatest finite value, widened where they are the same. */
function range(values: ArrayLike<number>): [number, number] {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(low <= high)) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

const WIDER = 0.2;

/** The corners of the box that all but a share of the points on each side lie in, a little widened. */
function trimmed(points: Points, trim: number): Pick<Points, "x" | "y"> {
  const box = (values: ArrayLike<number>): [number, number] => {
    const sorted = Float64Array.from(values).filter((v, i) => Number.isFinite(v) && points.group?.[i] !== 255).sort();
    const [low = 0, high = 0] = [sorted[Math.floor(trim * sorted.length)], sorted[Math.ceil((1 - trim) * sorted.length) - 1]];
    const more = WIDER * (high - low);
    return [Math.max(low - more, sorted[0] ?? 0), Math.min(high + more, sorted.at(-1) ?? 0)];
  };
  return { x: box(points.x), y: box(points.y) };
}
