"""Trials left out in turn: probabilities that were not taught their answer, and calibration.

Trials of one recording that lie close to each other are alike (drift, the same posture), so what
is left out are stretches of time, never random trials (Lemm, Blankertz, Dickhaus and Mueller
2011, Introduction to machine learning for brain imaging, NeuroImage 56, 387-399, section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import Chances, Codes, Estimator, Trials
from nissl.errors import MissingInputError
from nissl.trust.calibration import Calibration, choose, fit

KINDS = ("identity", "temperature", "beta")
"""Isotonic maps need more trials than a session has."""


@dataclass(frozen=True)
class Bounded:
    """A calibration that is no surer than the trials that it was fitted on allow.

    A hundred right answers of a hundred do not show that the next is right: as by the rule of
    succession (Laplace), the surest answer leaves 1 in `n` + 2 to all other classes.

    Parameters
    ----------
    calibration : Calibration
    n : int
        Trials that it was fitted on.
    """

    calibration: Calibration
    n: int

    @property
    def kind(self) -> str:
        """Of the calibration."""
        return self.calibration.kind

    def apply(self, p: Chances) -> Chances:
        """Calibrated probabilities, (n_trials, n_classes)."""
        n_classes = p.shape[1]
        share = n_classes / (n_classes - 1) / (self.n + 2)
        return np.asarray((1 - share) * self.calibration.apply(p) + share / n_classes)


def stretches(y: Codes, n_folds: int) -> npt.NDArray[np.int64]:
    """Fold of each trial: consecutive trials, with every class in every fold.

    Parameters
    ----------
    y : ndarray, shape (n_trials,), int
        Classes in the order of time.
    n_folds : int
        As many as the rarest class has trials, at most.

    Returns
    -------
    ndarray, shape (n_trials,), int64
        The first part of each class's trials is fold 0, and so on.

    Raises
    ------
    MissingInputError
        A class with fewer than two trials.
    """
    counts = np.bincount(y)
    least = int(counts[counts > 0].min()) if counts.any() else 0
    if least < 2 or n_folds < 2:
        raise MissingInputError(
            "two trials of each class and two folds, to leave some out",
            f"{counts.tolist()} trials per class, {n_folds} folds",
            "Label more trials.",
        )
    n = min(n_folds, least)
    fold = np.empty(len(y), np.int64)
    for k in np.flatnonzero(counts):
        own = np.flatnonzero(y == k)
        fold[own] = np.arange(own.size) * n // own.size
    return fold


def left_out(
    estimator: Estimator,
    x: Trials,
    y: Codes,
    fold: npt.NDArray[np.int64],
    *,
    rng: np.random.Generator,
    told: Callable[[], None] = lambda: None,
) -> Chances:
    """Probabilities of each trial by an estimator that has not seen its fold; not calibrated.

    Parameters
    ----------
    estimator : Estimator
    x : ndarray, shape (n_trials, n_channels, n_samples)
    y : ndarray, shape (n_trials,), int
    fold : ndarray, shape (n_trials,), int
    rng : numpy.random.Generator
    told : callable
        Called after each fold.

    Returns
    -------
    ndarray, shape (n_trials, n_classes)
    """
    out = np.zeros((len(y), int(y.max()) + 1))
    for k in np.unique(fold):
        away = fold == k
        fitted = estimator.fit(x[~away], y[~away], rng=rng)
        out[away] = fitted.predict_proba(x[away])
        told()
    return out


def calibrated(
    p: Chances, y: Codes, fold: npt.NDArray[np.int64], *, rng: np.random.Generator
) -> tuple[Chances, Bounded]:
    """Calibrate probabilities of left-out trials, each fold by a map from the others.

    Parameters
    ----------
    p : ndarray, shape (n_trials, n_classes)
        From `left_out`.
    y, fold : ndarray, shape (n_trials,), int
    rng : numpy.random.Generator

    Returns
    -------
    chances : ndarray, shape (n_trials, n_classes)
    calibration : Bounded
        For trials that are none of these, fitted on all of them.
    """
    calibration, _ = choose(p, y, fold.astype(str).tolist(), rng=rng, kinds=KINDS)
    out = np.empty_like(p)
    for k in np.unique(fold):
        away = fold == k
        fitted = fit(p[~away], y[~away], calibration.kind)
        out[away] = Bounded(fitted, int(np.sum(~away))).apply(p[away])
    return out, Bounded(calibration, len(y))
