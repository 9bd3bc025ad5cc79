// LINKS: two items that are said to be the same; of units with both templates over the contacts.
import { useCallback, useEffect, useState } from "preact/hooks";
import { cssColour } from "../../theme.ts";
import type { NdArray, View } from "../../view.ts";
import { Canvas } from "./canvas.tsx";
import type { DetailProps } from "./frame.tsx";
import { Facts, plainView } from "./frame.tsx";
import { prepare } from "./picture.ts";
import { pairLayout } from "./pair.ts";

const ARRAYS = ["template_a", "template_b", "place_um"];
const FIRST = "--series-1", SECOND = "--series-2";

function Links(props: DetailProps) {
  const { rows, facts } = props;
  if (rows.n === 0) return <p>This link is gone.</p>;
  const waveforms = ARRAYS.every((name) => name in facts.arrays);
  return (
    <>
      {Array.from({ length: rows.n }, (_, row) => (
        <figure class="wide" key={row}>
          <p class="linked"><b>{rows.numbers("a")[row]}</b> in the first set <span aria-hidden="true">⟷</span> <b>{rows.numbers("b")[row]}</b> in the second set</p>
          {waveforms && <Waveforms {...props} />}
          <figcaption>Are they the same? Accept or reject.</figcaption>
        </figure>
      ))}
      <Facts {...props} />
    </>
  );
}

/** Both mean waveforms on the contacts around them, the second as if the probe had not moved. */
function Waveforms({ context, entry }: DetailProps) {
  const [arrays, setArrays] = useState<NdArray[] | null>(null);
  useEffect(() => {
    const control = new AbortController();
    const asked = ARRAYS.map((name) => context.api.array(`desks/${context.desk.key}/arrays/${name}`, { items: entry.item }, control.signal));
    Promise.all(asked).then(setArrays, () => undefined);
    return () => control.abort();
  }, [context, entry.item]);
  const paint = useCallback((canvas: HTMLCanvasElement) => { if (arrays) drawPair(canvas, arrays); }, [arrays]);
  return (
    <>
      <div data-waveforms={arrays ? entry.item : undefined}>
        <Canvas paint={paint} label={`Waveforms of both units of link ${entry.item}`} />
      </div>
      <p class="muted">
        <span style={`color: var(${FIRST})`}>━ first day</span>{" "}
        <span style={`color: var(${SECOND})`}>━ second day, the probe’s movement undone</span>
      </p>
    </>
  );
}

function drawPair(canvas: HTMLCanvasElement, arrays: NdArray[]): void {
  const { brush, width, height } = prepare(canvas);
  const [, samples, channels] = arrays[0]!.shape as [number, number, number];
  const [first, second, places] = arrays.map((array) => Array.from(array.data as ArrayLike<number>));
  const layout = pairLayout(places!, channels, [first!, second!], width, height);
  brush.lineWidth = 1.5;
  [first!, second!].forEach((values, which) => {
    brush.strokeStyle = cssColour(which ? SECOND : FIRST);
    layout.places.forEach(([left, middle], channel) => {
      if (!Number.isFinite(values[channel]!)) return;
      brush.beginPath();
      for (let t = 0; t < samples; t++) {
        const x = left + (t / Math.max(1, samples - 1)) * layout.cell;
        const y = middle - values[t * channels + channel]! * layout.scale;
        if (t) brush.lineTo(x, y);
        else brush.moveTo(x, y);
      }
      brush.stroke();
    });
  });
}

export const create = (): View => plainView(Links);
