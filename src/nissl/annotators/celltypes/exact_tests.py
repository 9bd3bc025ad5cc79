"""Exact tests of a count against the same count at other times, and many of them together.

Every trial (a light pulse, a complex spike) has one window that is tested and others around it
in which nothing is expected. Under the null the tested window is like the others of its own
trial, so the share of windows with a spike is the trial's own chance, and the number of trials
with a spike in the tested window is a sum of unequal coin tosses. Slow changes of the rate
change the chances and not the test.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def poisson_binomial(chances: Values) -> Values:
    """Distribution of the number of successes in trials of unequal chances.

    Parameters
    ----------
    chances : ndarray, shape (n_trials,), float64, 0 to 1

    Returns
    -------
    ndarray, shape (n_trials + 1,), float64
        Probability of 0, 1, ..., n_trials successes; sums to 1.
    """
    from scipy.stats import binom

    out = np.ones(1)
    levels, counts = np.unique(chances, return_counts=True)
    for chance, count in zip(levels.tolist(), counts.tolist(), strict=True):
        out = np.convolve(out, binom.pmf(np.arange(count + 1), count, chance))
    return np.asarray(out / out.sum())


def chances_of(hit: Flags, others: Flags, known: Flags | None = None) -> Values:
    """Chance of a hit in each trial: the share of its windows with one, the tested among them.

    Parameters
    ----------
    hit : ndarray, shape (n_trials,), bool
        Of the tested window.
    others : ndarray, shape (n_trials, n_windows), bool
    known : ndarray, shape (n_trials, n_windows), bool, optional
        Which of the others were observed; all by default.

    Returns
    -------
    ndarray, shape (n_trials,), float64
    """
    seen = np.ones(others.shape, bool) if known is None else known
    return np.asarray((hit + (others & seen).sum(axis=1)) / (1 + seen.sum(axis=1)))


def more_hits(hit: Flags, others: Flags, known: Flags | None = None) -> float:
    """Probability of so many hits or more when the tested window is like the others."""
    expected = poisson_binomial(chances_of(hit, others, known))
    return float(min(1.0, expected[int(hit.sum()) :].sum()))


def fewer_hits(hit: Flags, others: Flags, known: Flags | None = None) -> float:
    """Probability of so few hits or fewer when the tested window is like the others."""
    expected = poisson_binomial(chances_of(hit, others, known))
    return float(min(1.0, expected[: int(hit.sum()) + 1].sum()))


def less_after(before: Flags, after: Flags) -> float:
    """Exact one-sided McNemar test: fewer trials with a hit after than before.

    Parameters
    ----------
    before, after : ndarray, shape (n_trials,), bool

    Returns
    -------
    float
        Probability, when before and after are exchangeable, of so few trials with a hit after
        only, among those with a hit on one side only; 1 without such trials.
    """
    from scipy.stats import binom

    only_before, only_after = int(np.sum(before & ~after)), int(np.sum(after & ~before))
    n = only_before + only_after
    return float(binom.cdf(only_after, n, 0.5)) if n else 1.0
