"""Whether spikes after light have the waveform of the unit's other spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]

LEAST_EVOKED = 5
LEAST_SPONTANEOUS = 20
N_SPLITS = 200


@dataclass(frozen=True, eq=False)
class WaveformMatch:
    """Correlation of the mean waveforms of evoked and spontaneous spikes.

    Parameters
    ----------
    r : float
        Pearson correlation over samples and channels; NaN where it cannot be had.
    null_r : float
        Fifth percentile of the same between as many spontaneous spikes, drawn at random, and
        the others: what noise alone leaves.
    size_ratio : float
        Peak-to-peak size of the evoked mean over that of the spontaneous one, on the channel
        where the latter is largest.
    n_evoked, n_spontaneous : int
        Spikes of which the waveform was read.
    means : ndarray, shape (2, n_samples, n_channels), float32, uV, optional
        Of evoked and spontaneous spikes; None where none were read.
    """

    r: float
    null_r: float
    size_ratio: float
    n_evoked: int
    n_spontaneous: int
    means: npt.NDArray[np.float32] | None = None


NO_MATCH = WaveformMatch(np.nan, np.nan, np.nan, 0, 0)
"""Where no waveforms are to be had."""


def waveform_match(
    evoked: Floats, spontaneous: Floats, rng: np.random.Generator, *, n_splits: int = N_SPLITS
) -> WaveformMatch:
    """Compare mean waveforms, as Cohen et al. (2012, Nature 482:85-88) ask for r >= 0.9.

    Parameters
    ----------
    evoked : ndarray, shape (n_evoked, n_samples, n_channels), uV
        Spikes after pulses. NaN where a window leaves the recording.
    spontaneous : ndarray, shape (n_spontaneous, n_samples, n_channels), uV
        Spikes in the dark.
    rng : numpy.random.Generator
        Draws the splits of the null.
    n_splits : int
    """
    a, b = _whole(evoked), _whole(spontaneous)
    counts = (len(a), len(b))
    if len(a) < LEAST_EVOKED or len(b) < LEAST_SPONTANEOUS:
        return WaveformMatch(np.nan, np.nan, np.nan, *counts)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    n = min(len(a), len(b) // 2)
    null = np.empty(n_splits)
    for k in range(n_splits):
        drawn = np.zeros(len(b), bool)
        drawn[rng.choice(len(b), n, replace=False)] = True
        null[k] = _r(b[drawn].mean(axis=0), b[~drawn].mean(axis=0))
    size_a, size_b = np.ptp(mean_a, axis=0), np.ptp(mean_b, axis=0)
    if not np.isfinite(size_b).any() or np.nanmax(size_b) == 0:
        return WaveformMatch(np.nan, np.nan, np.nan, *counts)
    best = int(np.nanargmax(size_b))
    return WaveformMatch(
        _r(mean_a, mean_b),
        float(np.percentile(null, 5)),
        float(size_a[best] / size_b[best]),
        *counts,
        np.stack([mean_a, mean_b]).astype(np.float32),
    )


def _whole(waveforms: Floats) -> Values:
    """Spikes whose window was recorded; channels that no spike has stay NaN."""
    values = np.asarray(waveforms, dtype=np.float64)
    if values.ndim != 3 or not values.size:
        return np.empty((0, 0, 0))
    there = np.isfinite(values).any(axis=(0, 1))
    return np.asarray(values[np.isfinite(values[:, :, there]).all(axis=(1, 2))])


def _r(a: Values, b: Values) -> float:
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < 3 or a[known].std() == 0 or b[known].std() == 0:
        return float("nan")
    return float(np.corrcoef(a[known], b[known])[0, 1])
