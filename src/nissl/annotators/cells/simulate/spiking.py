"""Spikes of simulated neurons, and the fluorescence that an indicator makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
SATURATES_AT = 8.0
"""Relative change that no indicator here exceeds."""


@dataclass(frozen=True)
class Indicator:
    """A difference of exponentials, in round numbers of the order of those measured in vivo.

    Parameters
    ----------
    rise_s, decay_s : float
        Time constants.
    peak : float
        Relative change of fluorescence at the peak after one spike.
    """

    rise_s: float
    decay_s: float
    peak: float

    @property
    def scale(self) -> float:
        """Factor that makes the highest point of the difference `peak`."""
        at = np.log(self.decay_s / self.rise_s) / (1 / self.rise_s - 1 / self.decay_s)
        return float(self.peak / (np.exp(-at / self.decay_s) - np.exp(-at / self.rise_s)))


INDICATORS: Mapping[str, Indicator] = {
    "GCaMP6s": Indicator(0.10, 0.80, 0.23),
    "GCaMP6f": Indicator(0.03, 0.25, 0.19),
    "GCaMP8m": Indicator(0.007, 0.12, 0.35),
    "OGB1": Indicator(0.02, 0.60, 0.08),
}


def shared_drive(n_frames: int, rate_hz: float, rng: np.random.Generator) -> Values:
    """What moves the whole field: slow, mean 0, standard deviation 1, (n_frames,)."""
    from scipy.signal import lfilter

    decay = np.exp(-1 / (2.0 * rate_hz))
    warmup = int(10 * rate_hz)
    noise = rng.standard_normal(n_frames + warmup)
    slow = lfilter([np.sqrt(1 - decay**2)], [1, -decay], noise)[warmup:]
    return np.asarray(slow, np.float64)


def spike_times(drive: Values, rate_hz: float, event_hz: float, rng: np.random.Generator) -> Values:
    """Sorted times of one neuron's spikes, s: bursts of a few, more often when `drive` is high.

    Parameters
    ----------
    drive : ndarray, shape (n_frames,)
    rate_hz : float
        Of the frames.
    event_hz : float
        Bursts per second; 0 for a silent cell.
    rng : numpy.random.Generator
    """
    duration_s = len(drive) / rate_hz
    most = 3.0  # by which the drive may raise the rate
    n = rng.poisson(event_hz * most * duration_s)
    at = np.sort(rng.uniform(0, duration_s, n))
    frame = np.minimum((at * rate_hz).astype(np.int64), len(drive) - 1)
    chance = np.exp(np.clip(0.5 * drive[frame] - 0.125, None, np.log(most))) / most
    at = at[rng.random(n) < chance]
    each = rng.geometric(0.45, at.size)
    gaps = rng.exponential(0.03, int(each.sum())) + 0.003
    first = np.repeat(np.cumsum(each) - each, each)
    offset = np.cumsum(gaps)
    times = np.repeat(at, each) + offset - np.repeat(offset[np.cumsum(each) - each], each)
    if first.size == 0:
        return np.zeros(0)
    return np.sort(times[times < duration_s])


def counted(times: Values, n_frames: int, rate_hz: float) -> npt.NDArray[np.uint16]:
    """Spikes in each frame, (n_frames,)."""
    frame = np.minimum((times * rate_hz).astype(np.int64), n_frames - 1)
    return np.bincount(frame, minlength=n_frames).astype(np.uint16)


def fluorescence(
    times: Values, n_frames: int, rate_hz: float, indicator: Indicator
) -> npt.NDArray[np.float32]:
    """dF/F at the end of each frame, without noise, (n_frames,); exact at any frame rate."""
    from scipy.signal import lfilter

    frame = np.minimum((times * rate_hz).astype(np.int64), n_frames - 1)
    since = (frame + 1) / rate_hz - times
    total = np.zeros(n_frames)
    for tau, sign in ((indicator.decay_s, 1.0), (indicator.rise_s, -1.0)):
        begun = np.bincount(frame, np.exp(-since / tau), n_frames)
        total += sign * lfilter([1.0], [1.0, -np.exp(-1 / (tau * rate_hz))], begun)
    change = np.maximum(total * indicator.scale, 0)
    return np.asarray(change / (1 + change / SATURATES_AT), np.float32)


__all__ = ["INDICATORS", "Indicator", "counted", "fluorescence", "shared_drive", "spike_times"]
