// Flat C-order pixel indices and the (z, y, x) grid that they count.

/** Width of the grid that an item table's context names (`grid` or `shape`, x last), else null. */
export function widthOf(context: Record<string, unknown>): number | null {
  const shape = context.grid ?? context.shape;
  if (!Array.isArray(shape) || shape.length < 2) return null;
  const width = Number(shape.at(-1));
  return Number.isInteger(width) && width > 0 ? width : null;
}

/** Places of the pixels, planes of a volume side by side in their own rows. */
export function pixelPlaces(pixels: ArrayLike<number>, width: number): { x: number[]; y: number[] } {
  const x: number[] = [], y: number[] = [];
  for (let i = 0; width > 0 && i < pixels.length; i++) {
    x.push(pixels[i]! % width);
    y.push(Math.floor(pixels[i]! / width));
  }
  return { x, y };
}
