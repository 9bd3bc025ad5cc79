"""How far a number can be trusted: bootstrap over groups, exact binomial intervals.

Recordings of one subject are more alike than recordings of two, so resampling single units
or epochs pretends to more evidence than there is. Everything here resamples whole groups
where groups are given (the cluster bootstrap; Field and Welsh 2007, J. R. Stat. Soc. B 69,
369-390).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Interval:
    """A number with its confidence interval.

    Parameters
    ----------
    estimate, low, high : float
        NaN bounds where there are fewer than two groups to resample.
    level : float
        Confidence level, 0 to 1.
    n : int
        Groups (subjects, units, or single values) behind it.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def to_json(self) -> dict[str, Any]:
        """Plain values; what could not be computed (NaN) is None."""
        numbers = {"estimate": self.estimate, "low": self.low, "high": self.high}
        plain = {name: float(x) if np.isfinite(x) else None for name, x in numbers.items()}
        return {**plain, "level": self.level, "n": self.n}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Interval:
        """Inverse of `to_json`."""
        estimate, low, high = (
            float("nan") if value[name] is None else float(value[name])
            for name in ("estimate", "low", "high")
        )
        return cls(estimate, low, high, float(value["level"]), int(value["n"]))


def bootstrap_interval(
    values: npt.ArrayLike,
    groups: Sequence[Any] | Values | None = None,
    statistic: Callable[[Values], float] = np.mean,
    *,
    rng: np.random.Generator,
    n: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of a statistic, resampling whole groups.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13.

    Parameters
    ----------
    values : array-like, shape (n_values, ...)
    groups : sequence of length n_values, optional
        Group of each value (subject, unit). Without it every value is its own group.
    statistic : callable
        From values of shape (m, ...) to a number.
    rng : numpy.random.Generator
    n : int
        Resamples.
    level : float

    Returns
    -------
    Interval
    """
    _check(n, level)
    data = np.asarray(values)
    codes, n_groups = _codes(groups, len(data))
    estimate = float(statistic(data)) if len(data) else float("nan")
    if n_groups < 2:
        return Interval(estimate, float("nan"), float("nan"), level, n_groups)
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    draws = np.empty(n)
    for index in range(n):
        chosen = rng.integers(0, n_groups, n_groups)
        draws[index] = statistic(data[np.concatenate([members[g] for g in chosen])])
    low, high = percentiles(draws, level)
    return Interval(estimate, float(low), float(high), level, n_groups)


def resampled_sums(
    sums: npt.NDArray[np.float64],
    groups: Sequence[Any] | Values | None = None,
    *,
    rng: np.random.Generator,
    n: int = 2000,
    max_groups: int = 1000,
) -> npt.NDArray[np.float64]:
    """Bootstrap resamples of sums over groups; for statistics that are functions of sums.

    Rates, F1, kappa, RMSE all follow from sums of counts, so a resample costs one row of a
    matrix product, however many values there are.

    Parameters
    ----------
    sums : ndarray, shape (n_values, k), float64
        Additive counts of each value.
    groups : sequence of length n_values, optional
        Without it every value is a group; more than `max_groups` values are taken in that
        many blocks of neighbours, since neighbours in time are alike.
    rng : numpy.random.Generator
    n, max_groups : int

    Returns
    -------
    ndarray, shape (n, k), float64
        All NaN where there are fewer than two groups.
    """
    _check(n, 0.95)
    if groups is None and len(sums) > max_groups:
        groups = np.arange(len(sums)) * max_groups // len(sums)
    codes, n_groups = _codes(groups, len(sums))
    if n_groups < 2:
        return np.full((n, sums.shape[1]), np.nan)
    per_group = np.zeros((n_groups, sums.shape[1]))
    np.add.at(per_group, codes, sums)
    counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n)
    return np.asarray(counts @ per_group, dtype=np.float64)


def percentiles(draws: Values, level: float) -> tuple[Values, Values]:
    """Lower and upper percentile of bootstrap draws along the first axis, NaNs left out."""
    tail = 50 * (1 - level)
    if np.all(np.isnan(draws)):
        gone = np.full(draws.shape[1:], np.nan)
        return gone, gone
    low, high = np.nanpercentile(draws, [tail, 100 - tail], axis=0)
    return low, high


def binomial_interval(successes: int, trials: int, *, level: float = 0.95) -> Interval:
    """Exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26, 404-413).

    Parameters
    ----------
    successes, trials : int
        0 <= successes <= trials.
    level : float

    Returns
    -------
    Interval
        Without trials the estimate is NaN and the interval 0 to 1.
    """
    from scipy.special import betaincinv

    _check(1, level)
    if not 0 <= successes <= trials:
        raise BadArgumentError(
            "0 <= successes <= trials", f"{successes} of {trials}", "Check the counts."
        )
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = (
        1.0
        if successes == trials
        else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    )
    estimate = successes / trials if trials else float("nan")
    return Interval(estimate, low, high, level, trials)


def _codes(groups: Sequence[Any] | Values | None, n: int) -> tuple[npt.NDArray[np.intp], int]:
    if groups is None:
        return np.arange(n), n
    if len(groups) != n:
        raise BadArgumentError(
            f"one group for each of {n} values", str(len(groups)), "Give one per value."
        )
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    return codes, names.size


def _check(n: int, level: float) -> None:
    if n < 1 or not 0 < level < 1:
        raise BadArgumentError(
            "at least one resample and a level between 0 and 1",
            f"n={n}, level={level}",
            "Mend the arguments.",
        )
