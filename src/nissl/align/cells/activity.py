"""Activity as evidence between days: who was lively, and how, is often so again.

Facts of each cell's trace become normal scores within its own day, so that another laser, indicator
or noise level does not matter, and are turned to axes on which cells differ independently. On each
axis the correlation between days is learnt from pairs that lie and look alike; pairs of different
neurons have that of neighbours of one day, who share light. Where cells did not stay as they
were, the learnt correlations are nothing and so is the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FACTS = ("snr", "std", "skewness", "neighbour_correlation")
"""Facts of a cell that are compared; see `nissl.annotators.cells.features`."""
CHANGED = 0.2
"""Share of cells that is taken to have changed: what one cell's activity can speak against it."""
MOST = 20.0
"""What activity can speak for a pair, at most."""
_USUAL = 20.0
_DEVIATIONS = 2.0


def facts_of(table: Mapping[str, Any] | None, n_cells: int) -> Values | None:
    """Facts that activity is compared by, (n_cells, n_facts); None where a day has none.

    Parameters
    ----------
    table : mapping of str to array of shape (n_cells,), optional
    n_cells : int
    """
    if table is None or any(name not in table for name in FACTS):
        return None
    facts = np.stack([np.asarray(table[name], np.float64) for name in FACTS], axis=1)
    return facts if len(facts) == n_cells and np.isfinite(facts).any() else None


def normal_scores(facts: Values) -> Values:
    """Ranks within each column as quantiles of a normal, (n_cells, n_facts); NaN stay."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    out = np.full(facts.shape, np.nan)
    for k, column in enumerate(facts.T):
        known = np.isfinite(column)
        if known.any():
            out[known, k] = ndtri((rankdata(column[known]) - 0.5) / known.sum())
    return out


def log_ratio(
    scores: tuple[Values, Values],
    pairs: tuple[Rows, Rows],
    weight: Values,
    beside: tuple[tuple[Rows, Rows], tuple[Rows, Rows]],
) -> Values:
    """How much likelier the activity of each pair is for one neuron than for two, as a logarithm.

    Parameters
    ----------
    scores : tuple of ndarray, shape (n_cells, n_facts)
        Of both days; see `normal_scores`. A pair of which a number is missing gets 0.
    pairs : tuple of ndarray, shape (n_pairs,), int64
        Rows of the first and of the second day.
    weight : ndarray, shape (n_pairs,), float64
        Probability of each to be one neuron by what else is known.
    beside : tuple of tuple of ndarray
        Pairs of neighbours of the first day, and of the second.

    Returns
    -------
    ndarray, shape (n_pairs,), float64
        From the logarithm of `CHANGED` to that of `MOST`.
    """
    axes = _axes(np.concatenate(scores))
    turned = [np.where(np.isfinite(each), each, np.nan) @ axes for each in scores]
    u, v = turned[0][pairs[0]], turned[1][pairs[1]]
    known = np.isfinite(u).all(axis=1) & np.isfinite(v).all(axis=1)
    out = np.zeros(weight.size)
    if not known.any():
        return out
    near = [(day[a], day[b]) for day, (a, b) in zip(turned, beside, strict=True)]
    first, second = (np.concatenate([pair[k] for pair in near]) for k in (0, 1))
    seen = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    other = _correlation(first[seen], second[seen], np.ones(int(seen.sum())))
    same = np.maximum(_correlation(u[known], v[known], weight[known]), other)
    ratio = (_log_density(u[known], v[known], same) - _log_density(u[known], v[known], other)).sum(
        axis=1
    )
    likely = (1 - CHANGED) * np.exp(np.minimum(ratio, 50.0)) + CHANGED
    out[known] = np.log(np.minimum(likely, MOST))
    return out


def _axes(scores: Values) -> Values:
    """Matrix that takes scores to independent axes of unit variance."""
    known = scores[np.isfinite(scores).all(axis=1)]
    if len(known) < 2:
        return np.eye(scores.shape[1])
    values, vectors = np.linalg.eigh(np.cov(known.T) + 1e-6 * np.eye(scores.shape[1]))
    return np.asarray(vectors / np.sqrt(values))


def _correlation(u: Values, v: Values, weight: Values) -> Values:
    """Correlation on each axis, drawn to 0 where few pairs tell of it; 0 where it may be luck."""
    total = float(weight.sum())
    r = (weight[:, None] * u * v).sum(axis=0) / (total + _USUAL)
    sure = np.abs(r) * np.sqrt(total) > _DEVIATIONS
    return np.asarray(np.where(sure, np.clip(r, 0.0, 0.95), 0.0))


def _log_density(u: Values, v: Values, r: Values) -> Values:
    """Log density of two unit normals of a correlation, but for what does not depend on it."""
    rest = 1 - r**2
    return np.asarray(-0.5 * np.log(rest) - (u * u - 2 * r * u * v + v * v) / (2 * rest))


__all__ = ["FACTS", "facts_of", "log_ratio", "normal_scores"]
