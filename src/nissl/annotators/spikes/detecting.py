"""Threshold crossings: whether there are spikes at all, and where along the probe."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.sampling import look_intervals, noise_uv, read_uv
from nissl.clock import Clock
from nissl.errors import BadSamplesError

THRESHOLD = 5.0  # noise standard deviations
MIN_CROSSINGS = 20
EXCESS = 3.0  # times what Gaussian noise alone gives


def troughs(
    x: npt.NDArray[np.float32], noise: npt.NDArray[np.float64], rate_hz: float
) -> npt.NDArray[np.intp]:
    """Samples at which the deepest channel, in noise SDs, has a local minimum below -5.

    Parameters
    ----------
    x : ndarray, shape (n_samples, n_channels), float32, uV
    noise : ndarray, shape (n_channels,), uV
    rate_hz : float

    Returns
    -------
    ndarray of int
        At least 0.5 ms apart: of crossings closer together the deepest stays.
    """
    if not len(x):
        return np.empty(0, np.intp)
    depth = np.min(x / np.where(noise > 0, noise, np.inf), axis=1)
    low = np.flatnonzero(depth < -THRESHOLD)
    if not low.size:
        return low
    group = np.concatenate([[0], np.cumsum(np.diff(low) > 0.0005 * rate_hz)])
    order = np.lexsort((depth[low], group))  # the deepest first within its group
    first = np.searchsorted(group[order], np.arange(group[-1] + 1))
    return np.asarray(low[order[first]], dtype=np.intp)


def require_spikes(recording: Any, clock: Clock, seed: int) -> None:
    """Raise where the filtered samples never leave the noise.

    Looks at a part of the recording first; only where that shows nothing, at all of it.

    Raises
    ------
    BadSamplesError
        Not more crossings of 5 noise standard deviations than noise itself makes.
    """
    noise = noise_uv(recording, clock, seed)
    if np.any(noise > 0) and _crosses(recording, clock, noise, look_intervals(clock, seed)):
        return
    second = max(1, round(clock.rate_hz))
    whole = [
        (a, min(a + second, stop))
        for start, stop in clock.split(0, clock.n_samples)
        for a in range(start, stop, second)
    ]
    if np.any(noise > 0) and _crosses(recording, clock, noise, whole):
        return
    raise BadSamplesError(
        f"spikes: at least {MIN_CROSSINGS} troughs below {THRESHOLD:g} noise standard deviations",
        f"none beyond what noise alone makes, in {clock.duration_s:.1f} s of "
        f"{recording.get_num_channels()} channels",
        "Check that this is the neural stream (--stream), its gain and its band "
        "(freq_min_hz, freq_max_hz).",
    )


def _crosses(
    recording: Any,
    clock: Clock,
    noise: npt.NDArray[np.float64],
    intervals: list[tuple[int, int]],
) -> bool:
    tail = 0.5 * math.erfc(THRESHOLD / math.sqrt(2.0))
    count, looked = 0, 0
    for start, stop in intervals:
        x = read_uv(recording, clock, start, stop)
        count += troughs(x, noise, clock.rate_hz).size
        looked += x.size
    return count >= max(MIN_CROSSINGS, EXCESS * looked * tail)
