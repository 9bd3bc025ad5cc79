// Masks of volumes: how large a neuron's mask is in every volume, and how sure; outlines are in the view of tracks.
import type { View } from "../../view.ts";
import type { DetailProps } from "./frame.tsx";
import { Facts, plainView } from "./frame.tsx";

const WIDTH = 640, HEIGHT = 150;

function Masks(props: DetailProps) {
  const { rows, facts } = props;
  if (rows.n === 0) return <p>This neuron has no mask any more.</p>;
  const frames = rows.numbers("frame");
  const sizes = Array.from(rows.values("pixels"), (pixels) => (pixels as ArrayLike<number>).length);
  const sure = rows.has("confidence") ? rows.numbers("confidence") : null;
  const n = Math.max(Number(facts.context.n_frames ?? 0), Math.max(...Array.from(frames)) + 1);
  const most = Math.max(...sizes), wide = WIDTH / n;
  return (
    <>
      <figure class="wide">
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label="Voxels of the mask in every volume" class="mask-sizes">
          {sizes.map((size, row) => {
            const tall = (size / most) * (HEIGHT - 4);
            const p = sure?.[row];
            const volume = frames[row]!;
            return (
              <rect key={volume} x={volume * wide} y={HEIGHT - tall} width={Math.max(wide * 0.9, 0.5)} height={tall} fill="currentColor"
                opacity={p !== undefined && Number.isFinite(p) ? 0.25 + 0.75 * p : 0.6}>
                <title>{`Volume ${volume}: ${size} voxels${p !== undefined && Number.isFinite(p) ? `, ${Math.round(100 * p)} % sure` : ""}`}</title>
              </rect>
            );
          })}
        </svg>
        <figcaption>Voxels in every volume, up to {most}; the paler, the less sure. Outlines are in the view of tracks of this movie.</figcaption>
      </figure>
      <Facts {...props} />
    </>
  );
}

export const create = (): View => plainView(Masks);
