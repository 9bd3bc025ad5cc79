"""Whether a recording as a whole lies outside what was seen: a two-sample test between animals.

With hundreds of items any ordinary two-sample test rejects every new animal, because animals
differ. The question is whether this one differs more than animals do, so the null is a further
animal: a statistic of the new recording is held against those of the training animals by a
prediction interval (random effects: variance between animals plus variance within this one at
its n). The variance between few animals is known badly; it is moderated by the other statistics
of the family (empirical Bayes; Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3:3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_MAX_PRIOR_DF = 10.0
_TINY = 1e-8


@dataclass(frozen=True, eq=False)
class Family:
    """What a family of statistics is across the training animals.

    Parameters
    ----------
    mean : ndarray, shape (m,), float64
        Mean over animals.
    between : ndarray, shape (m,), float64
        Moderated variance between animals.
    within : ndarray, shape (m,), float64
        Variance of a statistic of n items, times n.
    df : float
        Degrees of freedom of `between`.
    n_groups : int
    """

    mean: Floats
    between: Floats
    within: Floats
    df: float
    n_groups: int

    def test(self, statistic: Floats, n: int) -> Floats:
        """Two-sided p-value of each statistic of a recording with n items, shape (m,).

        NaN statistics (a feature that is missing throughout) give NaN.
        """
        from scipy.stats import t

        spread = np.sqrt(self.between * (1 + 1 / self.n_groups) + self.within / max(1, n))
        return np.asarray(2 * t.sf(np.abs(statistic - self.mean) / spread, self.df))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "mean": self.mean.tolist(),
            "between": self.between.tolist(),
            "within": self.within.tolist(),
            "df": self.df,
            "n_groups": self.n_groups,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Family:
        """Inverse of `to_json`."""
        mean, between, within = (
            np.asarray(value[name], dtype=np.float64) for name in ("mean", "between", "within")
        )
        return cls(mean, between, within, float(value["df"]), int(value["n_groups"]))


def fit_family(statistics: Floats, within: Floats, *, floor: float = 0.0) -> Family:
    """Learn what is usual between animals.

    Parameters
    ----------
    statistics : ndarray, shape (n_groups, m), float64
        Of each animal; NaN where it has none.
    within : ndarray, shape (m,), float64
        Variance of a statistic of n items, times n.
    floor : float
        Variance between animals that is assumed at least.

    Returns
    -------
    Family
    """
    n_groups = len(statistics)
    known = ~np.isnan(statistics)
    count = known.sum(axis=0)
    filled = np.where(known, statistics, 0.0)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, np.square(filled - mean), 0.0).sum(axis=0)
    variance = squares / np.maximum(count - 1, 1)
    variance = np.where(count >= 2, variance, np.nan)
    usual = np.nanmax(variance) if np.any(~np.isnan(variance)) else 1.0
    variance = np.where(np.isnan(variance), usual, variance)
    between, df = moderated(variance + _TINY, n_groups - 1)
    between = np.maximum(between, floor)
    return Family(mean, between, np.nan_to_num(within), df, n_groups)


def moderated(variance: Floats, df: int) -> tuple[Floats, float]:
    """Shrink variances of `df` degrees of freedom towards each other (Smyth 2004, section 6.2).

    Parameters
    ----------
    variance : ndarray, shape (m,), above 0
    df : int

    Returns
    -------
    variance : ndarray, shape (m,), float64
    df : float
        Degrees of freedom with the prior's; the prior counts for 10 at most.
    """
    from scipy.special import digamma, polygamma

    if variance.size < 3:
        return variance, float(df)
    e = np.log(variance) - digamma(df / 2) + np.log(df / 2)
    excess = float(np.var(e, ddof=1) - polygamma(1, df / 2))
    prior_df = _MAX_PRIOR_DF if excess <= 0 else min(_MAX_PRIOR_DF, 2 * _inverse_trigamma(excess))
    prior = float(np.exp(e.mean() + digamma(prior_df / 2) - np.log(prior_df / 2)))
    return (prior_df * prior + df * variance) / (prior_df + df), prior_df + df


def _inverse_trigamma(value: float) -> float:
    from scipy.optimize import brentq
    from scipy.special import polygamma

    if value > polygamma(1, 1e-3):
        return 1e-3
    if value < polygamma(1, 1e4):
        return 1e4
    return float(brentq(lambda x: polygamma(1, x) - value, 1e-3, 1e4))
