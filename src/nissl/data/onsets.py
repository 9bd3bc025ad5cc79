"""Onsets on analogue lines: photodiodes, microphones, sync pulses on an auxiliary channel.

An edge is a passage from below one threshold to above a higher one (or back), so that noise
between the two makes no edges. Its time is where the straight line through the samples of
the passage crosses the middle between the thresholds: a fraction of a sample. Its jitter
follows from the line's slope and the noise of the channel (the standard error of a calibrated
value in linear regression); an edge steeper than one sample is known to a sample only, whose
standard deviation, 1/sqrt(12), is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.lines import Line
from nissl.data.signal import Signal
from nissl.errors import BadArgumentError, BadSamplesError

BLOCK = 1 << 18
_BINS = 4096

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Levels:
    """Two thresholds and the noise of an analogue line, in the units of `Signal.read`.

    Parameters
    ----------
    low, high : float
        At or below `low` the line is off, at or above `high` it is on.
    noise : float
        Standard deviation of the noise on a sample.
    """

    low: float
    high: float
    noise: float

    def __post_init__(self) -> None:
        if not (self.low < self.high and self.noise >= 0 and np.isfinite(self.high - self.low)):
            raise BadArgumentError(
                "a low threshold below the high one and noise of at least 0",
                f"low {self.low:g}, high {self.high:g}, noise {self.noise:g}",
                "Look at the channel, or let estimate_levels choose.",
            )


@dataclass(frozen=True, eq=False)
class Onsets:
    """Edges of an analogue line.

    Parameters
    ----------
    samples : ndarray, shape (n,), float64, samples
        Where each edge crosses the middle between the thresholds; increasing.
    direction : ndarray, shape (n,), int8
        1 rising, -1 falling.
    jitter_s : ndarray, shape (n,), float64, seconds
        Standard deviation of each edge's time.
    n_slow : int
        Passages that took longer than was allowed; they are in none of the arrays.
    levels : Levels
    clock : Clock
    """

    samples: Values
    direction: npt.NDArray[np.int8]
    jitter_s: Values
    n_slow: int
    levels: Levels
    clock: Clock

    @property
    def times_s(self) -> Values:
        """Times of the edges, seconds of the device's clock."""
        return self.clock.to_seconds(self.samples)

    @property
    def rising_s(self) -> Values:
        """Times of the rising edges, seconds."""
        return self.times_s[self.direction > 0]

    @property
    def falling_s(self) -> Values:
        """Times of the falling edges, seconds."""
        return self.times_s[self.direction < 0]

    def line(self, name: str) -> Line:
        """Return the edges as a digital line, at the nearest samples."""
        nearest = np.rint(self.samples).astype(np.int64)
        rising = self.direction > 0
        return Line(name, nearest[rising], nearest[~rising], self.clock)


def detect_onsets(
    signal: Signal,
    channel: int | str,
    *,
    levels: Levels | None = None,
    max_rise_s: float = 0.05,
    block_samples: int = BLOCK,
) -> Onsets:
    """Find the edges of an analogue line, block by block.

    The result does not depend on `block_samples`; memory holds one block and one passage. No
    edge is found across a gap.

    Parameters
    ----------
    signal : Signal
    channel : int or str
    levels : Levels, optional
        Chosen by `estimate_levels` without it.
    max_rise_s : float
        A passage between the thresholds that takes longer is no onset; it is counted.
    block_samples : int

    Raises
    ------
    BadSamplesError
        Samples that are no numbers, or a channel without two levels.
    """
    if levels is None:
        levels = estimate_levels(signal, channel, block_samples=block_samples)
    longest = max(round(max_rise_s * signal.rate_hz), 1)
    found: list[tuple[float, int, float]] = []
    n_slow = 0
    for segment in signal.clock.segments:
        tracker = _Tracker(levels, longest)
        for start, values in _blocks(signal, channel, segment.start, segment.stop, block_samples):
            found += tracker.edges(start, values)
        n_slow += tracker.n_slow
    table = np.asarray(found, dtype=np.float64).reshape(-1, 3)
    return Onsets(
        table[:, 0],
        table[:, 1].astype(np.int8),
        table[:, 2] / signal.rate_hz,
        n_slow,
        levels,
        signal.clock,
    )


def estimate_levels(signal: Signal, channel: int | str, *, block_samples: int = BLOCK) -> Levels:
    """Thresholds at 40 % and 60 % between the two levels of a line, and its noise.

    The levels are the means on both sides of the threshold that separates the histogram best
    (Otsu 1979, IEEE Transactions on Systems, Man, and Cybernetics 9:62-66). The noise is
    estimated from the differences of neighbouring samples, which is right for noise that is
    white at the sampling rate.

    Raises
    ------
    BadSamplesError
        Samples that are no numbers, or a channel that has no two levels.
    """
    ends, noises = [], []
    for _, values in _all_blocks(signal, channel, block_samples):
        ends += [values.min(), values.max()]
        if values.size > 1:
            noises.append(np.median(np.abs(np.diff(values))) / 0.6745 / np.sqrt(2))
    low, high = (min(ends), max(ends)) if ends else (0.0, 0.0)
    if not high > low:
        raise _no_levels(channel, f"{low:g} in all samples")
    counts = np.zeros(_BINS, dtype=np.int64)
    for _, values in _all_blocks(signal, channel, block_samples):
        counts += np.histogram(values, bins=_BINS, range=(low, high))[0]
    edges = np.linspace(low, high, _BINS + 1)
    off, on, spread = _two_levels(counts, (edges[1:] + edges[:-1]) / 2)
    if on - off < 5 * spread:
        raise _no_levels(channel, f"one broad level around {(on + off) / 2:g}")
    step = on - off
    return Levels(float(off + 0.4 * step), float(off + 0.6 * step), float(np.median(noises)))


class _Tracker:
    """Edges of one segment, fed block by block; remembers the last passage only."""

    def __init__(self, levels: Levels, longest: int) -> None:
        self.levels = levels
        self.longest = longest
        self.n_slow = 0
        self._sign, self._at = 0, 0  # side and index of the last sample beyond a threshold
        self._tail = np.empty(0)

    def edges(self, start: int, values: Values) -> list[tuple[float, int, float]]:
        """Sample, direction and jitter (samples) of the edges that end in a block."""
        beyond = (values >= self.levels.high).astype(np.int8) - (values <= self.levels.low)
        at = np.flatnonzero(beyond)
        sign = beyond[at]
        before = np.concatenate([[self._sign], sign])[:-1]
        place = np.concatenate([[self._at], at + start])[:-1]
        joined = np.concatenate([self._tail, values])
        origin = start - self._tail.size
        out = []
        for k in np.flatnonzero((sign != before) & (before != 0)).tolist():
            first, last = int(place[k]), int(at[k]) + start
            if last - first > self.longest:
                self.n_slow += 1
                continue
            passage = joined[first - origin : last + 1 - origin]
            crossing, jitter = _crossing(passage, self.levels)
            out.append((first + crossing, int(sign[k]), jitter))
        if at.size:
            self._sign, self._at = int(sign[-1]), int(at[-1]) + start
        self._tail = joined[-self.longest :]
        return out


def _crossing(passage: Values, levels: Levels) -> tuple[float, float]:
    """Where a passage crosses the middle, and its standard deviation, both in samples."""
    n = passage.size
    x = np.arange(n) - (n - 1) / 2
    slope = float(x @ passage / (x @ x))
    away = ((levels.low + levels.high) / 2 - float(passage.mean())) / slope
    variance = (levels.noise / slope) ** 2 * (1 / n + away**2 / float(x @ x))
    if n == 2:
        variance += 1 / 12
    return (n - 1) / 2 + away, float(np.sqrt(variance))


def _blocks(
    signal: Signal, channel: int | str, start: int, stop: int, size: int
) -> Iterator[tuple[int, Values]]:
    for a in range(start, stop, size):
        values = signal.read(a, min(a + size, stop), [channel])[:, 0].astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise BadSamplesError(
                f"numbers on channel {channel!r}",
                f"{values[bad[0]]} at sample {a + bad[0]}",
                "Detect onsets on the parts before and after, or mend the file.",
            )
        yield a, values


def _all_blocks(signal: Signal, channel: int | str, size: int) -> Iterator[tuple[int, Values]]:
    for segment in signal.clock.segments:
        yield from _blocks(signal, channel, segment.start, segment.stop, size)


def _two_levels(counts: npt.NDArray[np.int64], centres: Values) -> tuple[float, float, float]:
    """Means of both sides of the best threshold, and the standard deviation within sides."""
    weight, moment = np.cumsum(counts), np.cumsum(counts * centres)
    square = float(np.sum(counts * centres**2))
    below, above = weight[:-1], weight[-1] - weight[:-1]
    valid = (below > 0) & (above > 0)
    off = moment[:-1][valid] / below[valid]
    on = (moment[-1] - moment[:-1][valid]) / above[valid]
    best = int(np.argmax(below[valid] * above[valid] * (on - off) ** 2))
    n_off, n_on = float(below[valid][best]), float(above[valid][best])
    within = square - n_off * off[best] ** 2 - n_on * on[best] ** 2
    return float(off[best]), float(on[best]), float(np.sqrt(max(within, 0.0) / (n_off + n_on)))


def _no_levels(channel: int | str, got: str) -> BadSamplesError:
    return BadSamplesError(
        f"a line with two levels on channel {channel!r}",
        got,
        "Give levels=Levels(low, high, noise), or choose another channel.",
    )
