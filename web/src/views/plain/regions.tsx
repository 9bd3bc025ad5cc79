// REGIONS: the pixels of a region on its grid.
import { useCallback, useMemo } from "preact/hooks";
import type { View } from "../../view.ts";
import { Canvas } from "./canvas.tsx";
import type { DetailProps } from "./frame.tsx";
import { Facts, plainView } from "./frame.tsx";
import { pixelPlaces, widthOf } from "./grid.ts";
import { drawDots } from "./picture.ts";

function Regions(props: DetailProps) {
  const { rows, entry, facts } = props;
  const pixels = useMemo(() => Array.from({ length: rows.n }, (_, i) => (rows.values("pixels")[i] ?? []) as number[]).flat(), [rows]);
  const weights = useMemo(() => {
    const all = Array.from({ length: rows.n }, (_, i) => rows.values("weights")[i] as number[] | null);
    return all.every((one) => one) ? (all as number[][]).flat() : undefined;
  }, [rows]);
  const width = widthOf(facts.context);
  const places = useMemo(() => pixelPlaces(pixels, width ?? 0), [pixels, width]);
  const paint = useCallback((canvas: HTMLCanvasElement) => drawDots(canvas, { ...places, pixels: true, marked: -1, ...(weights ? { weights } : {}) }), [places, weights]);
  if (rows.n === 0) return <p>This region has no pixels any more.</p>;
  return (
    <>
      {width === null
        ? <p>{pixels.length} pixels. The label set does not say how wide its image is (item table, context: <code>grid</code>), so they cannot be drawn.</p>
        : <figure class="wide"><Canvas paint={paint} label={`${pixels.length} pixels of region ${entry.item}`} /><figcaption>{pixels.length} pixels; y grows downward.</figcaption></figure>}
      <Facts {...props} />
    </>
  );
}

export const create = (): View => plainView(Regions);
