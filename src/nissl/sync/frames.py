"""Frames of a camera or microscope and the pulses it sent: dropped frames become gaps.

Two things get lost on different ways: the file lacks frames (*dropped*: the pulse came, the
image was not kept) and the other device lacks pulses (*lost*: the image is there, its pulse
was not seen). Frame numbers, where the camera keeps them, tell which; without them a count
of frames that differs from the count of pulses is refused, since nothing says where.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import AmbiguousClockError, BadMetadataError
from nissl.sync.clockmap import ClockMap, Times
from nissl.sync.pulses import Indices, checked_times, left_over


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """When the frames of a file were taken.

    Parameters
    ----------
    numbers : ndarray, shape (n_frames,), int64
        Number of each frame of the file in the camera's own count, from 0; it jumps where
        frames were dropped.
    pulses_s : ndarray, shape (n_counted,), float64, seconds
        Time of every counted exposure on the other device's clock; where the pulse was lost,
        interpolated between its neighbours.
    lost : ndarray, int64
        Numbers whose pulse was lost.
    period_s : float
        Mean time between two exposures, seconds of the other device.
    """

    numbers: Indices
    pulses_s: Times
    lost: Indices
    period_s: float

    @property
    def times_s(self) -> Times:
        """Time of each frame of the file, shape (n_frames,), seconds of the other device."""
        return np.asarray(self.pulses_s[self.numbers])

    @property
    def dropped(self) -> Indices:
        """Numbers of the exposures that the file lacks."""
        return left_over(self.numbers, int(self.numbers[-1]) + 1)

    @property
    def clock(self) -> Clock:
        """Clock of the file's frames in camera seconds (count x period), gaps where dropped."""
        return Clock.from_times(self.numbers * self.period_s)

    def clock_map(self, *, a: str = "camera", b: str = "b") -> ClockMap:
        """Map from camera seconds to the other device's, through every pulse that was seen."""
        seen = left_over(self.lost, self.pulses_s.size)
        return ClockMap.through(seen * self.period_s, self.pulses_s[seen], a=a, b=b)

    @property
    def limit_s(self) -> float:
        """Half a frame, seconds: where doubt about the clock begins."""
        return self.period_s / 2


def frame_times(
    pulses_s: npt.ArrayLike,
    *,
    n_frames: int | None = None,
    numbers: npt.ArrayLike | None = None,
) -> FrameTimes:
    """Give every frame of a file its time, from the pulses another device recorded.

    Pulses are counted first: where two are about k periods apart, k - 1 were lost between
    them. Frame 0 of the count is the first pulse: record the pulses from before the camera
    starts.

    Parameters
    ----------
    pulses_s : array-like, shape (n_pulses,), seconds
        Rising edges of the exposure or frame line.
    n_frames : int, optional
        Frames in the file; enough when none was dropped.
    numbers : array-like, shape (n_frames,), int, optional
        The camera's own frame numbers (from its file, a counter line or embedded in the
        image); the first counts as the first pulse.

    Raises
    ------
    AmbiguousClockError
        Counts that differ, so that something was lost and nothing says where.
    BadMetadataError
        Pulses or numbers that do not increase, or pulses that keep no rhythm.
    """
    pulses = checked_times(pulses_s, "frame line")
    if pulses.size < 2 or (n_frames is None) == (numbers is None):
        raise BadMetadataError(
            "at least two pulses, and either n_frames or the camera's frame numbers",
            f"{pulses.size} pulses, n_frames {n_frames}, "
            f"numbers {'given' if numbers is not None else 'not given'}",
            "Give the number of frames in the file, or better the camera's numbers.",
        )
    counts, period = _count(pulses)
    n_counted = int(counts[-1]) + 1
    kept = np.arange(n_frames or 0) if numbers is None else _checked_numbers(numbers)
    surplus = int(kept[-1]) + 1 - n_counted if kept.size else -n_counted
    if surplus > 0 or (numbers is None and surplus < 0):
        raise AmbiguousClockError(
            f"as many frames as the line has exposures ({n_counted})",
            f"{n_counted + surplus}",
            "Nothing says which are lost: give the camera's frame numbers or time stamps "
            "(match_pulses), and record its pulses from before its start to after its end.",
        )
    every = np.interp(np.arange(n_counted), counts, pulses)
    lost = left_over(counts, n_counted)
    return FrameTimes(kept, every, lost, period)


def _count(pulses: Times) -> tuple[Indices, float]:
    """Count of each pulse from 0, without the numbers that were lost, and the mean period."""
    steps = np.diff(pulses)
    period = float(np.median(steps))
    whole = np.rint(steps / period)
    off = np.flatnonzero((np.abs(steps - whole * period) > 0.25 * period) | (whole < 1))
    if off.size:
        raise BadMetadataError(
            f"frame pulses about a whole number of periods ({period:g} s) apart",
            f"{steps[off[0]]:g} s after pulse {off[0]}, and {off.size - 1} more like it",
            "Take out glitches, and give each recording of the camera on its own.",
        )
    counts = np.concatenate([[0], np.cumsum(whole)]).astype(np.int64)
    return counts, float((pulses[-1] - pulses[0]) / counts[-1])


def _checked_numbers(numbers: npt.ArrayLike) -> Indices:
    values = np.asarray(numbers)
    if values.ndim != 1 or values.size == 0 or values.dtype.kind not in "iu":
        raise BadMetadataError(
            "frame numbers, integers of shape (n_frames,)",
            f"{values.dtype} of shape {values.shape}",
            "Give the camera's counter.",
        )
    values = values.astype(np.int64)
    falls = np.flatnonzero(np.diff(values) <= 0) + 1
    if falls.size:
        raise BadMetadataError(
            "frame numbers that increase",
            f"{values[falls[0]]} after {values[falls[0] - 1]} at frame {falls[0]}",
            "Unwrap a counter that starts again from 0.",
        )
    return np.asarray(values - values[0])
