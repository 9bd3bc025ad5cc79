// Mean waveforms drawn where their channels lie on the probe.
import { cssColour } from "../../theme.ts";
import type { NdArray } from "../../view.ts";
import { Sheet, panel } from "./dom.ts";
import { layout } from "./layout.ts";

interface Facts {
  items: number[];
  names: string[];
  place_um: Array<Array<number | null> | null>;
  n_before: number | null;
  rate_hz: number;
  unit: string;
}

export class WaveformsPanel {
  readonly root: HTMLElement;
  private readonly sheet: Sheet;
  private templates: NdArray | undefined;

  constructor() {
    const { root, body } = panel("probe", "Waveforms on the probe");
    this.root = root;
    this.sheet = new Sheet(body, "Mean waveforms on the channels around the unit", (...at) => this.draw(...at));
  }

  paint(templates: NdArray): void {
    this.templates = templates;
    this.sheet.repaint();
  }

  repaint(): void {
    this.sheet.repaint();
  }

  destroy(): void {
    this.sheet.destroy();
  }

  private draw(brush: CanvasRenderingContext2D, width: number, height: number): void {
    const templates = this.templates;
    if (!templates) return;
    const facts = templates.meta as unknown as Facts;
    const [nUnits = 0, nSamples = 0, nChannels = 0] = templates.shape;
    brush.fillStyle = cssColour("--muted");
    if (!nSamples || !nChannels) {
      brush.fillText("No templates are known for this sorting.", 8, 18);
      return;
    }
    const grid = layout(facts.place_um, nChannels, width, height);
    const data = templates.data as Float32Array;
    const largest = extent(data, nSamples * nChannels);
    const gain = largest > 0 ? (grid.stepY * 0.8) / largest : 0;
    const stepX = grid.stepX * 0.86;
    for (let channel = 0; channel < nChannels; channel++) {
      const [x, y] = grid.at[channel]!;
      brush.fillStyle = cssColour("--line");
      brush.fillRect(x - stepX / 2, y, stepX, 1);
      brush.fillStyle = cssColour("--muted");
      brush.fillText(facts.names[channel] ?? "", x - stepX / 2, y - grid.stepY * 0.18);
    }
    for (let unit = nUnits - 1; unit >= 0; unit--) {
      brush.strokeStyle = cssColour(unit === 0 ? "--series-1" : "--series-2");
      brush.lineWidth = unit === 0 ? 1.8 : 1.4;
      brush.setLineDash(unit === 0 ? [] : [4, 2]);
      for (let channel = 0; channel < nChannels; channel++) {
        const [x, y] = grid.at[channel]!;
        brush.beginPath();
        for (let k = 0; k < nSamples; k++) {
          const value = data[(unit * nSamples + k) * nChannels + channel]!;
          if (Number.isNaN(value)) continue;
          brush.lineTo(x - stepX / 2 + (k / Math.max(nSamples - 1, 1)) * stepX, y - value * gain);
        }
        brush.stroke();
      }
    }
    brush.setLineDash([]);
    this.scale(brush, height, largest, gain, stepX / Math.max(nSamples - 1, 1), facts);
  }

  private scale(
    brush: CanvasRenderingContext2D, height: number, largest: number, gain: number, perSample: number, facts: Facts,
  ): void {
    const size = round(largest / 2);
    const ms = (facts.rate_hz / 1000) * perSample;
    const x = 8, y = height - 8;
    brush.strokeStyle = brush.fillStyle = cssColour("--text");
    brush.lineWidth = 1.5;
    brush.beginPath();
    brush.moveTo(x, y - size * gain);
    brush.lineTo(x, y);
    brush.lineTo(x + ms, y);
    brush.stroke();
    brush.fillText(`${size} ${facts.unit.replace("uV", "µV")} · 1 ms`, x + 6, y - 5);
  }
}

/** Peak to peak of the first unit on its largest channel. */
function extent(data: Float32Array, n: number): number {
  let largest = 0;
  for (let i = 0; i < Math.min(n, data.length); i++) {
    const value = Math.abs(data[i]!);
    if (value > largest) largest = value;
  }
  return largest;
}

/** One significant digit: 1, 2 or 5 times a power of ten. */
function round(value: number): number {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = value / power;
  return (digit >= 5 ? 5 : digit >= 2 ? 2 : 1) * power;
}
