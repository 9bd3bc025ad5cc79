"""SALT, the stimulus-associated spike latency test of Kvitsiani et al. (2013), from the paper.

Do first spikes after a pulse come at other times than first spikes after any other moment? The
histogram of first-spike latencies after the pulses (with a bin for "no spike") is compared with
such histograms of many baseline windows by a modified Jensen-Shannon divergence.

References
----------
Kvitsiani, Ranade, Hangya, Taniguchi, Huang and Kepecs 2013, Nature 498:363-366.
Endres and Schindelin 2003, IEEE Trans. Inf. Theory 49:1858-1860 (the metric).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Salt:
    """Result of the test.

    Parameters
    ----------
    p : float
        As published: the share of divergences between two baseline windows that reach the
        median divergence of the test window from the baseline. The observed value counts
        among them, so it is never 0. It is conservative: a median varies less than the single
        divergences it is compared with.
    rank_p : float
        Rank of the test window's median among those of the baseline windows, each against the
        others. Exact when pulses are unrelated to the unit; its least value is
        ``1 / (n_windows + 1)``.
    divergence : float
        Median divergence of the test window less that between baseline windows, 0 to 1.2.
    n_windows : int
    """

    p: float
    rank_p: float
    divergence: float
    n_windows: int


def salt(test_s: Values, baseline_s: Values, length_s: float, *, bin_s: float = 1e-3) -> Salt:
    """Test first-spike latencies against those of baseline windows.

    Parameters
    ----------
    test_s : ndarray, shape (n_pulses,), float64, seconds
        From the start of the window after each pulse to its first spike; infinite for none.
    baseline_s : ndarray, shape (n_pulses, n_windows), float64, seconds
        The same in each baseline window.
    length_s : float
        Of every window.
    bin_s : float
        Width of a bin of the histograms.

    Raises
    ------
    BadArgumentError
        Fewer than two baseline windows, or bins wider than the window.
    """
    n_windows = baseline_s.shape[1]
    if n_windows < 2 or not 0 < bin_s <= length_s:
        raise BadArgumentError(
            "two baseline windows or more, and bins within the window",
            f"{n_windows} windows, bins of {bin_s} s in {length_s} s",
            "Give a longer baseline or narrower bins.",
        )
    latencies = np.concatenate([baseline_s, test_s[:, None]], axis=1)
    distance = distances(_histograms(latencies, length_s, bin_s))
    between = distance[np.triu_indices(n_windows, 1)]
    mine = float(np.median(distance[-1, :-1]))
    p = (1 + np.sum(between >= mine - 1e-12)) / (1 + between.size)
    off = ~np.eye(n_windows + 1, dtype=bool)
    medians = np.median(distance[off].reshape(n_windows + 1, n_windows), axis=1)
    rank = (1 + np.sum(medians[:-1] >= medians[-1] - 1e-12)) / (1 + n_windows)
    return Salt(float(p), float(rank), mine - float(np.median(between)), n_windows)


def distances(histograms: Values) -> Values:
    """Root of twice the Jensen-Shannon divergence between all pairs, a metric.

    Parameters
    ----------
    histograms : ndarray, shape (n, n_bins), float64
        Rows sum to 1.

    Returns
    -------
    ndarray, shape (n, n), float64, 0 to sqrt(2 ln 2)
    """
    own = _entropy(histograms)
    mixed = _entropy((histograms[:, None] + histograms[None]) / 2)
    divergence = mixed - (own[:, None] + own[None]) / 2
    return np.asarray(np.sqrt(2 * np.maximum(divergence, 0.0)))


def _entropy(p: Values) -> Values:
    """Shannon entropy along the last axis, nats."""
    return np.asarray(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1))


def _histograms(latency_s: Values, length_s: float, bin_s: float) -> Values:
    """Share of trials per latency bin, the last bin for "no spike", shape (n_windows, n_bins)."""
    n_bins = int(np.ceil(length_s / bin_s - 1e-9)) + 1
    place = np.where(np.isfinite(latency_s), np.nan_to_num(latency_s, posinf=0.0) / bin_s, n_bins)
    place = np.minimum(place.astype(np.int64), n_bins - 1)
    trials, windows = latency_s.shape
    flat = place + n_bins * np.arange(windows)
    counts = np.bincount(flat.ravel(), minlength=n_bins * windows)
    return np.asarray(counts.reshape(windows, n_bins) / max(trials, 1))
