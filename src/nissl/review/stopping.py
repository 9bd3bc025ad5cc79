"""When to stop: what is still wrong, and what more decisions would change.

Two questions with two answers. *What is still wrong* among the labels that nobody looked at:
from an audit sample where there is one (`nissl.trust.audit`), together with what the model claims
(`nissl.review.miscalibration`) and what was asked anyway; else from what was asked alone. There
the model's confidence is recalibrated on answers that it had not been fitted to, each weighted by
the inverse of the logged chance of its question, and averaged over the items left: a regression
estimator corrected by its own weighted residuals (Cassel, Sarndal and Wretman 1976, Biometrika
63, 615-620). *What would change*: the errors one expects to find in the next questions, plus the
labels that the model changes by itself when it is updated, which is known from its last updates
(stopping by stable predictions: Bloodgood and Vijay-Shanker 2009, CoNLL).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.review.miscalibration import logit, share_wrong, sigmoid

Floats = npt.NDArray[np.float64]

AHEAD = 30
"""Decisions that one looks ahead."""

TOLERANCE = 0.01
"""Share of labels that may still change when one stops."""

UPDATES = 3
"""Model updates that show whether predictions are stable."""

_ONE_SIDED = 1.645  # 95 %
_LARGEST = 50.0  # weights are cut at this many times their median
_BIAS = 0.03  # standard deviation of what out-of-fold answers are off by, as a share
_PRIOR_N = 4.0  # answers that the uncalibrated confidence is worth


@dataclass(frozen=True)
class Asked:
    """Answered questions, with what the model said without having seen the answer.

    Parameters
    ----------
    confidence : ndarray, shape (m,), float64
        Of the class that the model proposed, from a fit without this answer (out of fold).
    wrong : ndarray, shape (m,), bool
        The answer differs from that class.
    probability : ndarray, shape (m,), float64
        Logged chance of the question, above 0 and up to 1.
    """

    confidence: Floats
    wrong: npt.NDArray[np.bool_]
    probability: Floats

    def __post_init__(self) -> None:
        if not len(self.confidence) == len(self.wrong) == len(self.probability):
            raise BadArgumentError(
                "three columns of one length",
                f"{len(self.confidence)}, {len(self.wrong)}, {len(self.probability)}",
                "Give one of each per answer.",
            )
        if not np.all((self.probability > 0) & (self.probability <= 1)):
            raise BadArgumentError(
                "chances above 0 and up to 1",
                "others",
                "Leave out questions whose chance was not logged.",
            )


@dataclass(frozen=True)
class Audited:
    """Answers to a blind random sample that no model was fitted to.

    Parameters
    ----------
    wrong, n : int
        0 <= wrong <= n.
    confidence : ndarray, shape (n,), float64, optional
        Of the classes that the model proposes for these items now. With it an audit is compared
        with what the model claims; see `of_items`.
    is_wrong : ndarray, shape (n,), bool, optional
        Which of them differ from the answer; there with `confidence`, and as many as `wrong`.
    """

    wrong: int
    n: int
    confidence: Floats | None = None
    is_wrong: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of_items(cls, confidence: Floats, is_wrong: npt.NDArray[np.bool_]) -> Audited:
        """An audit known item by item, from columns of shape (n,)."""
        return cls(int(is_wrong.sum()), len(is_wrong), confidence, is_wrong)

    def __post_init__(self) -> None:
        if not 0 <= self.wrong <= self.n:
            raise BadArgumentError(
                "0 <= wrong <= n", f"{self.wrong} of {self.n}", "Check the counts."
            )
        if (self.confidence is None) != (self.is_wrong is None):
            raise BadArgumentError("both columns or none", "one", "Use `Audited.of_items`.")
        if self.confidence is None or self.is_wrong is None:
            return
        found = (len(self.confidence), len(self.is_wrong), int(self.is_wrong.sum()))
        if found != (self.n, self.n, self.wrong):
            raise BadArgumentError(
                f"columns of {self.n} items, {self.wrong} of them wrong",
                f"{found[0]} and {found[1]} items, {found[2]} wrong",
                "Use `Audited.of_items`.",
            )


@dataclass(frozen=True)
class Remaining:
    """Share of wrong labels among items that nobody looked at.

    Parameters
    ----------
    estimate : float
    upper : float
        One-sided 95 % bound: exact by an audit, else by the normal approximation, which takes
        out-of-fold answers for unbiased.
    n : float
        Items audited, or effective number of answers (Kish).
    basis : str
        "model" (confidence taken at its word), "asked" or "audit".
    """

    estimate: float
    upper: float
    n: float
    basis: str


@dataclass(frozen=True)
class StopAdvice:
    """Whether to stop, and why.

    Parameters
    ----------
    stop : bool
    residual : float
        Estimated share of wrong labels among items that nobody looked at, 0 to 1.
    upper : float
        Its one-sided 95 % bound.
    sentence : str
        For people.
    change : float
        Share of all labels that the next decisions are expected to change, at most.
    """

    stop: bool
    residual: float
    upper: float
    sentence: str
    change: float = math.nan

    def to_json(self) -> dict[str, Any]:
        """Plain values; None where there is no number."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
        }


def remaining(
    confidence: Floats, asked: Asked | None = None, audit: Audited | None = None
) -> Remaining:
    """Estimate the share of wrong labels among the items left.

    Parameters
    ----------
    confidence : ndarray, shape (n,), float64
        Of the proposed class of every item that was not answered, 0 to 1.
    asked : Asked, optional
    audit : Audited, optional
        Without either the confidence is taken at its word.

    Returns
    -------
    Remaining
        0 where no item is left. With an audit sample the bound is its exact one alone
        (Clopper-Pearson, for one look at a sample of fixed size). The estimate is then a composite:
        of the audit, what the model claims and `asked`, where the audit's confidences are known
        (`nissl.review.miscalibration.share_wrong`), which also allows for what was asked having
        been worse than what is left; else of the audit and `asked`, weighted by their variances.
        That of `asked` includes `_BIAS`, since it judges models that were fitted to fewer answers
        than the one in use.
    """
    if len(confidence) == 0:
        return Remaining(0.0, 0.0, 0.0, "model")
    measured = None
    if asked is not None and len(asked.confidence) > 0:
        measured = _from_asked(confidence, asked)
    if audit is not None and audit.n > 0:
        source = None if measured is None else (measured[0], measured[1] + _BIAS**2)
        estimate = _with_audit(confidence, audit, source)
        return Remaining(estimate, _audit_bound(audit), float(audit.n), "audit")
    if measured is None:
        return Remaining(float(1 - confidence.mean()), 1.0, 0.0, "model")
    estimate, variance, effective = measured
    spread = _ONE_SIDED * math.sqrt(variance)
    return Remaining(estimate, min(1.0, estimate + spread), effective, "asked")


def _with_audit(confidence: Floats, audit: Audited, asked: tuple[float, float] | None) -> float:
    """Composite of an audit with the other sources; `asked` is an estimate and its variance."""
    if audit.confidence is not None and audit.is_wrong is not None:
        return share_wrong(confidence, audit.confidence, audit.is_wrong, asked)
    share = audit.wrong / audit.n
    if asked is None:
        return share
    estimate, variance = asked
    smoothed = (audit.wrong + 0.5) / (audit.n + 1)
    trust = variance / (variance + smoothed * (1 - smoothed) / audit.n)
    return trust * share + (1 - trust) * estimate


def _audit_bound(audit: Audited) -> float:
    """One-sided 95 % bound of Clopper and Pearson 1934."""
    from scipy.stats import beta

    if audit.wrong == audit.n:
        return 1.0
    return float(beta.ppf(0.95, audit.wrong + 1, audit.n - audit.wrong))


def _from_asked(confidence: Floats, asked: Asked) -> tuple[float, float, float]:
    """Estimate, its variance and the effective number of answers."""
    weight = 1 / asked.probability
    weight = np.minimum(weight, _LARGEST * np.median(weight))
    weight /= weight.sum()
    shift, slope = _recalibration(asked, weight * len(weight))
    predicted = 1 - sigmoid(shift + slope * logit(confidence))
    residual = asked.wrong - (1 - sigmoid(shift + slope * logit(asked.confidence)))
    correction = float(weight @ residual)
    effective = float(1 / (weight**2).sum())
    estimate = float(np.clip(predicted.mean() + correction, 0.0, 1.0))
    sampled = float((weight**2 * (residual - correction) ** 2).sum())
    smoothed = (estimate * effective + 0.5) / (effective + 1)
    return estimate, max(sampled, smoothed * (1 - smoothed) / (effective + 1)), effective


def change_ahead(
    expected_errors: Floats,
    n_labels: int,
    updates: Sequence[tuple[int, float]],
    *,
    ahead: int = AHEAD,
) -> float:
    """Share of all labels that the next decisions change at most.

    Parameters
    ----------
    expected_errors : ndarray, shape (n,), float64
        Probability that the label of each item left is wrong.
    n_labels : int
        All labels of the project, reviewed or not.
    updates : sequence of (int, float)
        For each update of the model, oldest first: decisions since the one before, and the share
        of all labels that it changed.
    ahead : int

    Returns
    -------
    float
        The errors of the most doubtful items, plus what the worst of the last three updates
        changed per decision; NaN before three updates.
    """
    if n_labels < 1 or ahead < 1 or any(n < 1 for n, _ in updates):
        raise BadArgumentError(
            "at least one label, one decision ahead, and one per update",
            f"{n_labels}, {ahead}, {list(updates)}",
            "Leave out updates without decisions.",
        )
    if len(updates) < UPDATES:
        return math.nan
    found = float(np.sort(expected_errors)[::-1][:ahead].sum()) / n_labels
    drift = max(share / n for n, share in updates[-UPDATES:]) * min(ahead, len(expected_errors))
    return min(1.0, found + drift)


def advise(
    left: Remaining,
    change: float,
    *,
    budget: float | None = None,
    ahead: int = AHEAD,
    tolerance: float = TOLERANCE,
) -> StopAdvice:
    """Say whether to stop.

    Parameters
    ----------
    left : Remaining
        From `remaining`, or from an audit sample.
    change : float
        From `change_ahead`; NaN where it is not known.
    budget : float, optional
        Largest share of wrong labels that is acceptable; then its bound must lie within.
    ahead : int
    tolerance : float

    Returns
    -------
    StopAdvice
        Without a budget one stops when labels have become stable; with one, when the bound lies
        within it.
    """
    stable = change <= tolerance
    within = budget is None or left.upper <= budget
    stop = within and (budget is not None or stable)
    parts = [_change_sentence(change, ahead, tolerance), _error_sentence(left, budget)]
    verdict = "One can stop." if stop else "It pays to go on."
    return StopAdvice(stop, left.estimate, left.upper, " ".join([*parts, verdict]), change)


def _change_sentence(change: float, ahead: int, tolerance: float) -> str:
    if math.isnan(change):
        return "The model was updated too seldom to say what more decisions would change."
    if change <= tolerance:
        return f"Another {ahead} decisions would change less than {_percent(tolerance)} of labels."
    return f"Another {ahead} decisions would change up to {_percent(change)} of labels."


def _error_sentence(left: Remaining, budget: float | None) -> str:
    bases = {
        "model": "by the model's own confidence, which nobody has checked",
        "asked": f"by {left.n:.0f} effective answers",
        "audit": f"by {left.n:.0f} audited items",
    }
    basis = bases.get(left.basis, left.basis)
    text = f"Of the labels nobody looked at, about {_percent(left.estimate)} are wrong"
    if left.basis != "model":
        text += f", at most {_percent(left.upper)}"
    text += f" ({basis})."
    if budget is None:
        return text
    held = "within" if left.upper <= budget else "above"
    return f"{text} That is {held} the budget of {_percent(budget)}."


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.0f} %"


def _recalibration(asked: Asked, weight: Floats) -> tuple[float, float]:
    """Shift and slope on the logit of the confidence (Platt 1999), pulled towards 0 and 1."""
    x = logit(asked.confidence)
    right = 1.0 - asked.wrong
    theta = np.array([0.0, 1.0])
    design = np.stack([np.ones_like(x), x], axis=1)
    prior = np.diag([_PRIOR_N / 4, _PRIOR_N / 4])
    for _ in range(30):
        p = sigmoid(design @ theta)
        gradient = design.T @ (weight * (right - p)) - prior @ (theta - [0.0, 1.0])
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + prior
        step = np.linalg.solve(hessian, gradient)
        theta = theta + np.clip(step, -2, 2)
        if np.max(np.abs(step)) < 1e-8:
            break
    return float(theta[0]), float(theta[1])
