// A reliability diagram: how often the method was right where it said so much.
import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import { cssColour } from "../theme.ts";
import { axes, Plot } from "../ui/plot.tsx";

export interface Bin {
  n: number;
  /** Mean confidence of its items. */
  confidence: number;
  accuracy: { estimate: number; low: number | null; high: number | null };
}

export interface Reliability {
  bins: Bin[];
  sentence: string;
}

export function ReliabilityPlot({ given, label }: { given: Reliability; label: string }) {
  const data = useMemo<uPlot.AlignedData>(() => {
    const bins = [...given.bins].sort((a, b) => a.confidence - b.confidence);
    return [bins.map((bin) => bin.confidence), bins.map((bin) => bin.accuracy.estimate), bins.map((bin) => bin.accuracy.low), bins.map((bin) => bin.accuracy.high)];
  }, [given]);
  const options = useMemo(() => () => reliabilityOptions(), []);
  return (
    <>
      <Plot options={options} data={data} label={label} height={240} />
      <p class="muted">{given.sentence}</p>
    </>
  );
}

function reliabilityOptions(): Omit<uPlot.Options, "width" | "height"> {
  const hidden = { paths: () => null, points: { show: false } };
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1] } },
    axes: axes("confidence", "right"),
    series: [{}, { stroke: cssColour("--series-1"), width: 1.5, points: { show: true, size: 7, fill: cssColour("--series-1") } }, hidden, hidden],
    hooks: { drawAxes: [diagonal], draw: [bars] },
  };
}

function diagonal(plot: uPlot): void {
  const { ctx } = plot;
  ctx.save();
  ctx.strokeStyle = cssColour("--strong");
  ctx.setLineDash([5, 5]);
  ctx.beginPath();
  ctx.moveTo(plot.valToPos(0, "x", true), plot.valToPos(0, "y", true));
  ctx.lineTo(plot.valToPos(1, "x", true), plot.valToPos(1, "y", true));
  ctx.stroke();
  ctx.restore();
}

/** Intervals of the bins. */
function bars(plot: uPlot): void {
  const { ctx, data } = plot;
  ctx.save();
  ctx.strokeStyle = cssColour("--series-1");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  data[0].forEach((confidence, i) => {
    const low = data[2]![i], high = data[3]![i];
    if (typeof low !== "number" || typeof high !== "number") return;
    const x = plot.valToPos(confidence, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, plot.valToPos(low, "y", true));
    ctx.lineTo(x, plot.valToPos(high, "y", true));
    ctx.stroke();
  });
  ctx.restore();
}
