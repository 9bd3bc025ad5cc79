"""Which blob is which neuron in one volume, from what is known of each.

Evidence is a table of logarithms of probabilities (blobs, neurons and "none of them"). Every
neuron is one blob at most and every blob one neuron at most; the best such assignment follows
from evidence alone, then again with where each neuron should lie by its neighbours: a smooth
displacement (an affine map and a Gaussian process over it) from a volume in which all neurons
have places, fitted to those that are sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Smoothness:
    """How neighbours tell where a neuron lies.

    Parameters
    ----------
    reach : float
        Length over which displacements go together, a part of the spread of the neurons.
    amplitude : float
        Standard deviation of displacement beyond the affine map, the same part.
    noise : float
        Standard deviation of single neurons about the field, the same part.
    """

    reach: float = 0.5
    amplitude: float = 0.25
    noise: float = 0.03


def best(evidence: Floats, absent: float = -3.0) -> Ints:
    """The best assignment.

    Parameters
    ----------
    evidence : ndarray, shape (n_blobs, n_neurons + 1)
        Logarithms of probabilities; the last column: none of the neurons.
    absent : float
        Logarithm of the probability that a neuron has no blob.

    Returns
    -------
    ndarray, shape (n_neurons,)
        Blob of each neuron, -1 for none.
    """
    from scipy.optimize import linear_sum_assignment

    n_blobs, n = evidence.shape[0], evidence.shape[1] - 1
    gain = evidence[:, :-1] - evidence[:, -1:]
    table = np.full((n_blobs + n, n), absent)
    table[:n_blobs] = gain
    rows, columns = linear_sum_assignment(table, maximize=True)
    chosen = np.full(n, -1, np.int64)
    chosen[columns] = np.where(rows < n_blobs, rows, -1)
    return chosen


def marginals(evidence: Floats, absent: float = -3.0, rounds: int = 20) -> Floats:
    """Probabilities with at most one blob per neuron: Sinkhorn's scaling with slack.

    Returns
    -------
    ndarray, shape (n_blobs, n_neurons + 1)
    """
    if not len(evidence):
        return np.exp(evidence)
    table = np.exp(np.clip(evidence - evidence.max(axis=1, keepdims=True), -60, 0))
    slack = np.full(table.shape[1] - 1, np.exp(absent))
    for _ in range(rounds):
        table = table / table.sum(axis=1, keepdims=True)
        total = np.maximum(table[:, :-1].sum(axis=0) + slack, 1.0)
        table = np.concatenate([table[:, :-1] / total, table[:, -1:]], axis=1)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Expected:
    """Where neurons should lie.

    Parameters
    ----------
    xyz : ndarray, shape (n_neurons, 3)
    spread : ndarray, shape (n_neurons,)
        Standard deviation, in the unit of `xyz`.
    """

    xyz: Floats
    spread: Floats


def expected(
    source: Floats, target: Floats, trust: Floats, smooth: Smoothness | None = None
) -> Expected:
    """Places of all neurons of `source` by a smooth displacement to those with a `target`.

    Parameters
    ----------
    source, target : ndarray, shape (n_neurons, 3)
        In units in which directions compare (micrometres, or spreads); NaN without a place.
    trust : ndarray, shape (n_neurons,)
        Probability that the target is right; what is unlikely counts little.
    smooth : Smoothness, optional
    """
    how = smooth or Smoothness()
    known = np.isfinite(source).all(axis=1)
    use = known & np.isfinite(target).all(axis=1) & (trust > 0.05)
    out = np.full(source.shape, np.nan)
    spread = np.full(len(source), np.nan)
    if use.sum() < 4:
        return Expected(out, spread)
    unit = float(np.std(source[known] - source[known].mean(axis=0)))
    a, b = source[use], target[use]
    noise = (how.noise**2 + 0.5 * (1 / np.clip(trust[use], 0.05, 1.0) - 1) ** 2) * unit**2
    base = np.column_stack([np.ones(len(source)), source - np.nanmean(source, axis=0)])
    # an affine map with a wide prior, and a field over it: one Gaussian process
    prior = np.array([unit**2, 0.3**2, 0.3**2, 0.3**2])
    everywhere = _kernel(source[known], a, unit, how) + (base[known] * prior) @ base[use].T
    within = _kernel(a, a, unit, how) + (base[use] * prior) @ base[use].T + np.diag(noise)
    solved = np.linalg.solve(within, np.column_stack([b - a, everywhere.T]))
    out[known] = source[known] + everywhere @ solved[:, :3]
    own = (how.amplitude * unit) ** 2 + (base[known] ** 2 * prior).sum(axis=1)
    left = own - np.einsum("nk,kn->n", everywhere, solved[:, 3:])
    spread[known] = np.sqrt(np.clip(left, 0, None) + (how.noise * unit) ** 2)
    return Expected(out, spread)


def _kernel(a: Floats, b: Floats, unit: float, how: Smoothness) -> Floats:
    apart = ((a[:, None] - b[None]) ** 2).sum(axis=2) / (how.reach * unit) ** 2
    return np.asarray((how.amplitude * unit) ** 2 * np.exp(-0.5 * apart))


__all__ = ["Expected", "Smoothness", "best", "expected", "marginals"]
