// What the server says of a recording, and its pages and spectrograms as they are fetched.
import type { Api, DeskInfo } from "../../view.ts";
import { Latest } from "./latest.ts";
import { type Display, rowsShown } from "./settings.ts";
import type { Strip } from "./stripspaint.ts";
import type { TracePage } from "./tracepaint.ts";
import { clockText, secondsAt, type Segment, type Viewport } from "./viewport.ts";

export interface Recording {
  stream: string;
  kind: string;
  rate_hz: number;
  n_samples: number;
  segments: Segment[];
  channels: string[];
  montages: Record<string, string[]>;
  /** False where the raw data do not open: spans are shown and decided without traces. */
  raw: boolean;
  /** Why they do not open. */
  fault: string;
}

export interface TraceQuery {
  start: number;
  stop: number;
  width: number;
  channels: string;
  montage: string;
  high: number | null;
  low: number | null;
  notch: number | null;
}

export interface StripQuery {
  start: number;
  stop: number;
  width: number;
  channel: number;
  montage: string;
  top: number;
  /** Of the whole recording, made once: may take its time. */
  patient?: boolean;
}

export async function openRecording(api: Api, desk: DeskInfo, least_samples: () => number): Promise<Recording> {
  try {
    return { ...(await api.json<Omit<Recording, "raw" | "fault">>(`desks/${desk.key}/traces/channels`)), raw: true, fault: "" };
  } catch (error) {
    const rate_hz = desk.rate_hz ?? 1;
    const n_samples = Math.max(Math.round((desk.duration_s ?? 0) * rate_hz), least_samples(), 1);
    return {
      stream: "", kind: "", rate_hz, n_samples, segments: [[0, n_samples, 0, rate_hz]], channels: [], montages: { recorded: [] },
      raw: false, fault: error instanceof Error ? error.message : String(error),
    };
  }
}

/** Rows of a montage; "reference X" is every other channel against X. */
export function rowNames(recording: Recording, montage: string): string[] {
  const known = recording.montages[montage];
  if (known) return known;
  const reference = montage.replace(/^reference /, "");
  return recording.channels.filter((name) => name !== reference).map((name) => `${name}-${reference}`);
}

/** The channel that each row shows, of a difference the first; -1 where a row is of none. */
export function rowChannels(recording: Recording, montage: string): number[] {
  const { channels } = recording;
  return rowNames(recording, montage).map((name) => {
    const whole = channels.indexOf(name);
    return whole >= 0 ? whole : channels.findIndex((channel) => name.startsWith(`${channel}-`));
  });
}

export function traceQuery(view: Viewport, display: Display, n_traces: number, height_px: number): TraceQuery {
  const { first, stop, step } = rowsShown(display, n_traces, height_px);
  return {
    start: view.start, stop: view.start + view.length, width: Math.max(16, Math.min(4000, Math.round(view.width))),
    channels: step === 1 ? `${first}:${stop}` : `${first}:${stop}:${step}`,
    montage: display.montage, high: display.high, low: display.low, notch: display.notch,
  };
}

/** Samples that a page has in common with another, of those it shows at a like scale. */
export function shared(page: TraceQuery, wanted: TraceQuery): number {
  const ratio = (page.stop - page.start) / (wanted.stop - wanted.start);
  if (ratio < 0.5 || ratio > 2) return 0;
  return Math.max(0, Math.min(page.stop, wanted.stop) - Math.max(page.start, wanted.start));
}

export function stripQuery(view: Viewport, display: Display): StripQuery {
  return {
    start: view.start, stop: view.start + view.length, width: Math.max(16, Math.min(700, Math.round(view.width / 2))),
    channel: display.strip_trace, montage: display.montage, top: display.strip_top,
  };
}

interface Tiles {
  made: number;
  all: number;
  fault: string | null;
}

function progress({ made, all, fault }: Tiles): string {
  return fault ? `It cannot go on: ${fault}` : `${Math.floor((100 * made) / Math.max(1, all))} % is done.`;
}

export function pageStore(api: Api, desk: string, failed: (error: unknown) => void): Latest<TraceQuery, TracePage> {
  return new Latest(async (query, signal) => {
    const array = await api.array(`desks/${desk}/traces`, { ...query }, signal);
    const meta = array.meta as { first: number; bin_samples: number; labels: string[]; exact: boolean; notes: string[]; tiles: Tiles };
    return {
      values: array.data as Float32Array, n_traces: array.shape[0] ?? 0, n_bins: array.shape[1] ?? 0,
      first: meta.first, bin_samples: meta.bin_samples, labels: meta.labels, exact: meta.exact, notes: [...meta.notes, ...(meta.exact ? [] : [progress(meta.tiles)])],
    };
  }, failed);
}

export function stripStore(api: Api, desk: string, failed: (error: unknown) => void): Latest<StripQuery, Strip> {
  return new Latest(async (query, signal) => {
    const array = await api.array(`desks/${desk}/spectrogram`, { ...query }, signal);
    const meta = array.meta as { first: number; column_samples: number; top_hz: number; label: string; exact: boolean };
    return {
      values: array.data as Uint8Array, n_rows: array.shape[0] ?? 0, n_columns: array.shape[1] ?? 0, ...meta,
    };
  }, failed);
}

/** Which rows and which time are shown, in words. */
export function pageTexts(recording: Recording, view: Viewport, display: Display, height_px: number): { rows: string; when: string } {
  const n = rowNames(recording, display.montage).length;
  const { first, stop, step } = rowsShown(display, n, height_px);
  const time = (sample: number): string => clockText(secondsAt(recording.segments, sample), view.length / recording.rate_hz / 100);
  return {
    rows: step > 1 ? `1 in ${step}` : stop - first < n ? `${first + 1}–${stop} of ${n}` : "",
    when: `${time(view.start)} – ${time(view.start + view.length - 1)}`,
  };
}
