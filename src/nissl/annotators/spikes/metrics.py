"""Quality metrics per unit.

Interval violations, presence and amplitude cutoff are SpikeInterface's own functions (Buccino et
al. 2020, eLife 9:e61834); the others follow the same definitions, on what `measuring` has taken
in its one pass, and compile nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.acg import later_spikes
from nissl.annotators.spikes.measuring import Measured
from nissl.clock import Clock

Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ISI_LIMIT_MS = 1.5
RP_BIN_MS, RP_MIN_MS, RP_MAX_MS = 0.25, 0.5, 10.0
PRESENCE_BIN_S = 60.0
FIRING_BIN_S = 5.0
DRIFT_BINS = 5
DRIFT_MIN_SPIKES = 20
N_NEIGHBOURS = 5
N_COMPONENTS = 10
MIN_COMPARED = 10


def train_metrics(sample: Ints, unit: Ints, n_units: int, clock: Clock) -> dict[str, Values]:
    """Metrics of the spike trains alone.

    Parameters
    ----------
    sample, unit : ndarray, shape (n_spikes,), int64
        In order of samples.
    n_units : int
    clock : Clock

    Returns
    -------
    dict of str to ndarray, each of shape (n_units,), float64
        `isi_violations_ratio`, `rp_contamination`, `presence_ratio`, `firing_range_hz`,
        `sync_8`; NaN where there are too few spikes.
    """
    from spikeinterface.metrics.quality.misc_metrics import isi_violations, presence_ratio

    presence = np.arange(0, clock.n_samples + 1, bin_samples(PRESENCE_BIN_S, clock))
    firing = np.arange(0, clock.n_samples + 1, bin_samples(FIRING_BIN_S, clock))
    columns: dict[str, list[float]] = {name: [] for name in TRAIN_METRICS}
    for own in trains(sample, unit, n_units):
        parts = [own[(own >= s.start) & (own < s.stop)] / s.rate_hz for s in clock.segments]
        ratio, _, _ = isi_violations(parts, clock.duration_s, ISI_LIMIT_MS / 1000)
        counts = np.histogram(own, firing)[0] / ((firing[1] - firing[0]) / clock.rate_hz)
        columns["isi_violations_ratio"].append(float(ratio))
        columns["rp_contamination"].append(sliding_refractory(own, clock))
        columns["presence_ratio"].append(float(presence_ratio(own, bin_edges=presence)))
        columns["firing_range_hz"].append(float(np.ptp(np.percentile(counts, [5, 95]))))
    columns["sync_8"] = synchrony(sample, unit, n_units).tolist()
    return {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}


TRAIN_METRICS = (
    "isi_violations_ratio",
    "rp_contamination",
    "presence_ratio",
    "firing_range_hz",
    "sync_8",
)


def bin_samples(wanted_s: float, clock: Clock) -> int:
    """Samples of a bin: the wanted length, or a tenth of a recording shorter than ten bins."""
    return max(1, min(round(wanted_s * clock.rate_hz), clock.n_samples // 10))


def trains(sample: Ints, unit: Ints, n_units: int) -> list[Ints]:
    """Samples of each unit's spikes."""
    order = np.argsort(unit, kind="stable")
    edges = np.cumsum(np.bincount(unit, minlength=n_units))[:-1]
    return [np.asarray(part) for part in np.split(sample[order], edges)]


def synchrony(sample: Ints, unit: Ints, n_units: int, *, size: int = 8) -> Values:
    """Fraction of each unit's spikes at whose very sample `size` or more units spike.

    Above a few per mille it tells of artefacts, not of neurons.
    """
    pairs = np.unique(np.stack([sample, unit]), axis=1) if sample.size else np.empty((2, 0), int)
    _, where, counts = np.unique(pairs[0], return_inverse=True, return_counts=True)
    together = np.bincount(pairs[1][counts[where] >= size], minlength=n_units)
    total = np.bincount(unit, minlength=n_units)
    return np.asarray(together / np.where(total > 0, total, np.nan))


def sliding_refractory(sample: Ints, clock: Clock) -> float:
    """Least contamination that is rejected with 90 % confidence by some refractory period.

    Contaminations of 0.5 to 35 % and refractory periods of 0.5 to 10 ms are tried; NaN where
    no contamination up to 35 % can be rejected (very contaminated, or too few spikes).

    Notes
    -----
    The sliding refractory period metric of the International Brain Laboratory et al. 2022, with
    the expected violations of Llobet et al. 2022 (bioRxiv), as in SpikeInterface.
    """
    from scipy.stats import poisson

    n = sample.size
    if n < 2:
        return float("nan")
    width = RP_BIN_MS * clock.rate_hz / 1000
    n_bins = round(RP_MAX_MS / RP_BIN_MS)
    counts = np.cumsum(later_spikes(sample, width, n_bins))
    periods_s = (np.arange(n_bins) + 1) * RP_BIN_MS / 1000
    share = np.arange(0.005, 0.3505, 0.005)[:, None]
    foreign, own = n * share, n * (1 - share)
    expected = 2 * periods_s / clock.duration_s * foreign * (own + (foreign - 1) / 2)
    confident = 1 - poisson.cdf(counts, expected) > 0.9
    tested = periods_s - RP_BIN_MS / 2000 > RP_MIN_MS / 1000
    rejected = np.any(confident[:, tested], axis=1)
    return float(share[np.argmax(rejected), 0]) if np.any(rejected) else float("nan")


def false_positives(confidence: npt.NDArray[np.float32], unit: Ints, n_units: int) -> Values:
    """Mean of one minus the confidence of each unit's spikes, shape (n_units,).

    NaN where no spike has a confidence.
    """
    known = np.isfinite(confidence)
    count = np.bincount(unit[known], minlength=n_units)
    doubt = np.bincount(unit[known], 1 - confidence[known].astype(np.float64), n_units)
    return np.asarray(doubt / np.where(count > 0, count, np.nan))


def amplitude_cutoffs(amplitude: npt.NDArray[np.float32], unit: Ints, n_units: int) -> Values:
    """Estimated fraction of spikes below the detection threshold, shape (n_units,).

    The smaller end of the amplitude histogram is compared with the larger one; NaN below 500
    spikes.
    """
    from spikeinterface.metrics.quality.misc_metrics import amplitude_cutoff

    out = np.full(n_units, np.nan)
    for k in range(n_units):
        own = np.abs(amplitude[unit == k]).astype(np.float64)
        if own.size and np.ptp(own) > 0:
            out[k] = amplitude_cutoff(own)
    return out


def drift_um(y: npt.NDArray[np.float32], sample: Ints, unit: Ints, n_units: int) -> Values:
    """Peak-to-peak movement of each unit along the probe, micrometres.

    Median position in each fifth of the recording (at least 20 spikes), as SpikeInterface's
    `drift_ptp` does in intervals of fixed length; NaN when fewer than three fifths count.
    """
    out = np.full(n_units, np.nan)
    if not sample.size:
        return out
    edges = np.linspace(0, sample[-1] + 1, DRIFT_BINS + 1)
    for k in range(n_units):
        own = unit == k
        place, at = y[own].astype(np.float64), np.digitize(sample[own], edges[1:-1])
        bins = [place[at == b] for b in range(DRIFT_BINS)]
        medians = [np.median(b) for b in bins if b.size >= DRIFT_MIN_SPIKES]
        if len(medians) >= 3:
            out[k] = np.ptp(medians)
    return out


def isolation(measured: Measured, n_units: int) -> Values:
    """Nearest-neighbour isolation of each unit from its closest competitor, 0 to 1.

    Of two units' waveforms on their common channels, projected on ten principal components,
    the fraction of the five nearest neighbours that belong to the same unit, averaged over
    both; the lowest over neighbouring units. 1 is perfect, 0.5 is the same unit twice.

    Notes
    -----
    Chung et al. 2017, Neuron 95(6):1381-1394 (the isolation metric of MountainSort), with
    equal numbers of spikes per unit.
    """
    from threadpoolctl import threadpool_limits

    out = np.full(n_units, np.nan)
    groups = [measured.waveforms[measured.compared == k] for k in range(n_units)]
    with threadpool_limits(1):  # matrices this small only wait for more threads
        for a in range(n_units):
            if len(groups[a]) < MIN_COMPARED:
                continue
            out[a] = 1.0 if np.isnan(out[a]) else out[a]
            for b in range(a + 1, n_units):
                score = pair_isolation(groups[a], groups[b], measured.near[a], measured.near[b])
                if score is not None:
                    out[a] = min(out[a], score)
                    out[b] = score if np.isnan(out[b]) else min(out[b], score)
    return out


def pair_isolation(a: Any, b: Any, near_a: Ints, near_b: Ints) -> float | None:
    """Isolation of two units; None where they share less than half of their channels."""
    common = np.intersect1d(near_a[near_a >= 0], near_b[near_b >= 0])
    if len(b) < MIN_COMPARED or 2 * common.size < np.sum(near_a >= 0):
        return None
    n = min(len(a), len(b))
    columns_a = [int(np.flatnonzero(near_a == c)[0]) for c in common]
    columns_b = [int(np.flatnonzero(near_b == c)[0]) for c in common]
    x = np.concatenate([a[:n][:, :, columns_a], b[:n][:, :, columns_b]])
    x = x.reshape(2 * n, -1).astype(np.float64)
    x -= x.mean(axis=0)
    gram = x @ x.T  # principal components from the smaller side
    values, vectors = np.linalg.eigh(gram)
    keep = min(N_COMPONENTS, 2 * n)
    scores = vectors[:, -keep:] * np.sqrt(np.maximum(values[-keep:], 0.0))
    square = np.sum(scores**2, axis=1)
    distance = square[:, None] + square[None, :] - 2 * scores @ scores.T
    np.fill_diagonal(distance, np.inf)
    k = min(N_NEIGHBOURS, n - 1)
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    own = np.arange(2 * n) < n
    return float(np.mean(own[nearest] == own[:, None]))
