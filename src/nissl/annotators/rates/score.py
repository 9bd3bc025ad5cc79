"""Scoring single spikes of known cells; rates themselves are scored in `benchmarks/rates.py`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nissl.labels import LabelSet

Ints = npt.NDArray[np.int64]

TOLERANCE = 2
"""Frames by which a spike may be off."""


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Spikes found within two frames, and the correlation of spike counts smoothed as much.

    Parameters
    ----------
    proposal, truth : LabelSet
        EVENTS on the same stream; items are the ROIs in both.

    Returns
    -------
    mapping of str to float
        `correlation_median` and `f1_median` over the ROIs with true spikes, `precision` and
        `recall` over all spikes; NaN where nothing can be said.
    """
    n_hit = 0
    r, f1 = [], []
    for item in truth.items.tolist():
        true, said = _frames(truth, item), _frames(proposal, item)
        hits = matched(said, true, TOLERANCE)
        n_hit += hits
        f1.append(2 * hits / (true.size + said.size))
        r.append(_correlation(said, true))
    claimed, there = proposal.n_rows, truth.n_rows
    return {
        "correlation_median": _median(r),
        "f1_median": _median(f1),
        "precision": n_hit / claimed if claimed else float("nan"),
        "recall": n_hit / there if there else float("nan"),
    }


def matched(said: Ints, true: Ints, tolerance: int) -> int:
    """Pairs of sorted frames within a tolerance, each used once, as many as there can be."""
    hits = a = b = 0
    while a < said.size and b < true.size:
        apart = int(said[a] - true[b])
        if abs(apart) <= tolerance:
            hits, a, b = hits + 1, a + 1, b + 1
        elif apart < 0:
            a += 1
        else:
            b += 1
    return hits


def _frames(labels: LabelSet, item: int) -> Ints:
    if item not in labels.items:
        return np.empty(0, np.int64)
    return np.sort(labels.column("sample")[labels.rows_of(item)].astype(np.int64))


def _correlation(said: Ints, true: Ints) -> float:
    from scipy.ndimage import gaussian_filter1d

    if not said.size:
        return 0.0
    n = int(max(said[-1], true[-1])) + 4 * TOLERANCE
    counts = [np.bincount(frames, minlength=n).astype(np.float64) for frames in (said, true)]
    smooth = [gaussian_filter1d(each, TOLERANCE) for each in counts]
    return float(np.corrcoef(*smooth)[0, 1])


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")


__all__ = ["TOLERANCE", "matched", "score"]
