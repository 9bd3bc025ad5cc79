"""What every decoder of trials is: an estimator of classes from windows of channels and samples.

An estimator holds settings only; `fit` returns something new that knows the examples, and
changes nothing. Trials are arrays (n_trials, n_channels, n_samples), classes are codes 0, 1, ...
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, BadSamplesError, MissingInputError

Trials = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Chances = npt.NDArray[np.float64]

LEAST_PER_CLASS = 2
"""Trials of a class without which nothing is learnt of it."""


class Fitted(Protocol):
    """A decoder that knows its examples."""

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities of trials, (n_trials, n_classes), rows sum to 1; not calibrated."""


class Estimator(Protocol):
    """A decoder before it has seen examples."""

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> Fitted:
        """Learn from trials of classes 0 to ``y.max()``, each of which must occur."""


def checked_trials(x: Trials) -> Trials:
    """Trials as float64.

    Raises
    ------
    BadArgumentError
        Not (n_trials, n_channels, n_samples), or without channels or samples.
    BadSamplesError
        NaN or infinite samples.
    """
    out = np.asarray(x, dtype=np.float64)
    if out.ndim != 3 or 0 in out.shape[1:]:
        raise BadArgumentError(
            "trials of shape (n_trials, n_channels, n_samples)",
            f"shape {out.shape}",
            "Cut the trials from the signal first: nissl.annotators.decoding.windows.cut.",
        )
    if not np.isfinite(out).all():
        bad = np.flatnonzero(~np.isfinite(out).all(axis=(1, 2)))
        raise BadSamplesError(
            "finite samples in every trial",
            f"NaN or infinity in trials {bad[:10].tolist()}",
            "Leave these trials or channels out.",
        )
    return out


def checked_examples(x: Trials, y: Codes) -> tuple[Trials, Codes, int]:
    """Trials, their classes and the number of classes.

    Raises
    ------
    MissingInputError
        Fewer than two classes, or a class with fewer than two trials.
    BadArgumentError
        Trials and classes that do not fit each other.
    """
    trials, codes = checked_trials(x), np.asarray(y)
    if codes.shape != (len(trials),) or codes.dtype.kind not in "iu" or (codes < 0).any():
        raise BadArgumentError(
            f"a class code from 0 for each of {len(trials)} trials",
            f"{codes.dtype} of shape {codes.shape}",
            "Give one per trial.",
        )
    counts = np.bincount(codes) if codes.size else np.zeros(0, np.int64)
    if counts.size < 2 or counts.min() < LEAST_PER_CLASS:
        raise MissingInputError(
            f"at least two classes with {LEAST_PER_CLASS} trials each to learn from",
            f"{counts.tolist()} trials per class",
            "Label more trials, or leave rare classes out.",
        )
    return trials, codes.astype(np.int64), int(counts.size)


def softmax(scores: Chances) -> Chances:
    """Rows of scores as probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
