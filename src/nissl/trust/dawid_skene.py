"""What several readers' errors look like when nobody knows the truth.

Dawid and Skene 1979 (J. R. Stat. Soc. C 28, 20-28): each item has one true class, each reader a
confusion matrix, readings are independent given the truth; all of it is estimated by expectation
maximisation, here with a small Dirichlet prior (maximum a posteriori) that keeps every cell
above zero and leans towards readers who are right more often than wrong.

With two readers and no item of known class the model has more unknowns than the data can tell
(2k(k-1) + k-1 against k*k-1): the answer is then mostly the prior. `identified` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class DawidSkene:
    """Readers' confusion matrices and the consensus that follows from them.

    Parameters
    ----------
    confusion : ndarray, shape (n_readers, k, k), float64
        Probability that a reader says (column) of an item that truly is (row).
    posterior : ndarray, shape (n_items, k), float64
        Probability of each true class; gold items hold a 1.
    prior : ndarray, shape (k,), float64
        How frequent the classes are.
    n_ratings : ndarray, shape (n_readers,), int64
    identified : ndarray, shape (n_readers,), bool
        Whether a reader's confusion can be told from the data: some items were read by this
        and two other readers, or this reader read gold items of every class.
    trace : ndarray, shape (n_iterations,), float64
        Log posterior density (up to a constant) after each iteration; it never falls.
    converged : bool
    """

    confusion: Floats
    posterior: Floats
    prior: Floats
    n_ratings: npt.NDArray[np.int64]
    identified: Bools
    trace: Floats
    converged: bool

    @property
    def accuracy(self) -> Floats:
        """Probability that each reader is right about an item drawn at random, (n_readers,)."""
        return np.asarray(np.einsum("rkk,k->r", self.confusion, self.prior))

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the posterior."""
        return {
            "confusion": self.confusion.tolist(),
            "prior": self.prior.tolist(),
            "n_ratings": self.n_ratings.tolist(),
            "identified": self.identified.tolist(),
            "log_posterior": float(self.trace[-1]) if self.trace.size else None,
            "converged": self.converged,
        }


def dawid_skene(
    ratings: npt.ArrayLike,
    n_classes: int,
    *,
    gold: npt.ArrayLike | None = None,
    pseudo_count: float = 0.5,
    pseudo_diagonal: float = 1.5,
    max_iterations: int = 2000,
    tolerance: float = 1e-8,
) -> DawidSkene:
    """Estimate readers' confusion matrices and the true classes together.

    Parameters
    ----------
    ratings : array-like, shape (n_items, n_readers)
        Class codes below `n_classes`; NaN where the reader did not read the item.
    n_classes : int
        k, at least 2.
    gold : array-like, shape (n_items,), optional
        Known class of items, NaN where it is not known; known classes stay fixed.
    pseudo_count, pseudo_diagonal : float
        Readings added to every cell off and on the diagonal of each confusion matrix, as a
        Dirichlet prior; `pseudo_count` also to each class's frequency.
    max_iterations : int
    tolerance : float
        Relative growth of the log posterior below which it has converged.

    Returns
    -------
    DawidSkene

    Raises
    ------
    BadArgumentError
        Codes outside the classes, shapes that do not fit.
    """
    read, known, fixed = _inputs(ratings, n_classes, gold)
    alpha = np.full((n_classes, n_classes), pseudo_count)
    np.fill_diagonal(alpha, pseudo_diagonal)
    posterior = _majority(read, fixed)
    trace: list[float] = []
    converged = False
    for _ in range(max_iterations):
        confusion, prior = _maximise(read, posterior, alpha, pseudo_count)
        posterior, likelihood = _expect(read, confusion, prior, fixed)
        trace.append(likelihood + _log_prior(confusion, prior, alpha, pseudo_count))
        if len(trace) > 1 and trace[-1] - trace[-2] <= tolerance * max(1.0, abs(trace[-1])):
            converged = True
            break
    return DawidSkene(
        confusion=confusion,
        posterior=posterior,
        prior=prior,
        n_ratings=known.sum(axis=0).astype(np.int64),
        identified=_identified(read, known, fixed),
        trace=np.asarray(trace),
        converged=converged,
    )


def _inputs(
    ratings: npt.ArrayLike, k: int, gold: npt.ArrayLike | None
) -> tuple[Floats, Bools, Floats]:
    """One-hot readings (n, r, k), which were made (n, r), and gold as NaN-padded codes (n,)."""
    table = np.asarray(ratings, dtype=np.float64)
    truth = np.full(len(table), np.nan) if gold is None else np.asarray(gold, dtype=np.float64)
    if k < 2 or table.ndim != 2 or not table.size or truth.shape != (len(table),):
        raise BadArgumentError(
            "two classes or more, ratings of shape (n_items, n_readers), gold of (n_items,)",
            f"{k} classes, ratings {table.shape}, gold {truth.shape}",
            "Mend the arguments.",
        )
    for name, codes in (("ratings", table), ("gold", truth)):
        bad = ~np.isnan(codes) & ~np.isin(codes, np.arange(k))
        if bad.any():
            raise BadArgumentError(
                f"{name} as codes 0 to {k - 1}, NaN where missing",
                f"{codes[bad][:3]}",
                "Code the classes.",
            )
    one_hot = (table[:, :, None] == np.arange(k)).astype(np.float64)
    return one_hot, ~np.isnan(table), truth


def _majority(read: Floats, fixed: Floats) -> Floats:
    votes = read.sum(axis=1) + 1e-2
    return _with_gold(votes / votes.sum(axis=1, keepdims=True), fixed)


def _with_gold(posterior: Floats, fixed: Floats) -> Floats:
    rows = np.flatnonzero(~np.isnan(fixed))
    posterior[rows] = 0.0
    posterior[rows, fixed[rows].astype(np.int64)] = 1.0
    return posterior


def _maximise(
    read: Floats, posterior: Floats, alpha: Floats, pseudo_count: float
) -> tuple[Floats, Floats]:
    cells = np.einsum("nj,nrk->rjk", posterior, read) + alpha
    confusion = cells / cells.sum(axis=2, keepdims=True)
    classes = posterior.sum(axis=0) + pseudo_count
    return confusion, classes / classes.sum()


def _expect(read: Floats, confusion: Floats, prior: Floats, fixed: Floats) -> tuple[Floats, float]:
    log = np.einsum("nrk,rjk->nj", read, np.log(np.maximum(confusion, _TINY)))
    log += np.log(np.maximum(prior, _TINY))
    top = log.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(log - top).sum(axis=1))
    rows = np.flatnonzero(~np.isnan(fixed))
    total[rows] = log[rows, fixed[rows].astype(np.int64)]
    weight = np.exp(log - top)
    return _with_gold(weight / weight.sum(axis=1, keepdims=True), fixed), float(total.sum())


def _log_prior(confusion: Floats, prior: Floats, alpha: Floats, pseudo_count: float) -> float:
    cells = (alpha * np.log(np.maximum(confusion, _TINY))).sum()
    return float(cells + pseudo_count * np.log(np.maximum(prior, _TINY)).sum())


def _identified(read: Floats, known: Bools, fixed: Floats) -> Bools:
    n_readers, k = read.shape[1], read.shape[2]
    found = np.zeros(n_readers, dtype=bool)
    for trio in combinations(range(n_readers), 3):
        if not found[list(trio)].all() and known[:, trio].all(axis=1).any():
            found[list(trio)] = True
    for reader in range(n_readers):
        seen = fixed[known[:, reader] & ~np.isnan(fixed)]
        found[reader] |= np.unique(seen).size == k
    return found
