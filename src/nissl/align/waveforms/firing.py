"""Whether matched units also fire alike: a check that the matching knew nothing of.

Autocorrelograms and intervals between spikes are never evidence of a match by waveform. If the
matches are right, a unit's autocorrelogram is more like that of its partner than like those of
other units near the partner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nissl.align.waveforms.matching import UnitMatches
from nissl.align.waveforms.templates import Floats, Ints
from nissl.annotators.spikes.correlograms import correlogram

HALF_MS = 100
BIN_MS = 1.0
LEAST = 100
"""Spikes below which a unit's autocorrelogram says too little."""
LEAST_PAIRS = 8
_SMOOTH = 2.0
_ROUNDS = 500


@dataclass(frozen=True)
class FiringCheck:
    """How well firing tells partners from others.

    Parameters
    ----------
    auc : float
        Chance that a unit fires more like its partner than like another unit near the partner;
        0.5 where firing tells nothing, NaN where there are too few.
    low, high : float
        95 % interval, units drawn anew.
    n_pairs, n_others : int
    """

    auc: float
    low: float
    high: float
    n_pairs: int
    n_others: int


def autocorrelograms(
    trains: Mapping[int, Ints], rate_hz: float, items: Ints
) -> tuple[Floats, np.ndarray]:
    """Smoothed autocorrelograms on a scale of length 1, and which units have one.

    Parameters
    ----------
    trains : mapping of int to ndarray of int64, samples
    rate_hz : float
    items : ndarray, shape (n_units,), int64

    Returns
    -------
    curves : ndarray, shape (n_units, n_bins), float64
        Of positive lags; root of the rate, less its mean.
    known : ndarray, shape (n_units,), bool
    """
    from scipy.ndimage import gaussian_filter1d

    n = round(HALF_MS / BIN_MS)
    curves, known = np.zeros((items.size, n)), np.zeros(items.size, bool)
    for row, item in enumerate(items.tolist()):
        train = trains.get(item)
        if train is None or train.size < LEAST:
            continue
        whole = correlogram(train, None, rate_hz, half_ms=HALF_MS, bin_ms=BIN_MS)
        smooth = np.sqrt(gaussian_filter1d(whole[n + 1 :].astype(np.float64), _SMOOTH))
        smooth -= smooth.mean()
        length = float(np.linalg.norm(smooth))
        if length > 0:
            curves[row], known[row] = smooth / length, True
    return curves, known


def firing_check(
    found: UnitMatches,
    a: tuple[Floats, np.ndarray],
    b: tuple[Floats, np.ndarray],
    *,
    seed: int = 0,
) -> FiringCheck:
    """Hold autocorrelograms against the matches.

    Parameters
    ----------
    found : UnitMatches
    a, b : tuple
        As `autocorrelograms` gives them, in the order of the matches' rows.
    seed : int
        Of the interval.
    """
    pairs, chosen = found.pairs, found.chosen
    wins, others = [], 0
    for k in chosen.tolist():
        i, j = int(pairs.a[k]), int(pairs.b[k])
        near = pairs.b[(pairs.a == i) & (pairs.b != j)]
        near = near[b[1][near]]
        if not (a[1][i] and b[1][j] and near.size):
            continue
        own, other = float(a[0][i] @ b[0][j]), b[0][near] @ a[0][i]
        wins.append(float(np.mean(own > other) + 0.5 * np.mean(own == other)))
        others += near.size
    if len(wins) < LEAST_PAIRS:
        return FiringCheck(np.nan, np.nan, np.nan, len(wins), others)
    won, rng = np.asarray(wins), np.random.default_rng(seed)
    drawn = won[rng.integers(0, won.size, (_ROUNDS, won.size))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return FiringCheck(float(won.mean()), low, high, won.size, others)


__all__ = ["FiringCheck", "autocorrelograms", "firing_check"]
