"""Looks at a recording: short windows at random places, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock

MAD_TO_SD = 1.4826022185056018  # of a normal distribution
N_LOOKS = 20
LOOK_S = 0.5
_EVERY = 4  # samples; neighbours in time say the same of the noise


def look_intervals(
    clock: Clock, seed: int, *, n: int = N_LOOKS, length_s: float = LOOK_S
) -> list[tuple[int, int]]:
    """Half-open sample intervals spread over a recording, none across a gap.

    Parameters
    ----------
    clock : Clock
    seed : int
    n : int
        Intervals wanted; one is drawn from each n-th part of the recording.
    length_s : float
        Seconds of each; shorter where its segment is.

    Returns
    -------
    list of (start, stop), increasing
    """
    rng = np.random.default_rng(seed)
    length = max(1, round(length_s * clock.rate_hz))
    total = clock.n_samples
    if total <= n * length:
        return [
            (a, min(a + length, stop))
            for start, stop in clock.split(0, total)
            for a in range(start, stop, length)
        ]
    edges = np.linspace(0, total - length, n + 1)
    starts = np.floor(edges[:-1] + rng.random(n) * np.diff(edges)).astype(np.int64)
    pieces = []
    for start in np.maximum.accumulate(starts).tolist():
        parts = list(clock.split(start, start + length))
        pieces.append(max(parts, key=lambda part: part[1] - part[0]))
    return pieces


def read_uv(recording: Any, clock: Clock, start: int, stop: int) -> npt.NDArray[np.float32]:
    """Samples of a preprocessed recording by the signal's own sample index.

    Parameters
    ----------
    recording : spikeinterface.core.BaseRecording
        In uV, with one segment per segment of `clock`.
    clock : Clock
    start, stop : int
        Half-open, within one segment.

    Returns
    -------
    ndarray, shape (stop - start, n_channels), float32, uV
    """
    for index, segment in enumerate(clock.segments):
        if segment.start <= start < segment.stop:
            traces = recording.get_traces(
                segment_index=index,
                start_frame=start - segment.start,
                end_frame=stop - segment.start,
            )
            return np.asarray(traces, dtype=np.float32)
    return np.empty((0, recording.get_num_channels()), np.float32)


def looks(
    recording: Any, clock: Clock, seed: int, **size: Any
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield samples (n, n_channels), uV, of the intervals of `look_intervals`."""
    for start, stop in look_intervals(clock, seed, **size):
        yield read_uv(recording, clock, start, stop)


def noise_uv(recording: Any, clock: Clock, seed: int) -> npt.NDArray[np.float64]:
    """Robust noise of each channel: 1.4826 x the median absolute deviation, median over looks.

    Returns
    -------
    ndarray, shape (n_channels,), float64, uV
    """
    deviations = [
        np.median(np.abs(x[::_EVERY] - np.median(x[::_EVERY], axis=0)), axis=0)
        for x in looks(recording, clock, seed)
        if len(x)
    ]
    return np.asarray(np.median(deviations, axis=0) * MAD_TO_SD, dtype=np.float64)
