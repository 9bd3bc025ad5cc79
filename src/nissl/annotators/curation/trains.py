"""Features of spike trains that the item table does not carry.

Samples of a recording with gaps are taken as they count on; the few pairs of spikes across a
gap do not matter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.acg import later_spikes
from nissl.labels import LabelSet

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

TRAIN_FEATURES = (
    "foreign_fraction",
    "sync_2",
    "sync_4",
    "sync_8",
    "amplitude_cv",
    "amplitude_cv_range",
)
REFRACTORY_MS = 1.0
SPIKES_PER_BIN = 50
MIN_BINS = 10


def train_features(labels: LabelSet, context: Mapping[str, Any]) -> dict[str, Values]:
    """Features of each unit's train and amplitudes.

    Parameters
    ----------
    labels : LabelSet
        EVENTS, item = unit.
    context : mapping
        `rate_hz` and `duration_s`, as item tables carry them; without them all but the
        synchrony is NaN.

    Returns
    -------
    dict of str to ndarray, each of shape (n_units,), float64
        `TRAIN_FEATURES`, in the order of `labels.items`.
    """
    sample = labels.column("sample").astype(np.int64)
    amplitude = labels.column("amplitude").astype(np.float64)
    n = labels.items.size
    unit = np.searchsorted(labels.items, labels.column("item")).astype(np.int64)
    out = {name: np.full(n, np.nan) for name in TRAIN_FEATURES}
    for size in (2, 4, 8):
        out[f"sync_{size}"] = synchrony(sample, unit, n, size)
    if not context.get("rate_hz") or not context.get("duration_s"):
        return out
    rate_hz = float(context["rate_hz"])
    n_samples = round(float(context["duration_s"]) * rate_hz)
    order = np.argsort(unit, kind="stable")
    edges = np.cumsum(np.bincount(unit, minlength=n))[:-1]
    for k, rows in enumerate(np.split(order, edges)):
        own = sample[rows]
        out["foreign_fraction"][k] = foreign_fraction(own, rate_hz, n_samples)
        cv = amplitude_variation(own, amplitude[rows], n_samples)
        out["amplitude_cv"][k], out["amplitude_cv_range"][k] = cv
    return out


def synchrony(sample: Ints, unit: Ints, n_units: int, size: int) -> Values:
    """Fraction of each unit's spikes at whose very sample there are `size` spikes or more.

    Parameters
    ----------
    sample, unit : ndarray, shape (n_spikes,), int64
        In order of samples.
    n_units, size : int

    Returns
    -------
    ndarray, shape (n_units,), float64
        NaN without spikes.

    Notes
    -----
    Grün et al. 2002, after Elephant and SpikeInterface (`sync_spike_2`, `_4`, `_8`).
    """
    first = np.flatnonzero(np.diff(sample, prepend=sample[:1] - 1))
    counts = np.diff(np.append(first, sample.size))
    together = np.repeat(counts >= size, counts)
    total = np.bincount(unit, minlength=n_units)
    hits = np.bincount(unit[together], minlength=n_units)
    return np.asarray(hits / np.where(total > 0, total, np.nan))


def foreign_fraction(sample: Ints, rate_hz: float, n_samples: int) -> float:
    """Fraction of foreign spikes that explains the intervals below 1 ms; 1 where none does.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
        Increasing.
    rate_hz : float
    n_samples : int
        Length of the recording, samples.

    Notes
    -----
    Llobet, Wyngaard and Barbour 2022 (bioRxiv 2022.02.08.479192), for foreign spikes of many
    neurons; SpikeInterface's `rp_contamination`.
    """
    n = sample.size
    if n < 2:
        return float("nan")
    reach = round(REFRACTORY_MS * rate_hz / 1000)
    violations = int(later_spikes(sample, reach + 1.0, 1)[0])
    inside = 1 - violations * n_samples / (n**2 * reach)
    return float(1 - np.sqrt(inside)) if inside >= 0 else 1.0


def amplitude_variation(sample: Ints, amplitude: Values, n_samples: int) -> tuple[float, float]:
    """Median and range (5th to 95th percentile) of the variation of amplitudes over time.

    Parameters
    ----------
    sample : ndarray, shape (n_spikes,), int64
        Increasing.
    amplitude : ndarray, shape (n_spikes,), float64
        In any unit.
    n_samples : int
        Length of the recording, samples.

    Returns
    -------
    median, range : float
        Of standard deviation over mean amplitude in bins of 50 spikes on average; NaN with
        fewer than ten bins or unknown amplitudes.

    Notes
    -----
    SpikeInterface's `amplitude_cv_median` and `amplitude_cv_range`.
    """
    nothing = float("nan"), float("nan")
    if not sample.size or not np.all(np.isfinite(amplitude)) or not np.any(amplitude):
        return nothing
    width = max(int(SPIKES_PER_BIN * n_samples / sample.size), 1)
    bounds = np.searchsorted(sample, np.arange(0, n_samples + 1, width))
    parts = [amplitude[a:b] for a, b in pairwise(bounds)]
    if len(parts) < MIN_BINS:
        return nothing
    spread = np.asarray([np.std(p) if p.size else np.nan for p in parts])
    spread /= np.abs(np.mean(amplitude))
    if np.all(np.isnan(spread)):
        return nothing
    low, high = np.nanpercentile(spread, [5, 95])
    return float(np.nanmedian(spread)), float(high - low)
