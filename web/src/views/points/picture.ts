// Channels in grey steps as one picture: one channel in grey, two in magenta and green.
import type { Cut } from "./store.ts";

export type Shown = "both" | 0 | 1;

/** Brightness of each channel: what its greatest value is multiplied with. */
export type Gains = readonly [number, number];

export function compose({ data, shape }: Cut, shown: Shown, gains: Gains, size: ImageData | null = null): ImageData {
  const [channels, rows, columns] = shape;
  const n = rows * columns;
  const image = size ?? new ImageData(columns, rows);
  const out = new Uint32Array(image.data.buffer);
  if (channels < 2 || shown !== "both") {
    const channel = channels < 2 || shown === "both" ? 0 : shown;
    const grey = steps(gains[channel]), offset = channel * n;
    for (let i = 0; i < n; i++) {
      const value = grey[data[offset + i]!]!;
      out[i] = OPAQUE | (value << 16) | (value << 8) | value;
    }
    return image;
  }
  const first = steps(gains[0]), second = steps(gains[1]);
  for (let i = 0; i < n; i++) {
    const a = first[data[i]!]!;
    out[i] = OPAQUE | (a << 16) | (second[data[n + i]!]! << 8) | a;
  }
  return image;
}

const OPAQUE = 0xff000000;

function steps(gain: number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, step) => Math.min(255, Math.max(0, Math.round((step - 1) * gain))));
}
