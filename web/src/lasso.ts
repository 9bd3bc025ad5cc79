// Which points lie inside a polygon drawn by hand.

/** Even-odd rule; `polygon` is x0, y0, x1, y1, ... and closes by itself. */
export function inside(polygon: readonly number[], x: number, y: number): boolean {
  let within = false;
  const n = polygon.length;
  for (let i = 0, j = n - 2; i < n; j = i, i += 2) {
    const xi = polygon[i]!, yi = polygon[i + 1]!, xj = polygon[j]!, yj = polygon[j + 1]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

/** Indices of the points inside, ascending. A polygon of fewer than three corners holds none. */
export function selectInside(polygon: readonly number[], x: ArrayLike<number>, y: ArrayLike<number>): number[] {
  if (polygon.length < 6) return [];
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (let i = 0; i < polygon.length; i += 2) {
    left = Math.min(left, polygon[i]!);
    right = Math.max(right, polygon[i]!);
    low = Math.min(low, polygon[i + 1]!);
    high = Math.max(high, polygon[i + 1]!);
  }
  const found: number[] = [];
  for (let i = 0; i < x.length; i++) {
    const px = x[i]!, py = y[i]!;
    if (px >= left && px <= right && py >= low && py <= high && inside(polygon, px, py)) found.push(i);
  }
  return found;
}
