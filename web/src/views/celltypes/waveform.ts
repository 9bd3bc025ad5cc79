// The waveform: where its channels lie on the probe, and on the main channel against the classes.
import { layout } from "../units/layout.ts";
import { Panel } from "./panel.ts";
import type { Brush } from "./plot.ts";
import { FONT, STRIP, clipped, drawAxes, drawBand, drawLine, drawSaliency, extent, inside, linear, niceTicks, palette, plain } from "./plot.ts";
import type { Shown } from "./shown.ts";
import { strip, told } from "./shown.ts";

const LEFT = 34;

export class ProbePanel extends Panel {
  private shown: Shown | undefined;

  constructor() {
    super("probe", "Waveform on the probe", "", (...at) => this.draw(...at));
  }

  paint(shown: Shown): void {
    this.shown = shown;
    const { template, item } = shown.curves;
    this.say(template ? null : "No template of this unit on the probe.");
    const stacked = template?.places.some((place) => place === null);
    this.keys([], stacked ? "No positions of channels: stacked by their distance in the file." : "");
    this.label(`Mean waveform of unit ${item} on ${template?.nChannels ?? 0} channels`);
    this.sheet.repaint();
  }

  private draw(brush: Brush, width: number, height: number): void {
    const template = this.shown?.curves.template;
    if (!template || !this.shown) return;
    const { data, nSamples, nChannels, places } = template;
    const colours = palette();
    const known = places.every((place) => place !== null);
    const left = known ? LEFT : 0;
    const grid = layout(places, nChannels, width - left, height - 16);
    const largest = Math.max(...extent(data).map(Math.abs));
    const gain = largest > 0 ? (grid.stepY * (known ? 1.5 : 0.8)) / largest : 0;
    const stepX = grid.stepX * 0.9;
    brush.font = FONT;
    if (known) this.rulers(brush, places as Array<[number, number]>, grid.at, left, height);
    for (let channel = nChannels - 1; channel >= 0; channel--) {
      const [x, y] = grid.at[channel]!;
      const main = channel === 0;
      brush.fillStyle = colours.line;
      brush.fillRect(left + x - stepX / 2, y, stepX, 1);
      brush.strokeStyle = main ? colours.text : colours.unit;
      brush.lineWidth = main ? 2.2 : 1.4;
      const samples = Float32Array.from({ length: nSamples }, (_, k) => data[k * nChannels + channel]!);
      const ticks = Array.from({ length: nSamples }, (_, k) => k);
      drawLine(brush, ticks, samples, (k) => left + x - stepX / 2 + (k / Math.max(1, nSamples - 1)) * stepX, (v) => y - v * gain);
    }
    this.scale(brush, left, height, stepX);
  }

  /** Depth along the probe, at most as many as there is place for. */
  private rulers(brush: Brush, places: Array<[number, number]>, at: Array<[number, number]>, left: number, height: number): void {
    brush.fillStyle = palette().muted;
    brush.textBaseline = "middle";
    brush.textAlign = "right";
    let last = Infinity;
    const rows = new Map(places.map(([, y], k) => [y, at[k]![1]]));
    for (const [depth, y] of [...rows].sort((a, b) => b[1] - a[1])) {
      if (last - y < 15 || y > height - 30) continue;
      brush.fillText(String(Math.round(depth)), left - 5, y);
      last = y;
    }
    brush.textAlign = "left";
    brush.textBaseline = "top";
    brush.fillText("µm", left - 22, 2);
  }

  private scale(brush: Brush, left: number, height: number, stepX: number): void {
    const { waveMs } = this.shown!.axes;
    const span = (waveMs.at(-1) ?? 1) - (waveMs[0] ?? 0);
    const colours = palette();
    brush.fillStyle = colours.text;
    brush.fillRect(left + 6, height - 12, stepX / span, 1.5);
    brush.textAlign = "left";
    brush.textBaseline = "middle";
    brush.fillText("1 ms; the main channel in bold", left + 12 + stepX / span, height - 12);
  }
}

export class WaveformPanel extends Panel {
  private shown: Shown | undefined;

  constructor() {
    super("waveform", "Waveform against the classes", "", (...at) => this.draw(...at));
  }

  paint(shown: Shown): void {
    this.shown = shown;
    const own = shown.curves.waveform;
    this.say(own ? null : "No waveform of this unit.");
    const unit = { text: `unit ${shown.curves.item}`, colour: palette().text, dash: [], thick: true };
    this.keys(own ? [unit, ...shown.classes.map((one) => ({ text: told(one), colour: one.colour, dash: one.dash }))] : [],
      own && shown.saliency?.by.waveform ? strip(shown.saliency.towards) : "");
    this.label(`Waveform of unit ${shown.curves.item} on its main channel, with the means of ${names(shown)}`);
    this.sheet.repaint();
  }

  private draw(brush: Brush, width: number, height: number): void {
    const own = this.shown?.curves.waveform;
    if (!own || !this.shown) return;
    const { axes: { waveMs }, classes, saliency } = this.shown;
    const colours = palette();
    const frame = inside(width, height, [8, 12, 36, 52]);
    const all = classes.flatMap(({ exemplar, band }) => (band
      ? [exemplar.waveform.map((v, k) => v - (exemplar.spread[k] || 0)), exemplar.waveform.map((v, k) => v + (exemplar.spread[k] || 0))]
      : [exemplar.waveform]));
    const [low, high] = extent(own, ...all);
    const more = 0.06 * (high - low);
    const x = linear([waveMs[0]!, waveMs.at(-1)!], [frame.left, frame.left + frame.width]);
    const by = saliency?.by.waveform;
    const y = linear([low - more, high + more], [frame.top + frame.height - (by ? STRIP : 0), frame.top]);
    clipped(brush, frame, () => {
      for (const { exemplar, colour, dash, band } of [...classes].reverse()) {
        brush.fillStyle = brush.strokeStyle = colour;
        brush.globalAlpha = 0.14;
        if (band) drawBand(brush, waveMs, exemplar.waveform, exemplar.spread, x, y);
        brush.globalAlpha = 1;
        brush.setLineDash(dash);
        brush.lineWidth = 1.6;
        drawLine(brush, waveMs, exemplar.waveform, x, y);
      }
      brush.setLineDash([]);
      brush.fillStyle = colours.line;
      brush.fillRect(frame.left, Math.round(y(0)), frame.width, 1);
      if (by) drawSaliency(brush, frame, waveMs, own, by, x, y, colours);
      brush.strokeStyle = colours.text;
      brush.lineWidth = 2.4;
      drawLine(brush, waveMs, own, x, y);
    });
    drawAxes(brush, frame, colours,
      { scale: x, ticks: [-0.5, 0, 0.5, 1], text: plain, label: "ms from the largest deflection" },
      { scale: y, ticks: niceTicks(low, high, Math.max(2, Math.floor(frame.height / 40))), text: plain, label: "× largest deflection" });
  }
}

function names({ classes }: Shown): string {
  return classes.map(({ exemplar }) => exemplar.name).join(", ") || "no class";
}
