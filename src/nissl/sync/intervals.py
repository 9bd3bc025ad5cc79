"""Samples and seconds of events and spans, exact at the gaps of a clock.

A span's stop is the end of its last sample, which belongs to that sample's segment; a time
within a gap has no sample. `Clock.to_samples` gives the nearer edge for any time; these
functions say instead what lies in a gap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.sync.clockmap import Times
from nissl.sync.pulses import Indices

Mask = npt.NDArray[np.bool_]


def event_samples(clock: Clock, times_s: npt.ArrayLike) -> tuple[Indices, Mask]:
    """Nearest samples of times, and whether each time was recorded.

    Parameters
    ----------
    clock : Clock
    times_s : array-like, shape (n,), seconds

    Returns
    -------
    samples : ndarray, shape (n,), int64
        Meaningless where not recorded.
    recorded : ndarray, shape (n,), bool
        False before the first sample, within a gap and after the last sample.
    """
    t = np.asarray(times_s, dtype=np.float64)
    samples, which, stops = _at(clock, t, side="right")
    early = (samples >= stops[which]) & (which < stops.size - 1)
    following = np.minimum(which + 1, stops.size - 1)
    t0 = np.asarray([s.t0_s for s in clock.segments])
    snaps = early & (t >= t0[following] - 0.5 / clock.rate_hz)
    samples = np.where(snaps, stops[which], samples)
    recorded = (samples >= 0) & ((samples < stops[which]) | snaps)
    return samples, recorded


def span_samples(
    clock: Clock, start_s: npt.ArrayLike, stop_s: npt.ArrayLike
) -> tuple[Indices, Indices]:
    """Half-open samples ``[start, stop)`` of spans of time.

    A start within a gap gives the first sample after it, a stop within a gap the end of the
    segment before it; a span that lies in a gap comes out empty (``stop <= start``). Nothing
    is clipped to the ends of the recording.

    Parameters
    ----------
    clock : Clock
    start_s, stop_s : array-like, shape (n,), seconds
    """
    start, which, stops = _at(clock, np.asarray(start_s, dtype=np.float64), side="right")
    last = stops.size - 1
    start = np.where(which < last, np.minimum(start, stops[which]), start)
    stop, which, _ = _at(clock, np.asarray(stop_s, dtype=np.float64), side="left")
    stop = np.where(which < last, np.minimum(stop, stops[which]), stop)
    return start, stop


def span_seconds(clock: Clock, start: npt.ArrayLike, stop: npt.ArrayLike) -> tuple[Times, Times]:
    """Seconds at which spans of samples start and end (the end of their last sample).

    Parameters
    ----------
    clock : Clock
    start, stop : array-like, shape (n,), int
        Half-open, ``stop > start``.
    """
    first = np.asarray([s.start for s in clock.segments])
    t0 = np.asarray([s.t0_s for s in clock.segments])
    rate = np.asarray([s.rate_hz for s in clock.segments])
    end = np.asarray(stop, dtype=np.int64)
    which = np.clip(np.searchsorted(first, end - 1, side="right") - 1, 0, first.size - 1)
    return clock.to_seconds(start), np.asarray(t0[which] + (end - first[which]) / rate[which])


def _at(clock: Clock, t: Times, *, side: str) -> tuple[Indices, npt.NDArray[np.intp], Indices]:
    """Nearest samples on the segment that each time follows, its index, all segments' stops."""
    first = np.asarray([s.start for s in clock.segments])
    t0 = np.asarray([s.t0_s for s in clock.segments])
    rate = np.asarray([s.rate_hz for s in clock.segments])
    stops = np.asarray([s.stop for s in clock.segments], dtype=np.int64)
    place = np.searchsorted(t0, t, side="right" if side == "right" else "left")
    which = np.clip(place - 1, 0, first.size - 1)
    samples = np.rint(first[which] + (t - t0[which]) * rate[which]).astype(np.int64)
    return samples, which, stops
