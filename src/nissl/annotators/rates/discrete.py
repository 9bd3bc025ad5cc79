"""Single spikes from a rate, where the interval says that there were any.

A stretch in which the rate stays above a part of what one smoothed spike reaches holds as many
spikes as its area rounds to; they stand where the area passes a half, one and a half, and so on. A
stretch whose lower end of the interval never leaves zero may be silence, and gives none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PART = 0.1
"""Part of the peak of one smoothed spike from which a stretch begins."""


def discrete(
    rate: Values, low: Values, rate_hz: float, sigma_s: float
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """Spikes of a rate.

    Parameters
    ----------
    rate, low : ndarray, shape (n_frames,), float64, spikes/s
        The rate, and the lower end of its interval; NaN where there is none.
    rate_hz : float
        Frames per second.
    sigma_s : float
        Of the Gaussian that smooths the rate.

    Returns
    -------
    ndarray, shape (n_spikes,), int64
        Frame of each spike, increasing.
    ndarray, shape (n_spikes,), float32
        Area of its stretch for each of its spikes: 1 where they fit exactly.
    """
    one = 1 / max(sigma_s * np.sqrt(2 * np.pi), 1 / rate_hz)
    active = np.concatenate([[False], rate > PART * one, [False]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(active))
    frames: list[Values] = []
    sizes: list[Values] = []
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        area = np.cumsum(rate[first:stop]) / rate_hz
        n = round(float(area[-1]))
        if n and np.any(low[first:stop] > 0):
            share = float(area[-1]) / n
            frames.append(first + np.searchsorted(area, (np.arange(n) + 0.5) * share))
            sizes.append(np.full(n, share))
    if not frames:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    return np.concatenate(frames).astype(np.int64), np.concatenate(sizes).astype(np.float32)


__all__ = ["discrete"]
