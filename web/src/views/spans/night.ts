// What is shown of the whole recording where spans tile it: fetched once, and again when asked otherwise.
import type { Api } from "../../view.ts";
import { stripStore, type StripQuery } from "./recording.ts";
import type { Strip } from "./stripspaint.ts";

const COLUMNS = 1200;

/** Chances of the classes along the recording, 255 is certain: row by row of classes. */
export interface Density {
  values: Uint8Array;
  n_classes: number;
  n_columns: number;
}

export class Night {
  density: Density | undefined;
  strip: Strip | undefined;
  private shown = "";
  private asked = false;
  private readonly api: Api;
  private readonly desk: string;
  private readonly n_samples: number;
  private readonly changed: () => void;
  private readonly strips;

  constructor(api: Api, desk: string, n_samples: number, changed: () => void) {
    this.api = api;
    this.desk = desk;
    this.n_samples = n_samples;
    this.changed = changed;
    this.strips = stripStore(api, desk, () => undefined);
  }

  /** The proposal's chances; a blind reader never asks for them. */
  wantDensity(): void {
    if (this.asked) return;
    this.asked = true;
    this.api.array(`desks/${this.desk}/spans/density`, { n_samples: this.n_samples, columns: COLUMNS }).then((array) => {
      const values = array.data as Uint8Array;
      if (values.some((value) => value > 0)) this.density = { values, n_classes: array.shape[0] ?? 0, n_columns: array.shape[1] ?? 0 };
      this.changed();
    }, () => { this.asked = false; });
  }

  /** The spectrogram of one trace of a montage over the whole recording. */
  wantStrip(channel: number, montage: string, top: number): void {
    const query: StripQuery = { start: 0, stop: this.n_samples, width: 800, channel, montage, top, patient: true };
    const key = JSON.stringify(query);
    if (key === this.shown) return;
    this.shown = key;
    void this.strips.want(query).then((strip) => {
      if (!strip || key !== this.shown) return;
      this.strip = strip;
      this.changed();
    });
  }

  close(): void {
    this.strips.clear();
  }
}
