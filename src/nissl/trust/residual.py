"""What is known about the errors that are left, and whether that keeps a budget."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.bounds import (
    anytime_required,
    check_budget,
    cluster_upper_bound,
    finite_upper_bound,
    required,
    upper_bound,
    weighted_upper_bound,
)
from nissl.trust.checked import Floats, Names, plain


class BudgetState(StrEnum):
    """Whether an error budget is kept."""

    MET = "met"
    NOT_MET = "not met"
    TOO_FEW = "too few"


@dataclass(frozen=True)
class BudgetVerdict:
    """What an audit says of a budget.

    Parameters
    ----------
    state : BudgetState
    needed : int
        Further audit items, all of them right, that would show the budget; 0 unless too few.
    sentence : str
    """

    state: BudgetState
    needed: int
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"state": self.state.value, "needed": self.needed, "sentence": self.sentence}


@dataclass(frozen=True)
class Residual:
    """Error rate that is left among automatically accepted items.

    Parameters
    ----------
    estimate : float
        Share wrong; NaN without an answer.
    upper : float
        One-sided upper bound.
    level : float
    wrong, n : int
        Wrong items among those answered.
    n_effective : float
        Evidence in items of equal weight.
    n_accepted : int or None
        Items that the statement is about; None where unknown.
    basis : str
        A sentence: which items, which bound.
    anytime : bool
        Whether the bound may be looked at while the sample grows.
    pending : int
        Items of a sample of fixed size that are not answered yet.
    finite : bool
        Whether the bound uses that there are `n_accepted` items and no more.
    """

    estimate: float
    upper: float
    level: float
    wrong: int
    n: int
    n_effective: float
    n_accepted: int | None
    basis: str
    anytime: bool = False
    pending: int = 0
    finite: bool = False

    def statement(self) -> str:
        """The result as a sentence for people."""
        of = "labels" if self.n_accepted is None else f"{self.n_accepted:,} labels"
        if not self.n:
            return f"Nothing is known yet about errors among {of} accepted without review."
        if self.n == self.n_accepted:
            return f"All {of} accepted were looked at: {self.estimate:.2%} were wrong."
        return (
            f"Of {of} accepted without review at most {self.upper:.1%} are wrong "
            f"(estimate {self.estimate:.1%}; one-sided {self.level:.0%} bound; "
            f"{self.wrong} of {self.n} audited {'was' if self.wrong == 1 else 'were'} wrong)."
        )

    def allows(self, budget: float) -> BudgetVerdict:
        """Whether the error is shown to keep to a budget.

        Parameters
        ----------
        budget : float

        Returns
        -------
        BudgetVerdict
            ``met``: the bound lies within the budget. ``not met``: more than the budget was wrong
            among the items. ``too few``: neither, and how many more right answers would show it.
        """
        check_budget(budget)
        if self.upper <= budget:
            return BudgetVerdict(BudgetState.MET, 0, f"The budget of {budget:.1%} is kept.")
        if self.n and self.estimate > budget:
            return BudgetVerdict(
                BudgetState.NOT_MET,
                0,
                f"{self.estimate:.1%} of the audited items were wrong, more than the budget of "
                f"{budget:.1%}.",
            )
        needed = self._needed(budget)
        return BudgetVerdict(
            BudgetState.TOO_FEW,
            needed,
            f"{self.n} audited items are too few to show a budget of {budget:.1%}: {needed} more "
            "are needed, all of them right.",
        )

    def _needed(self, budget: float) -> int:
        if self.finite and self.n_accepted is not None:
            return self._needed_of(self.n_accepted, budget)
        if not self.n:
            return max(self.pending, required(budget, self.level))
        errors = round(self.estimate * self.n_effective)
        if self.pending and upper_bound(errors, self.n + self.pending, level=self.level) <= budget:
            return self.pending
        rate = self.n / self.n_effective  # answers per item of evidence
        total = anytime_required(budget, self.level, errors)
        return max(1, int(np.ceil((total - self.n_effective) * rate)))

    def _needed_of(self, n_accepted: int, budget: float) -> int:
        """Further right answers that would show the budget among so many items."""
        low, high = 0, n_accepted - self.n
        while high - low > 1:
            more = (low + high) // 2
            bound = finite_upper_bound(self.wrong, self.n + more, n_accepted, level=self.level)
            low, high = (low, more) if bound <= budget else (more, high)
        return high

    def to_json(self) -> dict[str, Any]:
        """Plain values and the sentence; what is unknown is None."""
        return {
            "estimate": plain(self.estimate),
            "upper": self.upper,
            "level": self.level,
            "wrong": self.wrong,
            "n": self.n,
            "n_effective": self.n_effective,
            "n_accepted": self.n_accepted,
            "basis": self.basis,
            "anytime": self.anytime,
            "pending": self.pending,
            "finite": self.finite,
            "sentence": self.statement(),
        }


def residual_of_queries(
    wrong: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    n_accepted: int | None = None,
    groups: Names | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Residual:
    """Error rate from items that a policy asked, reweighted by their logged query probability.

    Horvitz and Thompson's weights, normalised by their sum. The bound is approximate: effective
    numbers are estimates, and a policy that never asks some items says nothing about them.

    Parameters
    ----------
    wrong : array-like of bool, shape (n,)
        Whether the label that would have been accepted was wrong.
    probability : array-like, shape (n,)
        Probability with which each item was to be asked, above 0.
    n_accepted : int, optional
        Items that the estimate is to stand for; it is refused where the asked ones can stand for
        less than half of them.
    groups : sequence of length n, optional
        Subject of each item; see `residual`.
    level : float
    rng : numpy.random.Generator, optional
        Needed with `groups`.

    Returns
    -------
    Residual

    Raises
    ------
    EvaluationError
        The asked items stand for less than half of the accepted ones.
    BadArgumentError
        Probabilities outside 0 to 1, or arrays that do not fit.
    """
    pi = np.asarray(probability, dtype=np.float64)
    y = checked_answers(wrong, pi.size)
    if pi.ndim != 1 or np.isnan(y).any() or not ((pi > 0) & (pi <= 1)).all():
        raise BadArgumentError(
            "an answer and a query probability above 0 and at most 1 for each item",
            f"probabilities of shape {pi.shape}",
            "Leave out items that were asked without a logged probability.",
        )
    weights = 1 / pi
    if n_accepted is not None and weights.sum() < 0.5 * n_accepted:
        raise EvaluationError(
            f"queries that could have reached all {n_accepted} accepted items",
            f"items that stand for about {weights.sum():.0f}",
            "Use the audit sample, or let the policy ask every item with some probability.",
        )
    estimate, upper, n_effective = weighted_upper_bound(y, weights, level=level)
    basis = (
        f"{y.size} items asked by a policy, reweighted by their query probability "
        f"(as good as {n_effective:.0f} random ones); approximate."
    )
    if groups is not None and y.size:
        upper = max(upper, across_groups(y, groups, weights, level, rng))
        basis += " For subjects like these, resampled as wholes."
    return Residual(estimate, upper, level, int(y.sum()), y.size, n_effective, n_accepted, basis)


def across_groups(
    y: Floats, groups: Names, weights: Floats, level: float, rng: np.random.Generator | None
) -> float:
    """Upper bound for subjects like these; see `bounds.cluster_upper_bound`."""
    if rng is None:
        raise BadArgumentError(
            "a random generator with groups", "none", "Pass rng=numpy.random.default_rng(seed)."
        )
    return cluster_upper_bound(y, groups, weights, rng=rng, level=level)


def checked_answers(wrong: npt.ArrayLike, n: int) -> Floats:
    """Answers as (n,) float64, NaN where there is none; `BadArgumentError` for anything else."""
    y = np.array(wrong, dtype=np.float64)
    if y.shape != (n,) or not (np.isnan(y) | np.isin(y, (0.0, 1.0))).all():
        raise BadArgumentError(
            f"wrong (1), right (0) or unanswered (NaN) for each of {n} items",
            f"shape {y.shape}",
            "Give the answers in the sample's order.",
        )
    return y
