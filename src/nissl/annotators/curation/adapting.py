"""How far a model leaves what it knows: as far as the answers warrant.

A model that was fitted elsewhere is a good start where a new recording is like the old ones, and
in the way where it is not. Which it is, the answers tell: every way of going on (`boosting.LIGHT`
and `boosting.FURTHER`) is fitted to a part of them and judged on the rest. The light one stays
unless another is better by more than one standard error (the rule of Breiman, Friedman, Olshen
and Stone 1984, Classification and regression trees, section 3.4.3), so that few answers, and
answers that agree with the model, change it little. Answers are judged by the root of their
weights: by the weights themselves a few of those that a policy asked by chance would decide
(Sugiyama, Krauledat and Mueller 2007, Covariate shift adaptation by importance weighted cross
validation, J. Mach. Learn. Res. 8, 985-1005, on flattened weights).

A step that leaves what is known leaves its calibration too. Its confidences get a temperature
(see `nissl.trust.calibration`) from the answers that were left out, drawn towards 1 as `PRIOR`
further answers would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.boosting import (
    FURTHER,
    LIGHT,
    N_CLASSES,
    Step,
    on_top,
    probabilities,
    scores,
)
from nissl.trust.calibration import Calibration, fit

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FEWEST = 40
"""Answers below which only the light step is taken."""
FOLDS = 5
PRIOR = 60
"""Answers that would have to speak against a temperature of 1 to move it half of the way."""
STEPS = (LIGHT, *FURTHER)

_SMALL = 1e-6


@dataclass(frozen=True)
class Choice:
    """A step, and what makes its probabilities calibrated."""

    step: Step
    calibration: Calibration


def chosen(
    known: Values,
    values: Values,
    label: Codes,
    weight: Values,
    groups: Sequence[str],
    *,
    calibration: Calibration,
    seed: int,
) -> Choice:
    """Step that predicts answers best that were left out of it.

    Parameters
    ----------
    known : ndarray, shape (n, 2 or n_classes), float64
        Raw scores so far of the answered items.
    values : ndarray, shape (n, n_features), float64
    label : ndarray, shape (n,), int64
    weight : ndarray, shape (n,), float64
    groups : sequence of str, length n
        Subjects; left out as wholes where there are several.
    calibration : Calibration
        Of the model so far, which the light step keeps.
    seed : int

    Returns
    -------
    Choice
    """
    if len(label) < FEWEST:
        return Choice(LIGHT, calibration)
    fold = folds(groups, np.random.default_rng(seed))
    unseen = np.stack([left_out(known, values, label, weight, fold, step, seed) for step in STEPS])
    unseen[0] = calibration.apply(unseen[0])
    losses = -np.log(np.maximum(unseen[:, np.arange(len(label)), label], _SMALL))
    best = better(losses, np.sqrt(weight))
    if best == 0:
        return Choice(LIGHT, calibration)
    return Choice(STEPS[best], cooled(unseen[best], label, weight))


def better(losses: Values, weight: Values) -> int:
    """The step with the least loss if it beats the first by a standard error, else the first.

    Parameters
    ----------
    losses : ndarray, shape (n_steps, n), float64
        Item by item.
    weight : ndarray, shape (n,), float64
    """
    share = weight / weight.sum()
    best = int((losses @ share).argmin())
    gain = losses[0] - losses[best]
    mean = float(gain @ share)
    error = float(np.sqrt((share**2) @ (gain - mean) ** 2))
    return best if mean > error else 0


def cooled(unseen: Values, label: Codes, weight: Values) -> Calibration:
    """Temperature from left-out answers, drawn towards 1.

    Parameters
    ----------
    unseen : ndarray, shape (n, n_classes), float64
        Probabilities of items by a model that was not fitted to them.
    label : ndarray, shape (n,), int64
    weight : ndarray, shape (n,), float64
    """
    found = fit(unseen, label, "temperature", weights=weight).parameters[0][0]
    n = float(weight.sum() ** 2 / (weight**2).sum())  # Kish's effective number
    return Calibration("temperature", unseen.shape[1], ((float(found ** (n / (n + PRIOR))),),))


def left_out(
    known: Values,
    values: Values,
    label: Codes,
    weight: Values,
    fold: Codes,
    step: Step,
    seed: int,
) -> Values:
    """Probabilities of each answered item by a step fitted to the other folds."""
    out = np.empty((len(known), N_CLASSES))
    for part in np.unique(fold):
        rest, own = fold != part, fold == part
        more = on_top(known[rest], values[rest], label[rest], weight[rest], seed, step)
        out[own] = probabilities(step.kept * known[own] + scores(more, values[own]))
    return out


def folds(groups: Sequence[str], rng: np.random.Generator) -> Codes:
    """Fold of each item: groups as wholes where there are several, else at random."""
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    n = int(codes.max()) + 1
    if n > 1:
        return np.asarray(rng.permutation(n)[codes] % min(n, FOLDS), dtype=np.int64)
    return np.asarray(rng.permutation(codes.size) % FOLDS, dtype=np.int64)
