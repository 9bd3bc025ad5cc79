"""The loops of `nissl.annotators.cells.summary`, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.run.compiled import compiled


@compiled
def bin_frames(frames: Any, per_bin: int, bins: Any, total: Any, square: Any, count: Any) -> None:
    """Mean of the finite values of each bin, (n_bins, y, x); NaN where there is none.

    `total`, `square` and `count`, (y, x), are added to.
    """
    n, height, width = frames.shape
    one, none = np.float32(1), np.float32(np.nan)
    for b in range(bins.shape[0]):
        last = min((b + 1) * per_bin, n)
        for y in range(height):
            summed = np.zeros(width, np.float64)
            squares = np.zeros(width, np.float64)
            known = np.zeros(width, np.int64)
            for t in range(b * per_bin, last):
                line = frames[t, y]
                for x in range(width):
                    stored = np.float64(line[x])
                    good = stored - stored == 0.0
                    value = stored if good else 0.0
                    summed[x] += value
                    squares[x] += value * value
                    known[x] += good
            for x in range(width):
                total[y, x] += summed[x]
                square[y, x] += squares[x]
                count[y, x] += known[x]
                bins[b, y, x] = np.float32(summed[x] / known[x]) * one if known[x] else none


@compiled
def flatten(bins: Any, level: Any) -> None:
    """Take the mean over time off each pixel; it is put into `level`. NaN become 0."""
    n, height, width = bins.shape
    for y in range(height):
        total = np.zeros(width, np.float64)
        known = np.zeros(width, np.int64)
        for t in range(n):
            for x in range(width):
                value = bins[t, y, x]
                good = value == value
                total[x] += value if good else np.float32(0)
                known[x] += good
        for x in range(width):
            level[y, x] = np.float32(total[x] / known[x]) if known[x] else np.float32(0)
        for t in range(n):
            for x in range(width):
                value = bins[t, y, x]
                bins[t, y, x] = value - level[y, x] if value == value else np.float32(0)


@compiled
def smooth_all(images: Any, out: Any) -> None:
    """Binomial smoothing over 5 x 5 pixels (standard deviation 1), edges repeated."""
    n, height, width = images.shape
    six, four, part = np.float32(6), np.float32(4), np.float32(1 / 256)
    line = np.empty(width + 4, np.float32)
    for t in range(n):
        for y in range(height):
            a, b = images[t, max(y - 2, 0)], images[t, max(y - 1, 0)]
            c = images[t, y]
            d, e = images[t, min(y + 1, height - 1)], images[t, min(y + 2, height - 1)]
            for x in range(width):
                line[x + 2] = (a[x] + e[x]) + four * (b[x] + d[x]) + six * c[x]
            line[0] = line[1] = line[2]
            line[width + 2] = line[width + 3] = line[width + 1]
            for x in range(width):
                out[t, y, x] = part * (
                    (line[x] + line[x + 4]) + four * (line[x + 1] + line[x + 3]) + six * line[x + 2]
                )


@compiled
def add_products(bins: Any, ring: Any, own: Any, products: Any) -> None:
    """Add squares to `own`, (y, x), and products with neighbours to `products`, (n, y, x)."""
    n, height, width = bins.shape
    for t in range(n):
        for y in range(height):
            line = bins[t, y]
            for x in range(width):
                own[y, x] += line[x] * line[x]
            for k in range(ring.shape[0]):
                dy, dx = ring[k, 0], ring[k, 1]
                if y + dy < height:
                    other, sums = bins[t, y + dy], products[k, y]
                    first, last = max(-dx, 0), min(width, width - dx)
                    for x in range(first, last):
                        sums[x] += line[x] * other[x + dx]


__all__ = ["add_products", "bin_frames", "flatten", "smooth_all"]
