// The filtered recording around one spike, with the spikes of all units in it marked.
import { cssColour } from "../../theme.ts";
import type { NdArray } from "../../view.ts";
import { Sheet, button, element, panel } from "./dom.ts";

interface Facts {
  start: number;
  sample: number;
  spike: number;
  n_spikes: number;
  rate_hz: number;
  channels: number[];
  items: number[];
  samples: number[];
}

const MARK = 12;

export class SnippetPanel {
  readonly root: HTMLElement;
  private readonly sheet: Sheet;
  private readonly place = element("span", { class: "muted num" });
  private traces: NdArray | undefined;
  private item = 0;
  private beside: number | null = null;
  private message = "";

  constructor(step: (by: number) => void) {
    const { root, head, body } = panel("raw", "Recording");
    this.root = root;
    head.append(this.place, button("Before", "The spike before", () => step(-1), "["), button("After", "The spike after", () => step(1), "]"));
    this.sheet = new Sheet(body, "Filtered recording around one spike", (...at) => this.draw(...at));
  }

  paint(traces: NdArray, item: number, beside: number | null): void {
    [this.traces, this.item, this.beside, this.message] = [traces, item, beside, ""];
    const facts = traces.meta as unknown as Facts;
    const seconds = (facts.sample / facts.rate_hz).toFixed(3);
    this.place.textContent = `spike ${(facts.spike + 1).toLocaleString("en")} of ${facts.n_spikes.toLocaleString("en")}, at ${seconds} s`;
    this.sheet.repaint();
  }

  say(message: string): void {
    this.traces = undefined;
    this.message = message;
    this.place.textContent = "";
    this.sheet.repaint();
  }

  compare(beside: number | null): void {
    this.beside = beside;
    this.sheet.repaint();
  }

  repaint(): void {
    this.sheet.repaint();
  }

  destroy(): void {
    this.sheet.destroy();
  }

  private colour(item: number): string {
    if (item === this.item) return cssColour("--series-1");
    return cssColour(item === this.beside ? "--series-2" : "--muted");
  }

  private draw(brush: CanvasRenderingContext2D, width: number, height: number): void {
    brush.fillStyle = cssColour("--muted");
    if (!this.traces) {
      brush.fillText(this.message, 8, 18);
      return;
    }
    const facts = this.traces.meta as unknown as Facts;
    const [nChannels = 0, nSamples = 0] = this.traces.shape;
    const data = this.traces.data as Float32Array;
    const perSample = width / Math.max(nSamples - 1, 1);
    const step = (height - 2 * MARK) / Math.max(nChannels, 1);
    const gain = (step * 1.6) / Math.max(spread(data), 1e-6);
    for (const [k, sample] of facts.samples.entries()) {
      const x = (sample - facts.start) * perSample;
      brush.fillStyle = this.colour(facts.items[k]!);
      brush.globalAlpha = sample === facts.sample ? 0.18 : 0.08;
      brush.fillRect(x - perSample * 15, MARK, perSample * 45, height - MARK);
      brush.globalAlpha = 1;
      brush.fillText(String(facts.items[k]), x - 4, MARK - 2);
    }
    brush.strokeStyle = cssColour("--text");
    brush.lineWidth = 1;
    for (let channel = 0; channel < nChannels; channel++) {
      const y = MARK + step * (nChannels - channel - 0.5);
      brush.beginPath();
      for (let k = 0; k < nSamples; k++) {
        const value = data[channel * nSamples + k]!;
        if (!Number.isNaN(value)) brush.lineTo(k * perSample, y - value * gain);
      }
      brush.stroke();
    }
  }
}

/** Largest size among the samples. */
function spread(data: Float32Array): number {
  let largest = 0;
  for (const value of data) if (Math.abs(value) > largest) largest = Math.abs(value);
  return largest;
}
