"""Samples and seconds.

Conventions, for the whole package: int64 samples are the truth; intervals are half-open
``[start, stop)``; seconds are derived by the clock of the device that recorded the samples.
A stream has one sample index over contiguous segments, and an interval never silently
crosses the gap between two of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadMetadataError, GapError


@dataclass(frozen=True)
class Segment:
    """A run of samples without a gap, on an affine clock.

    Parameters
    ----------
    start, stop : int
        Half-open interval of sample indices.
    t0_s : float
        Time of sample `start`, in seconds of the device's clock.
    rate_hz : float
        Samples per second of that clock.
    """

    start: int
    stop: int
    t0_s: float
    rate_hz: float

    @property
    def end_s(self) -> float:
        """Time at which the segment ends, in seconds (one period after its last sample)."""
        return self.t0_s + (self.stop - self.start) / self.rate_hz


@dataclass(frozen=True)
class Clock:
    """Piecewise affine map between the samples and the seconds of one device.

    Parameters
    ----------
    segments : tuple of Segment
        Adjoining in samples, from sample 0; increasing and not overlapping in seconds.
    """

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        if not self.segments or self.segments[0].start != 0:
            raise BadMetadataError(
                "at least one segment, the first from sample 0",
                repr(self.segments),
                "Check the recording's header.",
            )
        for segment in self.segments:
            if not (np.isfinite(segment.rate_hz) and segment.rate_hz > 0):
                raise BadMetadataError(
                    "a sampling rate above 0 Hz",
                    f"{segment.rate_hz} Hz",
                    "Check the header, or give the rate.",
                )
            if segment.stop < segment.start or not np.isfinite(segment.t0_s):
                raise BadMetadataError(
                    "segments with a finite start time and stop >= start",
                    repr(segment),
                    "Check the recording's header.",
                )
        for before, after in zip(self.segments[:-1], self.segments[1:], strict=True):
            # half a sample of slack: headers round their start times
            if after.start != before.stop or after.t0_s < before.end_s - 0.5 / before.rate_hz:
                raise BadMetadataError(
                    "segments that follow each other in samples and in time",
                    f"{before} then {after}",
                    "Times must increase; check the recording's time stamps.",
                )

    @classmethod
    def regular(cls, rate_hz: float, n_samples: int, t0_s: float = 0.0) -> Clock:
        """Clock of one gapless segment."""
        return cls((Segment(0, int(n_samples), float(t0_s), float(rate_hz)),))

    @classmethod
    def from_segments(
        cls, rate_hz: float, lengths: list[int], starts_s: list[float] | None = None
    ) -> Clock:
        """Clock of segments of one rate.

        Parameters
        ----------
        rate_hz : float
            Samples per second.
        lengths : list of int
            Samples in each segment.
        starts_s : list of float, optional
            Start of each, in seconds; without it each starts where the one before ends.
        """
        segments: list[Segment] = []
        start, t_s = 0, 0.0
        for index, length in enumerate(lengths):
            t0_s = float(starts_s[index]) if starts_s is not None else t_s
            segment = Segment(start, start + int(length), t0_s, float(rate_hz))
            segments.append(segment)
            if rate_hz > 0:
                start, t_s = segment.stop, segment.end_s
        return cls(tuple(segments))

    @classmethod
    def from_times(cls, times_s: npt.ArrayLike, *, tolerance: float = 0.5) -> Clock:
        """Clock of a source that carries one time stamp per sample or frame.

        A step longer than ``1 + tolerance`` median steps starts a new segment: a gap (frames
        dropped). Within a segment time is affine through its first and last stamp.

        Parameters
        ----------
        times_s : array-like, shape (n,), seconds
            Strictly increasing.
        tolerance : float
            In median steps.

        Raises
        ------
        BadMetadataError
            Where the times do not increase.
        """
        times = np.asarray(times_s, dtype=np.float64)
        steps = np.diff(times)
        if times.size < 2 or not np.all(np.isfinite(times)) or np.any(steps <= 0):
            where = int(np.argmax(~(steps > 0))) + 1 if steps.size else 0
            raise BadMetadataError(
                "at least two finite, strictly increasing time stamps",
                f"{times.size} stamps, the first fault at index {where}",
                "Check the device's time stamps; nissl does not reorder them.",
            )
        period = float(np.median(steps))
        cuts = [0, *(np.flatnonzero(steps > period * (1 + tolerance)) + 1).tolist(), times.size]
        segments = []
        for start, stop in itertools.pairwise(cuts):
            n = stop - start
            span = times[stop - 1] - times[start]
            rate = (n - 1) / span if n > 1 else 1.0 / period
            segments.append(Segment(start, stop, float(times[start]), float(rate)))
        return cls(tuple(segments))

    @property
    def n_samples(self) -> int:
        """Samples in all segments."""
        return self.segments[-1].stop

    @property
    def rate_hz(self) -> float:
        """Rate of the longest segment, in Hz."""
        return max(self.segments, key=lambda s: s.stop - s.start).rate_hz

    @property
    def duration_s(self) -> float:
        """Recorded time without the gaps, in seconds."""
        return float(sum((s.stop - s.start) / s.rate_hz for s in self.segments))

    def to_seconds(self, samples: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Seconds of samples; beyond the ends the first or last segment is extended.

        Parameters
        ----------
        samples : array-like of int or float, any shape

        Returns
        -------
        ndarray of float64, same shape, seconds
        """
        x = np.asarray(samples, dtype=np.float64)
        starts, t0, rate = self._arrays()
        which = np.clip(np.searchsorted(starts, x, side="right") - 1, 0, starts.size - 1)
        return np.asarray(t0[which] + (x - starts[which]) / rate[which])

    def to_samples(self, seconds: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Nearest samples of times; a time within a gap gives the nearer edge.

        Parameters
        ----------
        seconds : array-like of float, any shape

        Returns
        -------
        ndarray of int64, same shape; not clipped to the recording's ends
        """
        t = np.asarray(seconds, dtype=np.float64)
        starts, t0, rate = self._arrays()
        which = np.clip(np.searchsorted(t0, t, side="right") - 1, 0, starts.size - 1)
        x = starts[which] + (t - t0[which]) * rate[which]
        stops = np.asarray([s.stop for s in self.segments], dtype=np.float64)
        last = which == starts.size - 1
        following = np.minimum(which + 1, starts.size - 1)
        over = ~last & (x > stops[which] - 1)
        middle = (t0[following] + t0[which] + (stops[which] - 1 - starts[which]) / rate[which]) / 2
        x = np.where(over, np.where(t >= middle, starts[following], stops[which] - 1), x)
        return np.asarray(np.rint(x), dtype=np.int64)

    def split(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Cut an interval at the gaps; yields half-open intervals that cross none."""
        for segment in self.segments:
            a, b = max(start, segment.start), min(stop, segment.stop)
            if a < b:
                yield a, b

    def check_contiguous(self, start: int, stop: int) -> None:
        """Raise `GapError` when ``[start, stop)`` crosses from one segment into another."""
        pieces = list(self.split(start, stop))
        if len(pieces) > 1:
            cut = pieces[0][1]
            raise GapError(
                "an interval within one segment",
                f"[{start}, {stop}), which crosses the gap at sample {cut}",
                "Read the pieces that Clock.split gives, one by one.",
            )

    def to_json(self) -> list[list[float]]:
        """Segments as lists ``[start, stop, t0_s, rate_hz]``."""
        return [[s.start, s.stop, s.t0_s, s.rate_hz] for s in self.segments]

    @classmethod
    def from_json(cls, value: list[list[Any]]) -> Clock:
        """Inverse of `to_json`."""
        return cls(tuple(Segment(int(a), int(b), float(t), float(r)) for a, b, t, r in value))

    def _arrays(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        starts = np.asarray([s.start for s in self.segments], dtype=np.float64)
        t0 = np.asarray([s.t0_s for s in self.segments], dtype=np.float64)
        rate = np.asarray([s.rate_hz for s in self.segments], dtype=np.float64)
        return starts, t0, rate
