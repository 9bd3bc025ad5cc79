"""Spike trains for units that are added to a recording: refractory, log-normal, with bursts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]

REFRACTORY_S = 2e-3
BURST_S = (3e-3, 8e-3)
BURST_SHARE = 0.15
"""Share of the intervals that lie within a burst."""
SIGMA = 0.8
"""Standard deviation of the logarithm of the other intervals."""
AMPLITUDE_SD = 0.08
BURST_LOSS = 0.12
"""What a spike loses in amplitude to the one before it in the same burst."""


@dataclass(frozen=True, eq=False)
class Train:
    """Spikes of a unit.

    Parameters
    ----------
    times_s : ndarray, shape (n_spikes,), float64, seconds, increasing
        No two closer than `REFRACTORY_S`.
    factor : ndarray, shape (n_spikes,), float32
        Relative amplitude of each.
    """

    times_s: Values
    factor: npt.NDArray[np.float32]


def made_train(rate_hz: float, duration_s: float, rng: np.random.Generator) -> Train:
    """Draw a spike train.

    Intervals are the refractory period plus a log-normal time; some are replaced by the short
    intervals of bursts, within which amplitudes fall, as those of pyramidal cells do (Harris
    et al. 2001, Neuron 32:141-149).

    Parameters
    ----------
    rate_hz : float
        Mean rate; must leave room for the refractory period.
    duration_s : float
    rng : numpy.random.Generator

    Raises
    ------
    BadArgumentError
        A rate or duration that is not above 0, or a rate of 100 Hz and more.
    """
    if not (0 < rate_hz < 100 and duration_s > 0):
        raise BadArgumentError(
            "a rate above 0 and below 100 Hz, and a duration above 0 s",
            f"{rate_hz:g} Hz, {duration_s:g} s",
            "Choose a lower rate, or give a longer recording.",
        )
    burst_s = sum(BURST_S) / 2
    long_s = (1 / rate_hz - BURST_SHARE * burst_s) / (1 - BURST_SHARE) - REFRACTORY_S
    mu = np.log(max(long_s, 1e-3)) - SIGMA**2 / 2
    n = int(rate_hz * duration_s * 1.5) + 50
    parts: list[Values] = []
    bursts: list[npt.NDArray[np.bool_]] = []
    end_s = -float(rng.uniform(0, 1 / rate_hz))
    while end_s < duration_s:
        burst = rng.random(n) < BURST_SHARE
        gaps = REFRACTORY_S + np.exp(mu + SIGMA * rng.standard_normal(n))
        gaps[burst] = rng.uniform(*BURST_S, int(burst.sum()))
        times = end_s + np.cumsum(gaps)
        parts.append(times)
        bursts.append(burst)
        end_s = float(times[-1])
    times, burst = np.concatenate(parts), np.concatenate(bursts)
    factor = 1 + AMPLITUDE_SD * rng.standard_normal(times.size)
    factor *= (1 - BURST_LOSS) ** _place_in_burst(burst)
    inside = (times >= 0) & (times < duration_s)
    return Train(times[inside], np.clip(factor[inside], 0.4, 1.5).astype(np.float32))


def _place_in_burst(burst: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """How many spikes of the same burst precede each spike."""
    index = np.arange(burst.size)
    last = np.maximum.accumulate(np.where(burst, -1, index))
    return np.asarray(index - np.maximum(last, 0), np.int64)
