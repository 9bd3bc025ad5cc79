"""Selective prediction: what may be accepted without review under an error budget.

The user names a budget, "at most 2 % wrong among what is accepted"; from items with known answers
follows the lowest confidence that may be accepted and how much that covers. Two procedures, both
with a guarantee for items (or groups) exchangeable with the labelled ones:

``fixed_sequence``
    Learn then Test (Angelopoulos, Bates, Candès, Jordan and Lei 2021, arXiv 2110.01052): the
    hypotheses "at this threshold more than the budget is wrong" are tested by exact binomial
    bounds from the strictest threshold on, until one cannot be rejected. A single error among the
    most confident would end the sequence at once, so with many items it starts a second time, at
    a looser threshold, each with half of the allowed risk.
``sgr``
    Selection with guaranteed risk (Geifman and El-Yaniv 2017, Selective classification for deep
    neural networks, NeurIPS, algorithm 1): binary search, the risk shared among its steps.

Neither promises anything for another animal or rig: what is accepted there is judged by the audit
sample of that group (`nissl.trust.audit`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.bounds import (
    check_budget,
    cluster_upper_bounds,
    required,
    upper_bounds,
)
from nissl.trust.checked import (
    Floats,
    Integers,
    Names,
    Truths,
    checked_confidence,
    checked_pair,
    checked_weights,
    group_codes,
    plain,
)
from nissl.trust.intervals import Interval, binomial_interval, percentiles, resampled_sums

METHODS = ("fixed_sequence", "sgr")
CLAIMED = "claimed"
"""Method of a selection that takes the model at its word; it promises nothing (see `claimed`)."""

_STARTS = 2
_STEPS = 60


@dataclass(frozen=True)
class Selection:
    """A threshold that keeps an error budget, and what it covers.

    Parameters
    ----------
    budget : float
        Greatest share wrong among what is accepted.
    level : float
        Confidence with which the budget is kept.
    threshold : float
        Accept an item whose confidence is at least this; infinite where nothing may be accepted.
    coverage : Interval
        Share of items accepted.
    n, n_accepted, wrong : int
        Labelled items; those at or above the threshold; the wrong ones among these.
    upper : float
        Upper bound of the error rate at the threshold, at the level of its own test; 1 where
        nothing may be accepted.
    method : str
        One of `METHODS`, or `CLAIMED`.
    n_groups : int or None
        Groups (subjects) resampled; None where items count as independent.
    """

    budget: float
    level: float
    threshold: float
    coverage: Interval
    n: int
    n_accepted: int
    wrong: int
    upper: float
    method: str
    n_groups: int | None = None

    def accepts(self, confidence: npt.ArrayLike) -> Truths:
        """Whether each item's confidence reaches the threshold; NaN never does."""
        return np.asarray(np.asarray(confidence, dtype=np.float64) >= self.threshold)

    def statement(self) -> str:
        """The result as a sentence for people."""
        if not self.n_accepted:
            return (
                f"No confidence is high enough to keep errors within {self.budget:.1%}: "
                "every label needs a look."
            )
        if self.method == CLAIMED:
            return (
                f"From confidence {self.threshold:.3f} on, {self.coverage.estimate:.0%} of labels "
                f"would be accepted without review, if the model is as often right as it says "
                f"(no labelled items stand behind this; aim {self.budget:.1%} wrong)."
            )
        return (
            f"From confidence {self.threshold:.3f} on, {self.coverage.estimate:.0%} of labels are "
            f"accepted without review; {self.wrong} of {self.n_accepted} such labels with a known "
            f"answer are wrong, and with {self.level:.0%} confidence at most {self.budget:.1%}."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values and the sentence; an infinite threshold is None."""
        return {
            "budget": self.budget,
            "level": self.level,
            "threshold": plain(self.threshold),
            "coverage": self.coverage.to_json(),
            "n": self.n,
            "n_accepted": self.n_accepted,
            "wrong": self.wrong,
            "upper": self.upper,
            "method": self.method,
            "n_groups": self.n_groups,
            "sentence": self.statement(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Selection:
        """Inverse of `to_json`; anything malformed raises `BadArgumentError`."""
        try:
            names = [
                each.name for each in fields(cls) if each.name not in ("threshold", "coverage")
            ]
            threshold = value["threshold"]
            return cls(
                threshold=float("inf") if threshold is None else float(threshold),
                coverage=Interval.from_json(value["coverage"]),
                **{name: value[name] for name in names},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadArgumentError(
                "a selection as to_json gives it",
                f"{type(error).__name__}: {error}",
                "The file or journal entry is damaged: select again.",
            ) from None


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Error rate among the most confident items, against their share.

    Parameters
    ----------
    threshold : ndarray, shape (n_thresholds,), float64
        Every distinct confidence, from the highest.
    coverage, risk : ndarray, shape (n_thresholds,), float64
        Share of items at or above it, and of wrong ones among these.
    area : float
        Mean risk over coverage (AURC; Geifman, Uziel and El-Yaniv 2019, ICLR).
    excess_area : float
        What of it a perfect ranking of the same answers would spare.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats
    area: float
    excess_area: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "threshold": self.threshold.tolist(),
            "coverage": self.coverage.tolist(),
            "risk": self.risk.tolist(),
            "area": self.area,
            "excess_area": self.excess_area,
        }


def select(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    *,
    budget: float,
    level: float = 0.95,
    groups: Names | None = None,
    rng: np.random.Generator | None = None,
    method: str = "fixed_sequence",
) -> Selection:
    """The lowest threshold at which errors are shown to keep to the budget.

    Parameters
    ----------
    confidence : array-like, shape (n_items,)
        Of labelled items that neither the model nor its calibration has learned from.
    correct : array-like of bool, shape (n_items,)
    budget : float
    level : float
    groups : sequence of length n_items, optional
        Subject of each item. Without it the budget is kept for further items of the same subjects;
        with it, for subjects like these (`bounds.cluster_upper_bounds`; needs `rng`).
    rng : numpy.random.Generator, optional
    method : str
        One of `METHODS`.

    Returns
    -------
    Selection
        Its threshold is infinite where no threshold passes.

    Raises
    ------
    EvaluationError
        Fewer items than the budget needs even without an error; the number stands in the error.
    BadArgumentError
        Arrays that do not fit, an unknown method, or groups without a generator.
    """
    check_budget(budget)
    if method not in METHODS:
        raise BadArgumentError(f"one of {', '.join(METHODS)}", repr(method), "Name a known method.")
    ladder = _Ladder.of(confidence, correct, groups, rng)
    needed = required(budget, level)
    if ladder.n < needed:
        raise EvaluationError(
            f"at least {needed} labelled items to show a budget of {budget:.1%} at {level:.0%}",
            str(ladder.n),
            f"Label {needed - ladder.n} more, or allow a larger budget.",
        )
    search = _fixed_sequence if method == "fixed_sequence" else _sgr
    rung, upper = search(ladder, budget, level)
    return ladder.selection(rung, upper, budget, level, method)


def claimed(confidence: npt.ArrayLike, *, budget: float, level: float = 0.95) -> Selection:
    """The threshold above which the model itself claims to keep the budget.

    For a first draft without any labelled items. It promises nothing: only an audit can.

    Parameters
    ----------
    confidence : array-like, shape (n_items,)
        NaN (no answer) is left out of what may be accepted, not out of the coverage.
    budget : float
    level : float

    Returns
    -------
    Selection
        Of method `CLAIMED`, with an upper bound of 1.

    Raises
    ------
    BadArgumentError
        A budget or confidences outside 0 to 1.
    """
    check_budget(budget)
    given = np.asarray(confidence, dtype=np.float64)
    p = np.sort(checked_confidence(given[~np.isnan(given)]))[::-1]
    last = np.append(np.flatnonzero(np.diff(p)), p.size - 1) if p.size else np.empty(0, np.intp)
    risk = np.cumsum(1 - p) / np.arange(1, p.size + 1)
    within = last[risk[last] <= budget]
    n = int(within[-1]) + 1 if within.size else 0
    threshold = float(p[n - 1]) if n else float("inf")
    coverage = binomial_interval(n, given.size, level=level)
    return Selection(budget, level, threshold, coverage, given.size, n, 0, 1.0, CLAIMED)


def risk_coverage_curve(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> RiskCoverage:
    """Error rate at every threshold.

    Parameters
    ----------
    confidence : array-like, shape (n_items,)
    correct : array-like of bool, shape (n_items,)
    weights : array-like, shape (n_items,), optional
        Inverse probability of each item to have been asked.

    Returns
    -------
    RiskCoverage

    Raises
    ------
    BadArgumentError
        No items, or arrays that do not fit.
    """
    p, right = checked_pair(confidence, correct)
    if not p.size:
        raise BadArgumentError("labelled items", "none", "Label some first.")
    w = checked_weights(weights, p.size)
    order = np.argsort(-p, kind="stable")
    last = np.append(np.flatnonzero(np.diff(p[order])), p.size - 1)
    mass = np.cumsum(w[order])[last]
    risk = np.cumsum((w * ~right)[order])[last] / mass
    coverage = mass / w.sum()
    area = _area(coverage, risk)
    ideal = np.argsort(~right, kind="stable")
    best_mass = np.cumsum(w[ideal])
    best = _area(best_mass / w.sum(), np.cumsum((w * ~right)[ideal]) / best_mass)
    return RiskCoverage(p[order][last], coverage, risk, area, area - best)


@dataclass(frozen=True, eq=False)
class _Ladder:
    """Candidate thresholds, strictest first, and the counts at or above each."""

    threshold: Floats  # (n_rungs,)
    accepted: Integers  # (n_rungs,)
    wrong: Integers  # (n_rungs,)
    n: int
    group_accepted: Floats | None  # (n_groups, n_rungs)
    group_wrong: Floats | None
    group_sizes: Integers | None
    rng: np.random.Generator | None

    @classmethod
    def of(
        cls,
        confidence: npt.ArrayLike,
        correct: npt.ArrayLike,
        groups: Names | None,
        rng: np.random.Generator | None,
    ) -> _Ladder:
        p, right = checked_pair(confidence, correct)
        if groups is not None and rng is None:
            raise BadArgumentError(
                "a random generator with groups", "none", "Pass numpy.random.default_rng(seed)."
            )
        order = np.argsort(-p, kind="stable")
        last = np.append(np.flatnonzero(np.diff(p[order])), p.size - 1) if p.size else order
        ranks = np.unique(np.round(np.geomspace(1, max(p.size, 1), _STEPS)).astype(int)) - 1
        rungs = np.unique(last[np.searchsorted(last, ranks[ranks < p.size])])
        bad = ~right[order]
        accepted, wrong = rungs + 1, np.cumsum(bad)[rungs] if p.size else rungs
        if groups is None:
            return cls(p[order][rungs], accepted, wrong, p.size, None, None, None, None)
        codes, sizes = group_codes(groups, p.size)
        step = np.searchsorted(rungs, np.arange(p.size))  # the rung at which an item comes in
        per = np.zeros((2, sizes.size, rungs.size))
        np.add.at(per[0], (codes[order], step), 1)
        np.add.at(per[1], (codes[order], step), bad)
        per = per.cumsum(axis=2)
        return cls(p[order][rungs], accepted, wrong, p.size, per[0], per[1], sizes, rng)

    def uppers(self, rungs: Integers, level: float) -> Floats:
        """Upper bound of the error rate at each of the rungs."""
        n = self.accepted[rungs].astype(np.float64)
        exact = upper_bounds(self.wrong[rungs], n, level=level)
        if self.group_accepted is None or self.group_wrong is None or self.rng is None:
            return exact
        totals, wrong = self.group_accepted[:, rungs], self.group_wrong[:, rungs]
        return np.maximum(exact, cluster_upper_bounds(totals, wrong, n, rng=self.rng, level=level))

    def selection(
        self, rung: int | None, upper: float, budget: float, level: float, method: str
    ) -> Selection:
        """The selection of a rung; of nothing where there is none."""
        accepted = 0 if rung is None else int(self.accepted[rung])
        return Selection(
            budget,
            level,
            float("inf") if rung is None else float(self.threshold[rung]),
            self._coverage(rung, accepted, level),
            self.n,
            accepted,
            0 if rung is None else int(self.wrong[rung]),
            1.0 if rung is None else upper,
            method,
            None if self.group_sizes is None else self.group_sizes.size,
        )

    def _coverage(self, rung: int | None, accepted: int, level: float) -> Interval:
        sizes = self.group_sizes
        if rung is None or sizes is None or self.group_accepted is None or self.rng is None:
            return binomial_interval(accepted, self.n, level=level)
        sums = np.column_stack([self.group_accepted[:, rung], sizes.astype(np.float64)])
        draws = resampled_sums(sums, rng=self.rng)
        low, high = percentiles(draws[:, 0] / draws[:, 1], level)
        return Interval(accepted / self.n, float(low), float(high), level, len(sums))


def _fixed_sequence(ladder: _Ladder, budget: float, level: float) -> tuple[int | None, float]:
    enough = np.flatnonzero(ladder.accepted >= required(budget, level))
    shared = 1 - (1 - level) / _STARTS
    first = required(budget, shared)
    n_starts = _STARTS if ladder.n >= 2 * first else 1
    if n_starts == 1:
        starts, own = enough[:1], level
    else:
        counts = np.geomspace(first, ladder.n, _STARTS + 1)[:-1]
        starts, own = np.unique(np.searchsorted(ladder.accepted, counts)), shared
    rungs = np.arange(int(starts[0]), len(ladder.accepted))
    uppers = ladder.uppers(rungs, own)
    best: int | None = None
    for start in starts:
        for rung in range(int(start), len(ladder.accepted)):
            if uppers[rung - rungs[0]] > budget:
                break
            best = rung if best is None else max(best, rung)
    return best, 1.0 if best is None else float(uppers[best - rungs[0]])


def _sgr(ladder: _Ladder, budget: float, level: float) -> tuple[int | None, float]:
    rungs = len(ladder.accepted)
    steps = max(1, int(np.ceil(np.log2(rungs + 1))))
    own = 1 - (1 - level) / steps
    low, high = int(np.searchsorted(ladder.accepted, required(budget, own))), rungs
    best: int | None = None
    found = 1.0
    while low < high:  # at most `steps` times: the middle is that of the rungs left
        rung = (low + high) // 2
        upper = float(ladder.uppers(np.array([rung]), own)[0])
        if upper <= budget:
            best, found, low = rung, upper, rung + 1
        else:
            high = rung
    return best, found


def _area(coverage: Floats, risk: Floats) -> float:
    """Mean of a step curve over coverage."""
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk))
