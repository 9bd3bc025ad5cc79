// POINTS: a track's places in the image, frame by frame.
import { useCallback, useState } from "preact/hooks";
import type { View } from "../../view.ts";
import { Canvas } from "./canvas.tsx";
import type { DetailProps } from "./frame.tsx";
import { Facts, plainView } from "./frame.tsx";
import { drawDots, short } from "./picture.ts";

const LISTED = 200;

function Points(props: DetailProps) {
  const { rows, entry } = props;
  const [row, setRow] = useState(0);
  const at = Math.min(row, rows.n - 1);
  const x = rows.numbers("x"), y = rows.numbers("y"), frame = rows.numbers("frame");
  const paint = useCallback((canvas: HTMLCanvasElement) => drawDots(canvas, { x, y, marked: at }), [x, y, at]);
  if (rows.n === 0) return <p>This track has no points any more.</p>;
  const first = Math.max(0, Math.min(at - LISTED / 2, rows.n - LISTED));
  return (
    <>
      <figure class="wide">
        <Canvas paint={paint} label={`${rows.n} points of track ${entry.item}`} />
        <label class="row">Point <input type="range" min={0} max={rows.n - 1} value={at} onInput={(event) => setRow(Number(event.currentTarget.value))} /> {at + 1} of {rows.n}, frame {frame[at]}</label>
        <figcaption>Pixels; y grows downward.</figcaption>
      </figure>
      <table>
        <thead><tr><th class="num">frame</th><th class="num">x</th><th class="num">y</th><th>visible</th></tr></thead>
        <tbody>
          {Array.from({ length: Math.min(LISTED, rows.n) }, (_, i) => first + i).map((i) => (
            <tr key={i} aria-current={i === at ? "true" : undefined} onClick={() => setRow(i)}>
              <td class="num">{frame[i]}</td><td class="num">{short(x[i]!)}</td><td class="num">{short(y[i]!)}</td><td>{rows.values("visible")[i] ? "yes" : "no"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Facts {...props} />
    </>
  );
}

export const create = (): View => plainView(Points);
