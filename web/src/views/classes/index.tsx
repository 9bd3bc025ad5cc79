// CLASSES: a card of what is known of an item, its pictures, and the items most alike.
import { useCallback, useEffect, useState } from "preact/hooks";
import type { NdArray, View } from "../../view.ts";
import { Canvas } from "../plain/canvas.tsx";
import type { DetailProps } from "../plain/frame.tsx";
import { Facts, plainView } from "../plain/frame.tsx";
import { drawArray } from "../plain/picture.ts";

interface Neighbour {
  item: number;
  distance: number;
  label: string | null;
  state: string;
}

const MOST_NUMBERS = 2_000_000;

function Card(props: DetailProps) {
  const { facts } = props;
  const names = Object.keys(facts.arrays).filter((name) => {
    const shape = facts.arrays[name]!;
    return shape.length >= 1 && shape.length <= 3 && shape.reduce((a, b) => a * b, 1) <= MOST_NUMBERS;
  });
  return (
    <>
      {names.map((name) => <Picture key={name} {...props} name={name} />)}
      <Facts {...props} />
      <Neighbours {...props} />
    </>
  );
}

function Picture({ context, entry, facts, name }: DetailProps & { name: string }) {
  const [array, setArray] = useState<NdArray | null>(null);
  useEffect(() => {
    const control = new AbortController();
    context.api.array(`desks/${context.desk.key}/arrays/${encodeURIComponent(name)}`, { items: entry.item }, control.signal)
      .then(setArray, () => undefined);
    return () => control.abort();
  }, [context, entry.item, name]);
  const paint = useCallback((canvas: HTMLCanvasElement) => { if (array) drawArray(canvas, array); }, [array]);
  const shape = facts.arrays[name]!;
  return (
    <figure class="small">
      <Canvas paint={paint} label={`${name} of item ${entry.item}`} />
      <figcaption>{name.replaceAll("_", " ")} ({shape.join(" × ")}) {facts.units[name]}</figcaption>
    </figure>
  );
}

function Neighbours({ context, entry }: DetailProps) {
  const [found, setFound] = useState<Neighbour[]>([]);
  useEffect(() => {
    const control = new AbortController();
    context.api.json<{ neighbours: Neighbour[] }>(`desks/${context.desk.key}/items/${entry.item}/neighbours`, {}, control.signal)
      .then((answer) => setFound(answer.neighbours), () => undefined);
    return () => control.abort();
  }, [context, entry.item]);
  if (!found.length) return null;
  return (
    <figure>
      <table>
        <thead><tr><th>Most alike</th><th>Class</th><th /><th class="num">Distance</th></tr></thead>
        <tbody>
          {found.map((one) => (
            <tr key={one.item}>
              <td><button class="quiet" onClick={() => context.goto(one.item)}>{one.item}</button></td>
              <td>{one.label ?? "–"}</td><td class="muted">{one.state}</td><td class="num">{one.distance.toFixed(2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <figcaption>Distance: root mean square over the facts, in their robust spread.</figcaption>
    </figure>
  );
}

export const create = (): View => plainView(Card);
