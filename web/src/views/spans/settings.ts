// How traces are shown; kept in this browser per task.

export interface Display {
  montage: string;
  high: number | null;
  low: number | null;
  notch: number | null;
  /** uV between rows; null: as it fits. */
  scale_uv: number | null;
  page_s: number;
  /** Rows on the page at once; 0: all. */
  rows: number;
  /** First row shown. */
  top: number;
  strip: boolean;
  strip_trace: number;
  strip_top: number;
}

export const PAGES_S = [0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 300, 1800, 3600];
export const ROWS = [4, 8, 16, 32, 64, 128, 0];
export const HIGH_HZ = [0.1, 0.3, 0.5, 1, 2, 5, 10, 80, 300];
export const LOW_HZ = [12, 15, 30, 35, 50, 70, 100, 250, 500, 3000, 6000];
export const NOTCH_HZ = [50, 60];

/** A display that fits the recording and the length of what is labelled; epochs fill whole pages. */
export function fittingDisplay(rate_hz: number, n_traces: number, spans_s: number | null, tiling: boolean): Display {
  const wanted = tiling && spans_s ? spans_s * Math.max(1, Math.round(30 / spans_s)) : spans_s ? Math.min(30, Math.max(spans_s * 8, 100 / rate_hz)) : rate_hz > 2000 ? 1 : 20;
  return {
    montage: "recorded", high: null, low: null, notch: null, scale_uv: null,
    page_s: tiling ? wanted : (PAGES_S.find((s) => s >= wanted) ?? 30),
    rows: n_traces <= 40 ? 0 : 32,
    top: 0, strip: !tiling, strip_trace: 0, strip_top: rate_hz > 1000 ? 300 : Math.min(tiling ? 30 : 40, rate_hz / 2),
  };
}

const place = (task: string): string => `nissl.spans.${task}`;

/** What was chosen before on recordings of this kind, over what fits. */
export function remembered(task: string, fitting: Display): Display {
  try {
    const kept = JSON.parse(localStorage.getItem(place(task)) ?? "{}") as Partial<Display>;
    const valid = Object.entries(kept).filter(([name, value]) => name in fitting && (value === null || typeof value === typeof (fitting[name as keyof Display] ?? 0)));
    return { ...fitting, ...Object.fromEntries(valid), top: 0, strip_trace: 0, montage: fitting.montage };
  } catch {
    return fitting;
  }
}

export function remember(task: string, changed: Partial<Display>): void {
  try {
    const kept = JSON.parse(localStorage.getItem(place(task)) ?? "{}") as Partial<Display>;
    localStorage.setItem(place(task), JSON.stringify({ ...kept, ...changed }));
  } catch {
    // a private window keeps nothing
  }
}

/** The choice after the one that is set; after the last comes the first. */
export function following<T>(choices: readonly T[], now: T): T {
  return choices[(choices.indexOf(now) + 1) % choices.length]!;
}

/** Indices of the rows that are shown, as the server takes them; every k-th where there are more than pixels. */
export function rowsShown(display: Display, n_traces: number, height_px: number): { first: number; stop: number; step: number } {
  const rows = display.rows === 0 ? n_traces : Math.min(display.rows, n_traces);
  const first = Math.max(0, Math.min(display.top, n_traces - rows));
  const step = Math.max(1, Math.ceil(rows / Math.max(1, height_px / 3)));
  return { first, stop: first + rows, step };
}
