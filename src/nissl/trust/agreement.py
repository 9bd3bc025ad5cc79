"""How far readers agree, corrected for chance.

Convention of `Ratings`: an array of shape (n_items, n_readers), float64. Values are class codes
0, 1, 2, ... (or numbers, for the interval metric of alpha); NaN means that the reader did not
read the item. Every statistic comes with a bootstrap interval over items, or over whole groups
(subjects) where those are given.

All statistics are functions of sums over items, so a resample is one row of a matrix product.
Agreement on events and spans by overlap is `nissl.labels.compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.intervals import Interval, percentiles, resampled_sums

Ratings = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]
Groups = Sequence[Any] | npt.NDArray[Any] | None

WEIGHTS = (None, "linear", "quadratic")
METRICS = ("nominal", "ordinal", "interval")


def cohen_kappa(
    ratings: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    weights: str | None = None,
    groups: Groups = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Cohen's kappa of two readers (1960, Educ. Psychol. Meas. 20, 37-46).

    Parameters
    ----------
    ratings : array-like, shape (n_items, 2)
        Class codes; items that one of the two did not read are left out.
    rng : numpy.random.Generator
    weights : {None, "linear", "quadratic"}
        Cost of a disagreement by the distance of the codes, for ordered classes (Cohen 1968,
        Psychol. Bull. 70, 213-220); None counts every disagreement alike.
    groups : sequence of length n_items, optional
        Subject of each item, resampled whole.
    n_bootstrap : int
    level : float

    Returns
    -------
    Interval
        NaN where nothing was read twice or only one class was ever given.
    """
    if weights not in WEIGHTS:
        raise BadArgumentError(f"weights among {WEIGHTS}", repr(weights), "Choose one of them.")
    table = _checked(ratings, codes=True)
    if table.shape[1] != 2:
        raise BadArgumentError(
            "the ratings of two readers", f"{table.shape[1]}", "Take fleiss_kappa or alpha."
        )
    both = np.asarray(~np.isnan(table).any(axis=1))
    k = _n_classes(table)
    sums = np.zeros((both.sum(), k * k))
    first, second = table[both].astype(np.int64).T
    sums[np.arange(first.size), first * k + second] = 1
    statistic = partial(_cohen, cost=_cost(k, weights))
    return _interval(sums, _kept(groups, both), statistic, rng, n_bootstrap, level)


def fleiss_kappa(
    ratings: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    groups: Groups = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Fleiss' kappa of any number of readers (1971, Psychol. Bull. 76, 378-382).

    The readers need not be the same ones from item to item; where their number differs, each
    item's own number counts (Fleiss, Levin and Paik 2003, Statistical Methods for Rates and
    Proportions, 18.3).

    Parameters
    ----------
    ratings : array-like, shape (n_items, n_readers)
        Class codes; items read fewer than twice are left out.
    rng, groups, n_bootstrap, level
        As for `cohen_kappa`.

    Returns
    -------
    Interval
    """
    counts = _counts(_checked(ratings, codes=True))
    n = counts.sum(axis=1)
    twice = n >= 2
    counts, n = counts[twice], n[twice]
    agreed = (np.square(counts).sum(axis=1) - n) / np.maximum(n * (n - 1), 1)
    sums = np.column_stack([counts, agreed, np.ones(n.size)])
    return _interval(sums, _kept(groups, twice), _fleiss, rng, n_bootstrap, level)


def krippendorff_alpha(
    ratings: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    metric: str = "nominal",
    groups: Groups = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Krippendorff's alpha: any number of readers, missing ratings, three scales.

    Hayes and Krippendorff 2007, Commun. Methods Meas. 1, 77-89.

    Parameters
    ----------
    ratings : array-like, shape (n_items, n_readers)
        Class codes for "nominal" and "ordinal", any numbers for "interval".
    rng : numpy.random.Generator
    metric : {"nominal", "ordinal", "interval"}
        How far apart two values are.
    groups, n_bootstrap, level
        As for `cohen_kappa`.

    Returns
    -------
    Interval
        NaN where nothing was read twice or all ratings are the same.
    """
    if metric not in METRICS:
        raise BadArgumentError(f"a metric among {METRICS}", repr(metric), "Choose one of them.")
    table = _checked(ratings, codes=metric != "interval")
    twice = (~np.isnan(table)).sum(axis=1) >= 2
    table = table[twice]
    if metric == "interval":
        sums, statistic = _moments(table), _alpha_of_moments
    else:
        sums = _coincidences(_counts(table))
        statistic = partial(_alpha_of_coincidences, ordinal=metric == "ordinal")
    return _interval(sums, _kept(groups, twice), statistic, rng, n_bootstrap, level)


def percent_agreement(
    ratings: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    groups: Groups = None,
    n_bootstrap: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Fraction of pairs of readings of one item that say the same, not corrected for chance.

    Parameters
    ----------
    ratings : array-like, shape (n_items, n_readers)
        Class codes; every item read twice or more counts alike.
    rng, groups, n_bootstrap, level
        As for `cohen_kappa`.

    Returns
    -------
    Interval
    """
    counts = _counts(_checked(ratings, codes=True))
    n = counts.sum(axis=1)
    twice = n >= 2
    counts, n = counts[twice], n[twice]
    agreed = (np.square(counts).sum(axis=1) - n) / np.maximum(n * (n - 1), 1)
    sums = np.column_stack([agreed, np.ones(n.size)])
    return _interval(sums, _kept(groups, twice), _mean, rng, n_bootstrap, level)


def _mean(sums: Floats) -> Floats:
    return _ratio(sums[..., 0], sums[..., 1])


def _cost(k: int, weights: str | None) -> Floats:
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
    if weights is None:
        return np.asarray(apart > 0, dtype=np.float64)
    return apart if weights == "linear" else np.square(apart)


def _cohen(sums: Floats, cost: Floats) -> Floats:
    confusion = sums.reshape(*sums.shape[:-1], *cost.shape)
    seen = (confusion * cost).sum(axis=(-2, -1))
    chance = confusion.sum(axis=-1)[..., :, None] * confusion.sum(axis=-2)[..., None, :]
    expected = _ratio((chance * cost).sum(axis=(-2, -1)), confusion.sum(axis=(-2, -1)))
    return 1 - _ratio(seen, expected)


def _fleiss(sums: Floats) -> Floats:
    counts, agreed, n = sums[..., :-2], sums[..., -2], sums[..., -1]
    share = _ratio(counts, counts.sum(axis=-1, keepdims=True))
    chance = np.square(share).sum(axis=-1)
    return _ratio(_ratio(agreed, n) - chance, 1 - chance)


def _coincidences(counts: Floats) -> Floats:
    """Each item's coincidence matrix, flat: shape (n_items, k * k)."""
    n = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    k = counts.shape[1]
    pairs[:, np.arange(k), np.arange(k)] -= counts
    return np.asarray((pairs / np.maximum(n - 1, 1)[:, None, None]).reshape(len(counts), k * k))


def _alpha_of_coincidences(sums: Floats, ordinal: bool) -> Floats:
    k = round(np.sqrt(sums.shape[-1]))
    seen = sums.reshape(*sums.shape[:-1], k, k)
    n = seen.sum(axis=-1)
    total = n.sum(axis=-1)
    expected = n[..., :, None] * n[..., None, :]
    apart = _ordinal(n) if ordinal else np.broadcast_to(1 - np.eye(k), seen.shape)
    found = (seen * apart).sum(axis=(-2, -1)) * (total - 1)
    return 1 - _ratio(found, (expected * apart).sum(axis=(-2, -1)))


def _ordinal(n: Floats) -> Floats:
    """Squared distance of two ranks: all values between them, half of their own."""
    upto = np.cumsum(n, axis=-1) - n / 2
    return np.asarray(np.square(upto[..., :, None] - upto[..., None, :]))


def _moments(table: Ratings) -> Floats:
    """Per item: ratings, their sum, their squares, squared differences within the item."""
    known = ~np.isnan(table)
    n = known.sum(axis=1)
    centre = np.nanmean(table) if known.any() else 0.0
    value = np.where(known, table - centre, 0.0)
    total, squares = value.sum(axis=1), np.square(value).sum(axis=1)
    within = 2 * (n * squares - total**2) / np.maximum(n - 1, 1)
    return np.column_stack([n, total, squares, within])


def _alpha_of_moments(sums: Floats) -> Floats:
    n, total, squares, within = np.moveaxis(sums, -1, 0)
    among = 2 * (n * squares - total**2)
    return 1 - _ratio(within * (n - 1), among)


def _interval(
    sums: Floats,
    groups: Groups,
    statistic: Callable[[Floats], Floats],
    rng: np.random.Generator,
    n_bootstrap: int,
    level: float,
) -> Interval:
    estimate = float(statistic(sums.sum(axis=0)))
    draws = statistic(resampled_sums(sums, groups, rng=rng, n=n_bootstrap))
    low, high = percentiles(np.asarray(draws), level)
    n = len(sums) if groups is None else np.unique(np.asarray(groups)).size
    return Interval(estimate, float(low), float(high), level, n)


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole <= 1e-12, np.nan, part / whole))


def _kept(groups: Groups, keep: npt.NDArray[np.bool_]) -> npt.NDArray[Any] | None:
    if groups is None:
        return None
    if len(groups) != keep.size:
        raise BadArgumentError(
            f"one group for each of {keep.size} items", str(len(groups)), "Give one per item."
        )
    return np.asarray(np.asarray(groups)[keep])


def _n_classes(table: Ratings) -> int:
    return int(np.nanmax(table)) + 1 if (~np.isnan(table)).any() else 1


def _counts(table: Ratings) -> Floats:
    """How many readers gave each class to each item, shape (n_items, k)."""
    k = _n_classes(table)
    return np.stack([(table == code).sum(axis=1) for code in range(k)], axis=1).astype(np.float64)


def _checked(ratings: npt.ArrayLike, *, codes: bool) -> Ratings:
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or np.isinf(table).any():
        raise BadArgumentError(
            "finite ratings of shape (n_items, n_readers)", f"shape {table.shape}", "Mend them."
        )
    known = table[~np.isnan(table)]
    if codes and (np.any(known < 0) or np.any(known != np.round(known))):
        raise BadArgumentError(
            "class codes 0, 1, 2, ... and NaN", f"values such as {known[:3]}", "Code the classes."
        )
    return table
