"""Traces and true rates on another frame rate.

A trace is taken as the straight line between its frames; a new frame is the mean of that line over
its own time, as a slower scan would have collected its photons. So noise keeps its level per
sqrt(Hz), and nothing is aliased.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]


def edges_of(times_s: Values, rate_hz: float) -> Values:
    """Edges of the whole frames of a rate between the first and the last time, seconds."""
    n = int((times_s[-1] - times_s[0]) * rate_hz + 1e-9)
    return np.asarray(times_s[0] + np.arange(n + 1) / rate_hz)


def averaged(times_s: Values, values: Values, edges_s: Values) -> Values:
    """Means of a trace between edges.

    Parameters
    ----------
    times_s : ndarray, shape (n,), float64, seconds
        Middle of each frame; repeated and decreasing times are left out.
    values : ndarray, shape (n,), float64
    edges_s : ndarray, shape (m + 1,), float64, seconds
        Within the times.

    Returns
    -------
    ndarray, shape (m,), float64
    """
    later = np.concatenate([[True], times_s[1:] > np.maximum.accumulate(times_s)[:-1]])
    t, x = times_s[later], values[later]
    if t.size < 2:
        raise BadArgumentError(
            "a trace of two frames or more", f"{t.size}", "Give times in seconds, rising."
        )
    area = np.concatenate([[0.0], np.cumsum(0.5 * (x[1:] + x[:-1]) * np.diff(t))])
    k = np.clip(np.searchsorted(t, edges_s, side="right") - 1, 0, t.size - 2)
    since = edges_s - t[k]
    slope = (x[k + 1] - x[k]) / (t[k + 1] - t[k])
    up_to = area[k] + x[k] * since + 0.5 * slope * since**2
    return np.asarray(np.diff(up_to) / np.diff(edges_s))


def at_rate(values: Values, rate_hz: float, target_hz: float) -> Values:
    """A regular trace on the whole frames of another rate that lie within it."""
    n = max(int(values.size * target_hz / rate_hz + 1e-9), 1)
    times = np.asarray((np.arange(-1, values.size + 1) + 0.5) / rate_hz, np.float64)
    edges = np.asarray(np.arange(n + 1) / target_hz, np.float64)
    held = np.concatenate([values[:1], values, values[-1:]])
    return averaged(times, held, edges)


def back(values: Values, rate_hz: float, target_hz: float, n: int) -> Values:
    """A rate at `rate_hz` on the `n` frames of a recording at `target_hz`."""
    frames = (np.arange(n) + 0.5) / target_hz
    return np.asarray(np.interp(frames, (np.arange(values.size) + 0.5) / rate_hz, values))


def true_rate(spikes_s: Values, edges_s: Values, sigma_s: float) -> Values:
    """Spikes per second of a spike train, smoothed by a Gaussian.

    Parameters
    ----------
    spikes_s : ndarray, float64, seconds
    edges_s : ndarray, shape (n + 1,), float64, seconds
        Of frames of equal length.
    sigma_s : float

    Returns
    -------
    ndarray, shape (n,), float64
    """
    from scipy.ndimage import gaussian_filter1d

    frame_s = float(edges_s[1] - edges_s[0])
    counts = np.histogram(spikes_s, edges_s)[0] / frame_s
    return np.asarray(gaussian_filter1d(counts, sigma_s / frame_s))


__all__ = ["at_rate", "averaged", "back", "edges_of", "true_rate"]
