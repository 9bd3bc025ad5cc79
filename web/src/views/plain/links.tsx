// LINKS: two items that are said to be the same.
import type { View } from "../../view.ts";
import type { DetailProps } from "./frame.tsx";
import { Facts, plainView } from "./frame.tsx";

function Links(props: DetailProps) {
  const { rows } = props;
  if (rows.n === 0) return <p>This link is gone.</p>;
  return (
    <>
      {Array.from({ length: rows.n }, (_, row) => (
        <figure class="wide" key={row}>
          <p class="linked"><b>{rows.numbers("a")[row]}</b> in the first set <span aria-hidden="true">⟷</span> <b>{rows.numbers("b")[row]}</b> in the second set</p>
          <figcaption>Are they the same? Accept or reject.</figcaption>
        </figure>
      ))}
      <Facts {...props} />
    </>
  );
}

export const create = (): View => plainView(Links);
