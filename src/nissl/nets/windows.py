"""Windows of signals at one rate and on one scale, whatever the rate and the scale were.

A window never crosses a gap. Channels are brought to zero median and to the spread of the whole
recording, so that what is large stays larger than what is small within one recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from nissl.data import Signal
from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float32]

QUIET_UV = 1e-3
"""Spread, uV, below which a channel holds no signal."""
CLIP = 20.0
"""Largest value of a window, in spreads."""
IQR = 1.349
"""Interquartile range of a normal distribution, in standard deviations."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Median and spread of each channel, uV; the spread is NaN where there is no signal.

    Parameters
    ----------
    centre, spread : ndarray, shape (n_channels,), float64
    """

    centre: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    def apply(self, samples: npt.NDArray[np.floating]) -> Values:
        """Samples (n_channels, n) on this scale; NaN for a channel without signal."""
        out = (samples - self.centre[:, None]) / self.spread[:, None]
        return np.asarray(np.clip(out, -CLIP, CLIP), np.float32)


def scale_of(signal: Signal, *, n_blocks: int = 32, block_s: float = 10.0) -> Scale:
    """Scale of a recording from evenly spaced blocks: needs no labels and reads little.

    Parameters
    ----------
    signal : Signal
    n_blocks : int
    block_s : float
        Seconds of each.
    """
    size = max(1, min(round(block_s * signal.rate_hz), signal.n_samples))
    wanted = np.linspace(0, signal.n_samples - size, n_blocks).astype(np.int64)
    parts = [
        signal.read(a, b)
        for start in np.unique(wanted).tolist()
        for a, b in signal.clock.split(start, start + size)
    ]
    low, centre, high = np.nanpercentile(np.concatenate(parts), (25, 50, 75), axis=0)
    spread = np.asarray(high - low, np.float64) / IQR
    return Scale(np.asarray(centre, np.float64), np.where(spread > QUIET_UV, spread, np.nan))


@dataclass(frozen=True)
class Grid:
    """Where windows lie.

    Parameters
    ----------
    rate_hz : float
        Of the samples that a network is given.
    length_s : float
    step_s : float
        From one window's start to the next.
    """

    rate_hz: float
    length_s: float
    step_s: float

    def __post_init__(self) -> None:
        if not (self.rate_hz > 0 and self.length_s > 0 and self.step_s > 0):
            raise BadArgumentError(
                "a rate, a length and a step above zero",
                f"{self.rate_hz:g} Hz, {self.length_s:g} s, {self.step_s:g} s",
                "Change them.",
            )

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        return round(self.length_s * self.rate_hz)

    def starts(self, signal: Signal) -> list[npt.NDArray[np.int64]]:
        """First sample of each window, for each segment of the signal's clock."""
        rate = signal.rate_hz
        out = []
        for segment in signal.clock.segments:
            room = (segment.stop - segment.start) / rate - self.length_s
            n = int(room / self.step_s + 1e-9) + 1 if room >= -1e-9 else 0
            at = segment.start + np.rint(np.arange(n) * self.step_s * rate)
            out.append(at.astype(np.int64))
        return out


def read_window(signal: Signal, start: int, grid: Grid, scale: Scale) -> Values:
    """One window, (n_channels, n_samples), on the scale; at the segment's ends it is continued.

    Parameters
    ----------
    signal : Signal
    start : int
        Its first sample, at the signal's own rate.
    grid : Grid
    scale : Scale
    """
    ratio = Fraction(grid.rate_hz / signal.rate_hz).limit_denominator(2000)
    up, down = ratio.numerator, ratio.denominator
    margin = 0 if up == down else down * -(-12 * max(up, down) // (up * down))
    length = -(-grid.n_samples * down // up)
    segment = next(s for s in signal.clock.segments if s.start <= start < s.stop)
    a, b = max(start - margin, segment.start), min(start + length + margin, segment.stop)
    samples = signal.read(a, b).T.astype(np.float64)
    before, after = a - (start - margin), start + length + margin - b
    if before or after:
        samples = np.pad(samples, ((0, 0), (before, after)), mode="edge")
    if up != down:
        from scipy.signal import resample_poly

        samples = resample_poly(samples - scale.centre[:, None], up, down, axis=1)
        samples = samples[:, margin * up // down :] + scale.centre[:, None]
    return scale.apply(samples[:, : grid.n_samples])


def windows(signal: Signal, grid: Grid, scale: Scale | None = None) -> Iterator[tuple[int, Values]]:
    """First sample and samples of every window of a signal.

    Parameters
    ----------
    signal : Signal
    grid : Grid
    scale : Scale, optional
        Of the recording itself by default.
    """
    own = scale_of(signal) if scale is None else scale
    for starts in grid.starts(signal):
        for start in starts.tolist():
            yield start, read_window(signal, start, grid, own)


__all__ = ["Grid", "Scale", "read_window", "scale_of", "windows"]
