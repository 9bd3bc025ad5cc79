// Autocorrelograms: by decile of the firing rate as heat maps, and over logarithmic lags as lines.
import { element } from "../units/dom.ts";
import { Panel } from "./panel.ts";
import type { Brush, Frame, Palette } from "./plot.ts";
import {
  FONT, STRIP, cividis, clipped, decades, drawAxes, drawHeat, drawLine, drawSaliency, duration, extent, inside, linear, logarithmic, niceTicks,
  outlines, palette, plain, smoothed,
} from "./plot.ts";
import type { Shown } from "./shown.ts";
import { strip, told } from "./shown.ts";

const DECILES = 10;
/** Share of the largest saliency from which a cell is outlined. */
const MARKED = 0.5;
const NO_SPIKES = "No spike times of this unit: it has no autocorrelogram.";

export class HeatPanel extends Panel {
  private shown: Shown | undefined;

  constructor() {
    super("heat", "3-D autocorrelogram", "", (...at) => this.draw(...at));
  }

  paint(shown: Shown): void {
    this.shown = shown;
    const { curves, compared } = shown;
    this.say(curves.acg3 ? null : curves.acg ? "Too few spikes for an autocorrelogram by firing rate." : NO_SPIKES);
    const marks = curves.acg3 && shown.saliency?.by.acg3 ? `Outlined: solid speaks for ${shown.saliency.towards}, dashed against it.` : "";
    this.keys([], marks);
    this.label(`Autocorrelogram of unit ${curves.item} by firing rate, beside the mean of ${compared?.name ?? "no class"}`);
    this.sheet.repaint();
  }

  private draw(brush: Brush, width: number, height: number): void {
    const shown = this.shown;
    const own = shown?.curves.acg3;
    if (!shown || !own) return;
    const colours = palette();
    const { compared } = shown;
    const other = compared?.acg3?.flat() ?? null;
    const most = Math.max(1, quantile([...own, ...(other ?? [])], 0.99));
    const [left, right, gap] = [42, 60, 24];
    const each = Math.max(20, (width - left - right - gap) / 2);
    const unit: Frame = { left, top: 20, width: each, height: Math.max(10, height - 58) };
    const mean: Frame = { ...unit, left: left + each + gap };
    this.heat(brush, unit, own, most, `unit ${shown.curves.item}`, true, colours);
    const title = compared ? `${compared.name} (mean of ${compared.n})` : "no class chosen";
    if (other) this.heat(brush, mean, other, most, title, false, colours);
    else this.nothing(brush, mean, compared ? `No spike times of ${compared.name} are known.` : "Choose a class above.", colours);
    const saliency = shown.saliency?.by.acg3;
    if (saliency) this.marks(brush, unit, saliency);
    this.bar(brush, { left: mean.left + each + 10, top: unit.top, width: 9, height: unit.height }, most, colours);
  }

  private heat(brush: Brush, frame: Frame, values: ArrayLike<number>, most: number, title: string, first: boolean, colours: Palette): void {
    const edges = this.shown!.axes.lagEdgesS;
    drawHeat(brush, frame, values, DECILES, values.length / DECILES, most);
    const x = logarithmic([edges[0]!, edges.at(-1)!], [frame.left, frame.left + frame.width]);
    const y = linear([0.5, DECILES + 0.5], [frame.top + frame.height, frame.top]);
    drawAxes(brush, frame, colours,
      { scale: x, ticks: decades(edges[0]!, edges.at(-1)!), text: duration, label: "lag" },
      { scale: y, ticks: first ? [1, 5, 10] : [], text: plain, label: first ? "decile of the rate" : "" });
    this.title(brush, frame, title, colours);
  }

  private title(brush: Brush, frame: Frame, text: string, colours: Palette): void {
    brush.font = FONT;
    brush.fillStyle = colours.text;
    brush.textAlign = "left";
    brush.textBaseline = "bottom";
    brush.fillText(text, frame.left, frame.top - 4, frame.width);
  }

  private nothing(brush: Brush, frame: Frame, text: string, colours: Palette): void {
    brush.font = FONT;
    brush.fillStyle = colours.muted;
    brush.textAlign = "center";
    brush.textBaseline = "middle";
    brush.fillText(text, frame.left + frame.width / 2, frame.top + frame.height / 2, frame.width);
  }

  /** A solid line around the cells that speak most for the class, a dashed one around those against. */
  private marks(brush: Brush, { left, top, width, height }: Frame, by: readonly number[]): void {
    const columns = by.length / DECILES;
    const saliency = smoothed(by, DECILES, columns);
    const most = Math.max(...saliency.map((value) => Math.abs(value) || 0));
    brush.save();
    for (const [sign, dash, under, over] of [[1, [], "#000000", "#ffffff"], [-1, [4, 3], "#ffffff", "#000000"]] as const) {
      const lines = outlines(saliency.map((value) => sign * value >= MARKED * most), DECILES, columns);
      for (const [colour, thickness, dashes] of [[under, 2.6, []], [over, 1.4, dash]] as const) {
        brush.strokeStyle = colour;
        brush.lineWidth = thickness;
        brush.setLineDash([...dashes]);
        brush.beginPath();
        for (const [c0, r0, c1, r1] of lines) {
          brush.moveTo(left + (c0 * width) / columns, top + height - (r0 * height) / DECILES);
          brush.lineTo(left + (c1 * width) / columns, top + height - (r1 * height) / DECILES);
        }
        brush.stroke();
      }
    }
    brush.restore();
  }

  private bar(brush: Brush, frame: Frame, most: number, colours: Palette): void {
    const n = 64;
    for (let k = 0; k < n; k++) {
      brush.fillStyle = `rgb(${cividis((k + 0.5) / n).join()})`;
      brush.fillRect(frame.left, frame.top + frame.height * (1 - (k + 1) / n), frame.width, frame.height / n + 0.5);
    }
    const y = linear([0, most], [frame.top + frame.height, frame.top]);
    brush.font = FONT;
    brush.fillStyle = colours.muted;
    brush.textAlign = "left";
    brush.textBaseline = "middle";
    for (const tick of niceTicks(0, most, Math.max(2, Math.floor(frame.height / 36)))) brush.fillText(plain(tick), frame.left + 13, y(tick));
    brush.save();
    brush.translate(frame.left + 46, frame.top + frame.height / 2);
    brush.rotate(-Math.PI / 2);
    brush.textAlign = "center";
    brush.textBaseline = "bottom";
    brush.fillText("× mean rate", 0, 0);
    brush.restore();
  }
}

export class LinesPanel extends Panel {
  private shown: Shown | undefined;
  private readonly select = element("select", { "aria-label": "Which curve" },
    element("option", { value: "acg" }, "Autocorrelogram"), element("option", { value: "isi" }, "Intervals between spikes"));

  constructor() {
    super("lines", "Spike times", "", (...at) => this.draw(...at));
    this.head.append(this.select);
    this.select.addEventListener("change", () => this.shown && this.paint(this.shown));
  }

  /** The other curve. */
  turn(): void {
    this.select.value = this.select.value === "acg" ? "isi" : "acg";
    if (this.shown) this.paint(this.shown);
  }

  paint(shown: Shown): void {
    this.shown = shown;
    const own = this.own;
    const lines = this.select.value === "acg" ? shown.classes : [];
    this.say(own ? null : NO_SPIKES.replace("autocorrelogram", this.select.value === "acg" ? "autocorrelogram" : "intervals"));
    const unit = { text: `unit ${shown.curves.item}`, colour: palette().text, dash: [], thick: true };
    this.keys(own ? [unit, ...lines.map((one) => ({ text: told(one), colour: one.colour, dash: one.dash }))] : [],
      own && shown.saliency?.by[this.select.value] ? strip(shown.saliency.towards) : "");
    this.label(`${this.select.selectedOptions[0]?.textContent} of unit ${shown.curves.item} against the logarithm of the lag`);
    this.sheet.repaint();
  }

  private get own(): Float32Array | null {
    const curves = this.shown?.curves;
    return (this.select.value === "acg" ? curves?.acg : curves?.isi) ?? null;
  }

  private draw(brush: Brush, width: number, height: number): void {
    const own = this.own;
    if (!own || !this.shown) return;
    const { axes: { logS }, saliency } = this.shown;
    const isAcg = this.select.value === "acg";
    const classes = isAcg ? this.shown.classes : [];
    const colours = palette();
    const frame = inside(width, height, [8, 12, 36, 52]);
    const [, high] = extent(own, ...classes.map(({ exemplar }) => exemplar.acg));
    const x = logarithmic([logS[0]!, logS.at(-1)!], [frame.left, frame.left + frame.width]);
    const by = saliency?.by[this.select.value];
    const y = linear([-0.03 * high, 1.05 * high], [frame.top + frame.height - (by ? STRIP : 0), frame.top]);
    clipped(brush, frame, () => {
      brush.fillStyle = colours.line;
      if (isAcg) brush.fillRect(frame.left, Math.round(y(1)), frame.width, 1);
      brush.lineWidth = 1.6;
      for (const { exemplar, colour, dash } of [...classes].reverse()) {
        brush.strokeStyle = colour;
        brush.setLineDash(dash);
        drawLine(brush, logS, exemplar.acg, x, y);
      }
      brush.setLineDash([]);
      if (by) drawSaliency(brush, frame, logS, own, by, x, y, colours);
      brush.strokeStyle = colours.text;
      brush.lineWidth = 2.4;
      drawLine(brush, logS, own, x, y);
    });
    drawAxes(brush, frame, colours,
      { scale: x, ticks: decades(logS[0]!, logS.at(-1)!), text: duration, label: isAcg ? "lag" : "interval" },
      { scale: y, ticks: niceTicks(0, high, Math.max(2, Math.floor(frame.height / 36))), text: isAcg ? plain : (v) => plain(100 * v),
        label: isAcg ? "× mean rate" : "% of intervals" });
  }
}

/** Of the finite values; 0 where there is none. */
export function quantile(values: readonly number[], share: number): number {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  return known[Math.min(known.length - 1, Math.floor(share * known.length))] ?? 0;
}
