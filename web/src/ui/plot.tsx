// uPlot in Preact: made once, repainted when data, size or theme change.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { cssColour, theme } from "../theme.ts";

type Options = Omit<uPlot.Options, "width" | "height">;

/** `options` is called anew when the theme changes, so that it can read the palette's colours. */
export function Plot({ options, data, label, height = 190 }: {
  options: () => Options; data: uPlot.AlignedData; label: string; height?: number;
}) {
  const root = useRef<HTMLDivElement>(null);
  const now = theme.value;
  useEffect(() => {
    const host = root.current!;
    const made = new uPlot({ ...options(), width: Math.max(120, host.clientWidth), height }, data, host);
    const observer = new ResizeObserver(() => made.setSize({ width: Math.max(120, host.clientWidth), height }));
    observer.observe(host);
    return () => { observer.disconnect(); made.destroy(); };
  }, [now, data, options, height]);
  return <div class="plot" ref={root} role="img" aria-label={label} />;
}

/** Axes in the palette's colours, with their titles. */
export function axes(x: string, y: string): uPlot.Axis[] {
  const common = { stroke: cssColour("--muted"), grid: { stroke: cssColour("--line"), width: 1 }, ticks: { stroke: cssColour("--line") }, font: "11px system-ui" };
  return [{ ...common, label: x, labelSize: 18, size: 34 }, { ...common, label: y, labelSize: 18, size: 46 }];
}
