"""Stretches that stand out in a band: where a detector that learns looks closer.

A candidate is cheap and generous: the smoothed envelope of the band exceeds a low multiple of its
usual value nearby. Whether it is an event is for a model of its features to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.events.waves import (
    WORK_HZ,
    Values,
    around_peaks,
    band,
    envelope,
    level,
    smooth,
)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Search:
    """Where candidates are looked for.

    Parameters
    ----------
    low_hz, high_hz : float
        Band.
    shortest_s, longest_s : float
    over : float
        Times the usual envelope nearby that a candidate reaches.
    edge : float
        A candidate lasts while the envelope is at least this share of its peak.
    """

    low_hz: float
    high_hz: float
    shortest_s: float
    longest_s: float
    over: float = 1.6
    edge: float = 0.5


SIGMA = Search(11.0, 16.0, 0.3, 3.0)
EVERYTHING = (
    Search(0.5, 4.0, 0.3, 4.0, 2.0),
    Search(4.0, 8.0, 0.3, 4.0, 2.0),
    Search(8.0, 12.0, 0.3, 4.0, 2.0),
    SIGMA,
    Search(16.0, 30.0, 0.1, 2.0, 2.0),
    Search(30.0, 44.0, 0.05, 2.0, 2.5),
)
"""For a learner that knows nothing yet."""


def candidates(x: Values, search: Search) -> tuple[Ints, Ints]:
    """Candidates of one channel.

    Parameters
    ----------
    x : ndarray, shape (n_samples,), float64
        At `WORK_HZ`.
    search : Search

    Returns
    -------
    start, stop : ndarray, shape (n,), int64
        Samples at `WORK_HZ`, half-open.
    """
    if len(x) < 2 * WORK_HZ:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    y = band(x, WORK_HZ, search.low_hz, search.high_hz)
    window = min(0.2, max(0.05, 1.0 / search.low_hz))
    env = smooth(envelope(y), int(window * WORK_HZ))
    usual = np.maximum(level(env, int(10 * WORK_HZ)), 1e-9)
    ratio = env / usual
    start, stop = around_peaks(env, ratio > 1.0, search.edge, int(search.shortest_s * WORK_HZ))
    peak = np.array([ratio[a:b].max() for a, b in zip(start, stop, strict=True)])
    keep = (peak >= search.over) if peak.size else np.zeros(0, bool)
    keep &= stop - start <= search.longest_s * WORK_HZ
    return start[keep], stop[keep]


def without_doubles(
    start: Ints, stop: Ints, score: Values, most: float = 0.3
) -> npt.NDArray[np.intp]:
    """Indices of spans, the best first kept, that overlap a better one by IoU at most `most`."""
    order = np.argsort(-score, kind="stable")
    by_start = np.argsort(start, kind="stable")
    longest = int((stop - start).max()) if start.size else 0
    begun = start[by_start]
    alive = np.ones(start.size, bool)
    for k in order.tolist():
        if not alive[k]:
            continue
        low, high = np.searchsorted(begun, [start[k] - longest, stop[k]])
        near = by_start[low:high]
        shared = np.minimum(stop[near], stop[k]) - np.maximum(start[near], start[k])
        union = (stop[near] - start[near]) + (stop[k] - start[k]) - shared
        worse = near[(shared > most * union) & (near != k)]
        alive[worse] = False
    return np.flatnonzero(alive)
