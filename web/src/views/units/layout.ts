// Where channels are drawn: as they lie on the probe, stretched to the place there is.

export interface Layout {
  /** Middle of each channel's waveform, pixels. */
  at: Array<[number, number]>;
  stepX: number;
  stepY: number;
}

const MARGIN = 6;
const BOTTOM = 24; // for the scale

/** The probe's tip is below: y grows upwards in micrometres, downwards in pixels. */
export function layout(
  places: ReadonlyArray<ReadonlyArray<number | null> | null>, n: number, width: number, height: number,
): Layout {
  const known = places.slice(0, n).every((p) => p && Number.isFinite(p[0]) && Number.isFinite(p[1]));
  const xs = known && n === places.length ? places.map((p) => p![0]!) : Array.from({ length: n }, () => 0);
  const ys = known && n === places.length ? places.map((p) => p![1]!) : Array.from({ length: n }, (_, k) => n - k);
  const columns = [...new Set(xs)].sort((a, b) => a - b);
  const rows = [...new Set(ys)].sort((a, b) => a - b);
  const stepX = (width - 2 * MARGIN) / columns.length;
  const stepY = (height - BOTTOM - 2 * MARGIN) / Math.max(rows.length, 2);
  const at = xs.map((x, k): [number, number] => [
    MARGIN + stepX * (columns.indexOf(x) + 0.5),
    MARGIN + stepY * (rows.length - rows.indexOf(ys[k]!) - 0.5),
  ]);
  return { at, stepX, stepY };
}
