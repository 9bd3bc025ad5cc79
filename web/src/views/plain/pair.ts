// Where the traces of two templates stand on a canvas: as their contacts lie on the probe.

export interface PairLayout {
  /** Left end and middle of each channel's trace, in pixels; the last of the probe is at the top. */
  places: [number, number][];
  /** Width of a trace. */
  cell: number;
  /** Pixels per microvolt. */
  scale: number;
}

const ROOM = 0.9;

/** Columns are the different x of the contacts; contacts without places stand in one column. */
export function pairLayout(placeUm: number[], channels: number, waves: number[][], width: number, height: number): PairLayout {
  const known = Array.from({ length: channels }, (_, c) => Number.isFinite(placeUm[2 * c]!) && Number.isFinite(placeUm[2 * c + 1]!));
  const placed = known.some(Boolean);
  const xs = Array.from({ length: channels }, (_, c) => (placed && known[c] ? placeUm[2 * c]! : 0));
  const ys = Array.from({ length: channels }, (_, c) => (placed && known[c] ? placeUm[2 * c + 1]! : c));
  const columns = [...new Set(xs)].sort((a, b) => a - b);
  const rows = [...new Set(ys)].sort((a, b) => a - b);
  const cell = (width / columns.length) * ROOM;
  const step = height / (rows.length + 1);
  const largest = Math.max(1e-9, ...waves.flat().filter(Number.isFinite).map(Math.abs));
  // Rows of a staggered probe belong to several columns, so a trace may be higher than a row.
  const perColumn = Math.max(1, ...columns.map((x) => xs.filter((own) => own === x).length));
  return {
    places: xs.map((x, c) => [
      columns.indexOf(x) * (width / columns.length) + (width / columns.length - cell) / 2,
      height - (rows.indexOf(ys[c]!) + 1) * step,
    ]),
    cell,
    scale: (height / (perColumn + 1)) * 0.45 / largest,
  };
}
