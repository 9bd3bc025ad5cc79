// Which samples are on the screen and where: pure geometry of a page of traces.

/** A stretch of recording without a gap: [first sample, end, time of the first, samples per second]. */
export type Segment = [start: number, stop: number, t0_s: number, rate_hz: number];

/** Samples `start` to `start + length` over `width` CSS pixels. */
export interface Viewport {
  start: number;
  length: number;
  width: number;
}

export const SHORTEST = 16;

export const xOf = (view: Viewport, sample: number): number => ((sample - view.start) / view.length) * view.width;
export const sampleAt = (view: Viewport, x: number): number => view.start + (x / view.width) * view.length;

/** The page with whole samples, within a recording of `n` samples. */
export function clamped(view: Viewport, n: number): Viewport {
  const length = Math.max(Math.min(Math.round(view.length), n), Math.min(SHORTEST, n));
  const start = Math.min(Math.max(0, Math.round(view.start)), n - length);
  return { ...view, start, length };
}

/** Longer (`factor` > 1) or shorter, with the sample under `x` staying where it is. */
export function zoomed(view: Viewport, factor: number, x: number, n: number): Viewport {
  const anchor = sampleAt(view, x);
  const length = Math.max(SHORTEST, Math.min(n, view.length * factor));
  return clamped({ ...view, start: anchor - (x / view.width) * length, length }, n);
}

/** A page that holds a span: the same where it does already, else with the span in its middle. */
export function showing(view: Viewport, start: number, stop: number, n: number): Viewport {
  const margin = view.length * 0.02;
  if (start >= view.start + margin && stop <= view.start + view.length - margin) return view;
  const length = stop - start > view.length * 0.96 ? view.length : Math.max(view.length, 1);
  const begin = stop - start > length * 0.96 ? start - length * 0.1 : (start + stop - length) / 2;
  return clamped({ ...view, start: begin, length }, n);
}

export function segmentOf(segments: readonly Segment[], sample: number): Segment {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (segments[middle]![0] <= sample) low = middle;
    else high = middle - 1;
  }
  return segments[low]!;
}

/** Seconds of the device's clock at a sample. */
export function secondsAt(segments: readonly Segment[], sample: number): number {
  const [start, , t0_s, rate_hz] = segmentOf(segments, sample);
  return t0_s + (sample - start) / rate_hz;
}

/** Sample at a time; within a gap the first sample after it. */
export function sampleOf(segments: readonly Segment[], seconds: number): number {
  for (const [start, stop, t0_s, rate_hz] of segments) {
    if (seconds < t0_s) return start;
    const sample = start + Math.round((seconds - t0_s) * rate_hz);
    if (sample < stop) return sample;
  }
  return Math.max(0, segments[segments.length - 1]![1] - 1);
}

/** "1:02:03.4": hours only where there are some, decimals as `step_s` needs them. */
export function clockText(seconds: number, step_s = 1): string {
  const decimals = step_s >= 1 ? 0 : Math.min(4, Math.ceil(-Math.log10(step_s) - 1e-9));
  const scale = 10 ** decimals;
  const rounded = Math.round(Math.abs(seconds) * scale) / scale;
  const hours = Math.floor(rounded / 3600);
  const minutes = Math.floor((rounded % 3600) / 60);
  const rest = (rounded % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  const sign = seconds < 0 && rounded > 0 ? "-" : "";
  return hours ? `${sign}${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${sign}${minutes}:${rest}`;
}

/** "12", "1:30" or "1:02:03.5" in seconds; undefined where it is no time. */
export function parseClock(text: string): number | undefined {
  const parts = text.trim().split(":");
  if (!parts.length || parts.length > 3 || !parts.every((part) => /^\d+(\.\d+)?$/.test(part))) return undefined;
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** Steps of 1, 2, 5 below a second and of clock units above, at least `least_s` long. */
export function niceStep(least_s: number): number {
  const known = STEPS_S.find((step) => step >= least_s);
  if (least_s <= 0.5) {
    const power = 10 ** Math.floor(Math.log10(least_s));
    return [1, 2, 5, 10].map((m) => m * power).find((step) => step >= least_s * 0.999999)!;
  }
  return known ?? Math.ceil(least_s / 86400) * 86400;
}

export interface Tick {
  x: number;
  text: string;
}

/** Marks of the time axis, about one in `spacing` pixels; each segment counts its own time. */
export function ticks(view: Viewport, segments: readonly Segment[], spacing = 90): Tick[] {
  const found: Tick[] = [];
  const stop = view.start + view.length;
  for (const [first, last, t0_s, rate_hz] of segments) {
    const a = Math.max(view.start, first);
    const b = Math.min(stop, last);
    if (a >= b) continue;
    const step = niceStep((view.length / rate_hz) * (spacing / view.width));
    const from = t0_s + (a - first) / rate_hz;
    const to = t0_s + (b - first) / rate_hz;
    for (let k = Math.ceil(from / step - 1e-9); k * step <= to; k++) {
      found.push({ x: xOf(view, first + (k * step - t0_s) * rate_hz), text: clockText(k * step, step) });
    }
  }
  return found;
}

/** First samples after gaps within the page, with what each gap lacks in seconds. */
export function gaps(view: Viewport, segments: readonly Segment[]): Array<{ x: number; missing_s: number }> {
  const found = [];
  for (let index = 1; index < segments.length; index++) {
    const [start, , t0_s] = segments[index]!;
    const [before, , t_before, rate_hz] = segments[index - 1]!;
    if (start < view.start || start > view.start + view.length) continue;
    found.push({ x: xOf(view, start), missing_s: t0_s - (t_before + (start - before) / rate_hz) });
  }
  return found;
}
