"""Common spatial patterns and linear discriminant analysis: `decoding/csp`.

Blankertz, Tomioka, Lemm, Kawanabe and Mueller 2008, Optimizing spatial filters for robust EEG
single-trial analysis, IEEE Signal Process. Mag. 25(1), 41-56: filters that make the variance of
one class large where that of the others is small; their log-variances are the features. With
more than two classes each stands against the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import (
    Chances,
    Codes,
    Trials,
    checked_examples,
    checked_trials,
)

_RIDGE = 1e-6
"""Of the mean variance, added to every covariance: common references make them singular."""


@dataclass(frozen=True)
class CommonPatterns:
    """CSP + LDA with a shrunk covariance.

    Parameters
    ----------
    pairs : int
        Filters from either end of the spectrum, per class (once for two classes).
    """

    pairs: int = 3

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedPatterns:
        """Learn filters and the discriminant."""
        del rng  # nothing in it is random
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        trials, codes, n_classes = checked_examples(x, y)
        spread = covariances(trials)
        against = range(1) if n_classes == 2 else range(n_classes)
        filters = np.concatenate(
            [spatial_filters(spread, codes == k, self.pairs) for k in against], axis=1
        )
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        model.fit(log_variances(spread, filters), codes)
        return FittedPatterns(filters, model)


@dataclass(frozen=True)
class FittedPatterns:
    """What `CommonPatterns.fit` returns.

    Parameters
    ----------
    filters : ndarray, shape (n_channels, n_filters), float64
    model : sklearn classifier
    """

    filters: npt.NDArray[np.float64]
    model: Any

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities, (n_trials, n_classes)."""
        values = log_variances(covariances(checked_trials(x)), self.filters)
        return np.asarray(self.model.predict_proba(values))


def covariances(x: Trials) -> npt.NDArray[np.float64]:
    """Covariance of every trial over its trace, (n_trials, n_channels, n_channels)."""
    centred = x - x.mean(axis=2, keepdims=True)
    out = np.einsum("nct,ndt->ncd", centred, centred) / x.shape[2]
    trace = np.trace(out, axis1=1, axis2=2)
    return np.asarray(out / np.where(trace > 0, trace, 1.0)[:, None, None])


def spatial_filters(
    spread: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_], pairs: int
) -> npt.NDArray[np.float64]:
    """Filters whose variance tells trials inside a class from the rest.

    Parameters
    ----------
    spread : ndarray, shape (n_trials, n_channels, n_channels)
    inside : ndarray, shape (n_trials,), bool
    pairs : int

    Returns
    -------
    ndarray, shape (n_channels, 2 * pairs or n_channels)
    """
    from scipy.linalg import eigh

    own, rest = spread[inside].mean(axis=0), spread[~inside].mean(axis=0)
    n = own.shape[0]
    ridge = _RIDGE * np.trace(own + rest) / n
    _, vectors = eigh(own, own + rest + ridge * np.eye(n))
    if n <= 2 * pairs:
        return np.asarray(vectors)
    return np.concatenate([vectors[:, :pairs], vectors[:, -pairs:]], axis=1)


def log_variances(
    spread: npt.NDArray[np.float64], filters: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Log-variance of each filter's output, (n_trials, n_filters)."""
    variance = np.einsum("cf,ncd,df->nf", filters, spread, filters)
    return np.asarray(np.log(np.maximum(variance, np.finfo(float).tiny)))
