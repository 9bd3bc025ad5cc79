"""Peaks of the recording, with their places: what the motion of the tissue is estimated from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from nissl.annotators.spikes.heights import heights
from nissl.annotators.spikes.own.finding.detection import crossings
from nissl.annotators.spikes.own.motion.estimate import Motion, estimate_motion
from nissl.annotators.spikes.own.motion.localising import localise, neighbours
from nissl.annotators.spikes.own.preprocessing.front import Front, banded, looks
from nissl.clock import Segment
from nissl.data import Signal

LOOK_S = 1.0
SHORT_LOOK_S = 0.25
MOST_VALUES = 1_200_000_000
"""Samples times channels that are looked at: all of a short recording, else many short looks."""
THRESHOLD = 5.0
BEFORE_S, AFTER_S = 0.5e-3, 1.0e-3
"""Peak-to-peak amplitudes are taken of this much around a peak."""
STILL_UM = 2.0
"""Less movement is left alone: correction would cost more than it gives."""

TOGETHER = 20_000
"""Peaks that are localised at once: of each channel in one product."""

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Samples = npt.NDArray[np.float32]


def find_motion(signal: Signal, front: Front, workers: int = 1) -> Motion | None:
    """How the tissue moved along the probe, None where it did not, or where nobody can tell.

    Parameters
    ----------
    signal : Signal
    front : Front
        Its filter, and the noise it knows.
    workers : int
        Threads; the result is the same with any number.
    """
    columns = list(front.columns)
    position = np.asarray(signal.channels.position_um, dtype=np.float64)[columns, :2]
    if len(columns) < 2 or not np.isfinite(position).all():
        return None
    whole_s = signal.n_samples / signal.rate_hz
    seconds = min(whole_s, MOST_VALUES / (front.rate_hz * len(columns)))
    length_s = LOOK_S if seconds == whole_s else SHORT_LOOK_S
    with threadpool_limits(1), ThreadPoolExecutor(max(1, workers)) as pool:
        looked = looks(signal, int(np.ceil(seconds / length_s)), length_s)
        parts = list(pool.map(lambda look: peaks(signal, front, position, *look), looked))
        if not parts:
            return None
        time, channel, size = (np.concatenate(part) for part in zip(*parts, strict=True))
        near = neighbours(position)
        rows = [slice(i, i + TOGETHER) for i in range(0, time.size, TOGETHER)]
        depth = np.concatenate(
            [
                np.empty(0),
                *pool.map(lambda r: localise(channel[r], size[r], position, near)[:, 1], rows),
            ]
        )
    motion = estimate_motion(
        time,
        depth,
        np.log(np.maximum(size[:, 0], 1e-3)).astype(np.float64),
        probe_um=(float(position[:, 1].min()), float(position[:, 1].max())),
        duration_s=whole_s,
    )
    return None if motion is None or motion.range_um < STILL_UM else motion


def peaks(
    signal: Signal, front: Front, position_um: Values, segment: Segment, start: int, stop: int
) -> tuple[Values, Ints, Samples]:
    """Time (s, of the samples that were recorded) and channel of peaks, and how large they are.

    The sizes are peak-to-peak amplitudes on the channels of ``neighbours(position_um)[channel]``,
    noise SDs.
    """
    x = banded(signal, front.columns, front.band, segment, start, stop)
    x /= front.whitening.noise_uv.astype(np.float32)
    found = crossings(x, position_um, THRESHOLD, front.rate_hz)
    before, after = (max(1, round(s * front.rate_hz)) for s in (BEFORE_S, AFTER_S))
    inside = (found.at >= before) & (found.at + after < len(x))
    at, channel = found.at[inside], found.channel[inside]
    near = neighbours(position_um)
    time = (start + at * front.band.step) / signal.rate_hz
    return time, channel, heights(x, at, near[channel], before, after + 1)
