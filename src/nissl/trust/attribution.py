"""Why a model says so, in the reader's own terms: which of the features moved its answer.

Shapley values of a prediction against a background (Strumbelj and Kononenko 2014, Knowl. Inf.
Syst. 41, 647-665; Lundberg and Lee 2017): a feature that is "absent" takes its values from the
background items. They ask nothing of the model but predictions. Features may be tied into parts
(all metrics of one channel, all samples of one moment), which are then present or absent
together. `deletion_test` checks such an attribution: taking away what it says matters most must
lower the confidence more than taking away as much at random.

Here predict is a function from items (m, d) to numbers (m,), such as the probability of one class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.intervals import Interval, bootstrap_interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Predict = Callable[[Floats], npt.ArrayLike]

_BATCH_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each part added to a prediction.

    Parameters
    ----------
    values : ndarray, shape (n_parts,), float64
        They sum to `prediction - base`.
    error : ndarray, shape (n_parts,), float64
        Standard error of sampling; 0 where every coalition was evaluated.
    base : float
        Mean prediction over the background.
    prediction : float
    """

    values: Floats
    error: Floats
    base: float
    prediction: float

    def order(self) -> Ints:
        """Parts, the largest absolute contribution first."""
        return np.asarray(np.argsort(-np.abs(self.values), kind="stable"), dtype=np.int64)


def contributions(
    predict: Predict,
    x: npt.ArrayLike,
    background: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    parts: npt.ArrayLike | None = None,
    n_permutations: int = 200,
    exact_up_to: int = 8,
) -> Contributions:
    """Shapley values of one item.

    Parameters
    ----------
    predict : callable
    x : array-like, shape (d,)
    background : array-like, shape (m, d)
        Items to compare with, such as 50 drawn from the training data. NaN where not measured.
    rng : numpy.random.Generator
        Draws orders of the parts; unused where all coalitions are evaluated.
    parts : array-like of int, shape (d,), optional
        Part 0, 1, ... of each feature; by default every feature is its own.
    n_permutations : int
        Random orders, each with its reverse (antithetic), against one background item each.
    exact_up_to : int
        Up to this many parts every coalition is evaluated against every background item.

    Returns
    -------
    Contributions

    Raises
    ------
    BadArgumentError
        Shapes that do not fit.
    """
    item, others, tied = _checked(x, background, parts)
    n_parts = int(tied.max()) + 1
    base = float(np.mean(_predict(predict, others)))
    prediction = float(_predict(predict, item[None])[0])
    if n_parts <= exact_up_to:
        values, error = _exact(predict, item, others, tied), np.zeros(n_parts)
    else:
        values, error = _sampled(predict, item, others, tied, rng, n_permutations)
        # the sampled orders meet a sample of the background: close the gap in proportion to doubt
        gap, doubt = prediction - base - values.sum(), np.square(error)
        total = doubt.sum()
        values = values + gap * (doubt / total if total > 0 else 1 / n_parts)
    return Contributions(values, error, base, prediction)


def _exact(predict: Predict, item: Floats, others: Floats, tied: Ints) -> Floats:
    n = int(tied.max()) + 1
    present = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    worth = np.asarray(
        [np.mean(_predict(predict, np.where(row[tied] == 1, item, others))) for row in present]
    )
    values = np.zeros(n)
    for part in range(n):
        rest = [p for p in range(n) if p != part]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for members in combinations(rest, size):
                code = sum(1 << m for m in members)
                values[part] += weight * (worth[code | (1 << part)] - worth[code])
    return values


def _sampled(
    predict: Predict,
    item: Floats,
    others: Floats,
    tied: Ints,
    rng: np.random.Generator,
    n_permutations: int,
) -> tuple[Floats, Floats]:
    n = int(tied.max()) + 1
    orders = np.stack([rng.permutation(n) for _ in range(n_permutations)])
    start = others[np.arange(n_permutations) % len(others)]
    found = np.empty((n_permutations, n))
    per = max(1, _BATCH_ROWS // (2 * (n + 1)))
    for low in range(0, n_permutations, per):
        chunk = slice(low, low + per)
        both = [_walk(predict, item, start[chunk], tied, o) for o in _with_reverse(orders[chunk])]
        found[chunk] = (both[0] + both[1]) / 2
    spread = found.std(axis=0, ddof=1) if n_permutations > 1 else np.zeros(n)
    return found.mean(axis=0), np.asarray(spread / np.sqrt(n_permutations))


def _with_reverse(orders: Ints) -> tuple[Ints, Ints]:
    return orders, orders[:, ::-1]


def _walk(predict: Predict, item: Floats, start: Floats, tied: Ints, orders: Ints) -> Floats:
    """Marginal contribution of each part along each order, shape (n_orders, n_parts)."""
    n_orders, n = orders.shape
    rank = np.empty_like(orders)
    np.put_along_axis(rank, orders, np.broadcast_to(np.arange(n), orders.shape), axis=1)
    step = np.arange(n + 1)
    present = rank[:, None, :] < step[None, :, None]
    rows = np.where(present[:, :, tied], item, start[:, None, :])
    worth = _predict(predict, rows.reshape(-1, item.size)).reshape(n_orders, n + 1)
    out = np.empty((n_orders, n))
    np.put_along_axis(out, orders, np.diff(worth, axis=1), axis=1)
    return out


@dataclass(frozen=True, eq=False)
class Nearest:
    """Examples that people have decided on, nearest to an item.

    Parameters
    ----------
    accepted, rejected : ndarray, shape (up to n,), int64
        Rows of the given features, nearest first.
    accepted_distance, rejected_distance : ndarray of float64
        Root mean square difference over the features that both have measured.
    """

    accepted: Ints
    accepted_distance: Floats
    rejected: Ints
    rejected_distance: Floats


def nearest(
    x: npt.ArrayLike,
    features: npt.ArrayLike,
    labels: Sequence[Any] | npt.NDArray[Any],
    states: Sequence[str],
    *,
    label: Any = None,
    n: int = 3,
) -> Nearest:
    """Nearest examples that people accepted as a class, and those they took out of it.

    Parameters
    ----------
    x : array-like, shape (d,)
        Standardised; NaN where not measured.
    features : array-like, shape (m, d)
        Of the items decided on, in the same units.
    labels : sequence of length m
        The class that was proposed for each.
    states : sequence of str, length m
        "accepted" (also "added"), or "changed" or "removed", which count as rejected; others
        are left out.
    label : optional
        Only items for which this class was proposed; all without it.
    n : int
        Examples of each sort.

    Returns
    -------
    Nearest
    """
    item = np.asarray(x, dtype=np.float64)
    known = np.asarray(features, dtype=np.float64)
    if (
        known.ndim != 2
        or item.shape != known.shape[1:]
        or not len(labels) == len(states) == len(known)
    ):
        raise BadArgumentError(
            "features (m, d), an item (d,), m labels and m states",
            f"{known.shape}, {item.shape}, {len(labels)}, {len(states)}",
            "Give one label and state per row.",
        )
    apart = _distance(item, known)
    state = np.asarray(states, dtype=object)
    mine = np.isfinite(apart)
    if label is not None:
        mine &= np.asarray([given == label for given in labels], dtype=bool)
    accepted = _closest(apart, mine & np.isin(state.astype(str), ("accepted", "added")), n)
    rejected = _closest(apart, mine & np.isin(state.astype(str), ("changed", "removed")), n)
    return Nearest(accepted, apart[accepted], rejected, apart[rejected])


def _closest(apart: Floats, mine: Bools, n: int) -> Ints:
    rows = np.flatnonzero(mine)
    return rows[np.argsort(apart[rows], kind="stable")][:n].astype(np.int64)


def _distance(item: Floats, known: Floats) -> Floats:
    both = ~np.isnan(known) & ~np.isnan(item)
    squares = np.where(both, np.square(np.where(both, known - item, 0.0)), 0.0).sum(axis=1)
    count = both.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(count == 0, np.inf, np.sqrt(squares / count)))


@dataclass(frozen=True)
class Deletion:
    """Whether an attribution points at what the model used.

    Parameters
    ----------
    top, random : Interval
        Mean fall of the prediction when the top attributed part, or a part at random, is
        replaced by background.
    difference : Interval
        Top minus random, by item; `holds` when its lower bound is above zero.
    """

    top: Interval
    random: Interval
    difference: Interval

    @property
    def holds(self) -> bool:
        """Whether the top part matters more than a random one."""
        return bool(self.difference.low > 0)


def deletion_test(
    predict: Predict,
    items: npt.ArrayLike,
    background: npt.ArrayLike,
    attributed: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    parts: npt.ArrayLike | None = None,
    n_bootstrap: int = 2000,
) -> Deletion:
    """Replace the part with the largest contribution, and one at random, by background.

    Parameters
    ----------
    predict : callable
        Confidence of the class that was attributed.
    items : array-like, shape (n, d)
    background : array-like, shape (m, d)
    attributed : array-like, shape (n, n_parts)
        `Contributions.values` of each item.
    rng : numpy.random.Generator
    parts : array-like of int, shape (d,), optional
        As for `contributions`.
    n_bootstrap : int

    Returns
    -------
    Deletion
    """
    rows = np.asarray(items, dtype=np.float64)
    worth = np.asarray(attributed, dtype=np.float64)
    if rows.ndim != 2 or not len(rows) or worth.shape[:1] != rows.shape[:1]:
        raise BadArgumentError(
            "items (n, d) with their contributions (n, n_parts)",
            f"{rows.shape} and {worth.shape}",
            "Attribute each item first.",
        )
    _, others, tied = _checked(rows[0], background, parts)
    before = _predict(predict, rows)
    falls = np.empty((len(rows), 2))
    for index, row in enumerate(rows):
        for column, part in enumerate((worth[index].argmax(), rng.integers(worth.shape[1]))):
            without = np.where(tied == part, others, row)
            falls[index, column] = before[index] - np.mean(_predict(predict, without))
    top, random, apart = (
        bootstrap_interval(values, rng=rng, n=n_bootstrap)
        for values in (falls[:, 0], falls[:, 1], falls[:, 0] - falls[:, 1])
    )
    return Deletion(top, random, apart)


def _predict(predict: Predict, rows: Floats) -> Floats:
    return np.asarray(predict(rows), dtype=np.float64).reshape(len(rows))


def _checked(
    x: npt.ArrayLike, background: npt.ArrayLike, parts: npt.ArrayLike | None
) -> tuple[Floats, Floats, Ints]:
    item, others = np.asarray(x, dtype=np.float64), np.asarray(background, dtype=np.float64)
    tied = np.arange(item.size) if parts is None else np.asarray(parts, dtype=np.int64)
    fits = item.ndim == 1 and item.size and others.ndim == 2 and len(others)
    if not fits or others.shape[1] != item.size or tied.shape != item.shape:
        raise BadArgumentError(
            "an item (d,), a background (m, d) and parts (d,)",
            f"{item.shape}, {others.shape}, {tied.shape}",
            "Mend the shapes.",
        )
    if not np.array_equal(np.unique(tied), np.arange(tied.max() + 1)):
        raise BadArgumentError("parts 0, 1, ... without gaps", f"{np.unique(tied)}", "Number them.")
    return item, others, tied.astype(np.int64)
