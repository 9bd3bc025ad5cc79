// Correlograms and the rate over time, drawn by uPlot.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { cssColour } from "../../theme.ts";
import type { NdArray } from "../../view.ts";
import { element, panel } from "./dom.ts";

const REFRACTORY_MS = 1.5;
const AXIS = "11px system-ui, sans-serif";

function axes(): uPlot.Axis[] {
  const common: uPlot.Axis = {
    stroke: () => cssColour("--muted"), font: AXIS, grid: { show: false },
    ticks: { stroke: () => cssColour("--line"), width: 1, size: 4 },
  };
  return [{ ...common, size: 22 }, { ...common, size: 38, splits: (_u, _axis, low, high) => [low, high],
    values: (_u, splits) => splits.map((value) => String(Number(value.toPrecision(3)))) }];
}

function bars(colour: string): uPlot.Series {
  return {
    paths: uPlot.paths.bars!({ size: [1, Infinity], gap: 0 }),
    stroke: () => cssColour(colour), fill: () => cssColour(colour), width: 0, points: { show: false },
  };
}

/** Dashed lines at the refractory period, so that violations are seen. */
function refractoryLines(plot: uPlot): void {
  const { ctx } = plot;
  const { top, height } = plot.bbox;
  ctx.save();
  ctx.strokeStyle = cssColour("--bad");
  ctx.setLineDash([4, 3]);
  ctx.lineWidth = devicePixelRatio || 1;
  for (const at of [-REFRACTORY_MS, REFRACTORY_MS]) {
    const x = plot.valToPos(at, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
  }
  ctx.restore();
}

class Plot {
  readonly root: HTMLElement;
  private readonly label: HTMLElement;
  private readonly host: HTMLElement;
  private readonly observer: ResizeObserver;
  private readonly plot: uPlot;

  constructor(series: uPlot.Series, lines: boolean) {
    this.label = element("p", { class: "unit-plot-label" });
    this.host = element("div", { class: "unit-plot", role: "img" });
    this.root = element("div", { class: "unit-plot-box" }, this.label, this.host);
    this.plot = new uPlot({
      width: 200, height: 80, padding: [8, 8, 0, 0], legend: { show: false }, cursor: { show: false }, axes: axes(),
      scales: { x: { time: false }, y: { range: (_u, _low, high) => [0, high > 0 ? high : 1] } },
      series: [{}, series],
      hooks: lines ? { draw: [refractoryLines] } : {},
    }, [[], []], this.host);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(this.host);
  }

  paint(x: number[], y: number[], text: string): void {
    this.label.textContent = text;
    this.host.setAttribute("aria-label", text);
    this.plot.setData([x, y]);
  }

  show(visible: boolean): void {
    this.root.hidden = !visible;
  }

  repaint(): void {
    this.plot.redraw(false, true);
  }

  destroy(): void {
    this.observer.disconnect();
    this.plot.destroy();
  }

  private fit(): void {
    const { clientWidth, clientHeight } = this.host;
    if (clientWidth && clientHeight) this.plot.setSize({ width: clientWidth, height: clientHeight });
  }
}

export class CorrelogramsPanel {
  readonly root: HTMLElement;
  private readonly own = new Plot(bars("--series-1"), true);
  private readonly cross = new Plot(bars("--text"), true);
  private readonly other = new Plot(bars("--series-2"), true);

  constructor() {
    const { root, head, body } = panel("corr", "Correlograms");
    head.append(element("span", { class: "muted" }, "dashed: ±1.5 ms"));
    this.root = root;
    body.append(this.own.root, this.cross.root, this.other.root);
  }

  paint(correlograms: NdArray, item: number, beside: number | null): void {
    const [n = 0, , nBins = 0] = correlograms.shape;
    const { window_ms = 50, bin_ms = 1 } = correlograms.meta as { window_ms?: number; bin_ms?: number };
    const lags = Array.from({ length: nBins }, (_, k) => -window_ms + k * bin_ms);
    const at = (a: number, b: number) =>
      Array.from((correlograms.data as Float32Array).subarray((a * n + b) * nBins, (a * n + b + 1) * nBins));
    this.own.paint(lags, at(0, 0), `Unit ${item} with itself, Hz against ms`);
    for (const plot of [this.cross, this.other]) plot.show(beside !== null);
    if (beside === null) return;
    this.cross.paint(lags, at(0, 1), `Unit ${beside} around unit ${item}`);
    this.other.paint(lags, at(1, 1), `Unit ${beside} with itself`);
  }

  repaint(): void {
    for (const plot of [this.own, this.cross, this.other]) plot.repaint();
  }

  destroy(): void {
    for (const plot of [this.own, this.cross, this.other]) plot.destroy();
  }
}

export class RatePanel {
  readonly root: HTMLElement;
  private readonly plot = new Plot({
    paths: uPlot.paths.stepped!({ align: 1 }), stroke: () => cssColour("--series-1"), width: 1.5, points: { show: false },
  }, false);

  constructor() {
    const { root, body } = panel("rate", "Firing rate over time");
    this.root = root;
    body.append(this.plot.root);
  }

  paint(rate: NdArray): void {
    const { bin_s = 1 } = rate.meta as { bin_s?: number };
    const values = Array.from(rate.data as Float32Array);
    // the last bin is drawn to its end
    const y = [...values, values.at(-1) ?? 0];
    this.plot.paint(y.map((_, k) => k * bin_s), y, `Hz against seconds, in bins of ${Number(bin_s.toPrecision(3))} s`);
  }

  repaint(): void {
    this.plot.repaint();
  }

  destroy(): void {
    this.plot.destroy();
  }
}
