"""Whether spikes along a line make one heap or two.

The statistic is the log likelihood ratio of a histogram against its best unimodal fit
(increasing up to a mode, decreasing after it; the idea of isosplit, Magland and Barnett 2015,
arXiv:1508.04841). Bins are parts of the noise's own standard deviation, which is known to be 1.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

BIN_SD = 0.5
WIDE = 0.4
"""Bins are at least this part of the mean spread of the two: long clusters need wider ones."""
TRIM = 3
"""So many values at either end are single outliers, which make no heap."""


def two_heaps(one: Values, other: Values, bin_width: float = BIN_SD) -> float:
    """Log likelihood ratio of two sets' histogram over its best unimodal fit.

    Parameters
    ----------
    one, other : ndarray, shape (n,), noise SDs
        Values along a line.
    bin_width : float
        Least width of bins, noise SDs.

    Returns
    -------
    float
        0 where the histogram is unimodal, or where there are hardly any values.

    Notes
    -----
    Of 500 values of one Gaussian, fewer than 1 in 100 exceed 4.
    """
    first, second = (np.ascontiguousarray(values, dtype=np.float64) for values in (one, other))
    return float(ratio_of(first, second, bin_width))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def ratio_of(one: Values, other: Values, bin_width: float) -> float:
    """`two_heaps`, for compiled code."""
    values = np.sort(np.concatenate((one, other)))
    if values.size < 2 * TRIM + 2 or one.size == 0 or other.size == 0:
        return 0.0
    low, high = values[TRIM - 1], values[-TRIM]
    width = max(bin_width, WIDE * 0.5 * (np.std(one) + np.std(other)))
    n_bins = int(min(max((high - low) / width, 4), 400))
    high = max(high, low + width)
    counts = np.zeros(n_bins)
    for value in values:
        if low <= value <= high:
            counts[min(int((value - low) / (high - low) * n_bins), n_bins - 1)] += 1
    return float(_ratio(counts))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _ratio(counts: Values) -> float:
    n = counts.size
    best = np.inf
    for mode in range(n):
        up = _increasing(counts[: mode + 1])
        down = _increasing(counts[mode:][::-1])[::-1]
        # the mode belongs to both sides; the larger fit of the two keeps the whole unimodal
        fit = np.concatenate((up[:-1], np.array([max(up[-1], down[0])]), down[1:]))
        scale = counts.sum() / max(fit.sum(), 1e-12)
        total = 0.0
        for i in range(n):
            if counts[i] > 0:
                total += counts[i] * np.log(counts[i] / max(fit[i] * scale, 1e-12))
        best = min(best, total)
    return max(best, 0.0)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _increasing(counts: Values) -> Values:
    """Pool adjacent violators."""
    level = np.empty(counts.size)
    weight = np.empty(counts.size)
    m = 0
    for value in counts:
        level[m], weight[m] = value, 1.0
        m += 1
        while m > 1 and level[m - 2] > level[m - 1]:
            total = weight[m - 2] + weight[m - 1]
            level[m - 2] = (level[m - 2] * weight[m - 2] + level[m - 1] * weight[m - 1]) / total
            weight[m - 2] = total
            m -= 1
    out = np.empty(counts.size)
    i = 0
    for k in range(m):
        for _ in range(int(weight[k])):
            out[i] = level[k]
            i += 1
    return out
