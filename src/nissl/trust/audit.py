"""The audit sample: what is wrong among the labels that no one looked at.

A model's own confidence is a claim. The audit is evidence: a random sample of the automatically
accepted items, drawn before review, answered by people who do not see the model's answer. Its
bound holds whatever the model, the animal or the rig, because the randomness is the draw's, not
the model's.

*Watched.* A sample drawn with ``watched=True`` is the beginning of a random order of all accepted
items. It may be looked at after every answer, stopped when it has shown enough and continued in
that order when it has not, for its bound (`bounds.finite_upper_bound`) holds at every look. The
bound uses how many accepted items there are, for which the draw has to be simple, without strata.
In simulations it needs fewer answers than two to five planned looks at exact hypergeometric
bounds with the error probability split between them, whatever is wrong among the items.

*Fixed number.* `draw` fixes the items; once all of them are answered the bound is Clopper-Pearson
for that number, and nobody may stop early or go on drawing because of what was found. *Looked at
while it grows.* Before that, and for a sample that was extended, the bound is the anytime-valid
one, which may be looked at after every answer (for draws that are a small part of the accepted
items, as the sequence ignores that items are not put back).

*Strata.* Accepted items are sorted by confidence and cut into strata of near-equal size, and as
many are drawn in each. The number wrong is then a sum of independent draws with unequal error
rates (a hypergeometric count is one, as its generating function has real roots), for which
Clopper-Pearson bounds the mean rate (Hoeffding 1956). Where sizes or numbers per stratum differ
by one, the bound is multiplied by the largest weight over the mean weight, so that it still holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.bounds import (
    anytime_upper_bound,
    finite_upper_bound,
    required,
    upper_bound,
)
from nissl.trust.checked import Floats, Integers, Names, checked_confidence
from nissl.trust.residual import (
    Residual,
    across_groups,
    checked_answers,
    residual_of_queries,
)

__all__ = [
    "AuditSample",
    "Residual",
    "draw",
    "extend",
    "planned",
    "required",
    "residual",
    "residual_of_queries",
]

SMALLEST = 50
SHARE = 0.05

_STRATA = 10
_MOST_PLANNED = 10**6


@dataclass(frozen=True, eq=False)
class AuditSample:
    """Items drawn for the audit, in the random order in which to ask them.

    Parameters
    ----------
    indices : ndarray, shape (n,), int
        Positions among all items given to `draw`.
    stratum : ndarray, shape (n,), int
        0 is the least confident.
    weight : ndarray, shape (n,), float64
        Inverse inclusion probability.
    n_accepted : int
        Automatically accepted items that the sample stands for.
    extended : bool
        Whether items were added after some were answered.
    watched : bool
        Whether it is the beginning of a random order, which may be looked at as it grows.
    """

    indices: Integers
    stratum: Integers
    weight: Floats
    n_accepted: int
    extended: bool = False
    watched: bool = False

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def complete(self) -> bool:
        """Whether every accepted item is in the sample."""
        return len(self) == self.n_accepted

    @property
    def excess(self) -> float:
        """Largest weight over the mean weight of a whole sample; 1 when all weigh the same."""
        return float(self.weight.max() * len(self) / self.n_accepted)

    def first(self, n: int) -> AuditSample:
        """The first n items of a watched sample."""
        if not self.watched:
            raise BadArgumentError(
                "a watched sample", "one of a fixed number of items", "Answer all of it."
            )
        kept = len(self.indices[:n])
        weight = np.full(kept, self.n_accepted / max(kept, 1))
        return replace(self, indices=self.indices[:n], stratum=self.stratum[:n], weight=weight)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes the same sample."""
        return {
            "indices": self.indices.tolist(),
            "stratum": self.stratum.tolist(),
            "weight": self.weight.tolist(),
            "n_accepted": self.n_accepted,
            "extended": self.extended,
            "watched": self.watched,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> AuditSample:
        """Inverse of `to_json`; anything malformed raises `BadArgumentError`."""
        try:
            sample = cls(
                np.asarray(value["indices"], dtype=np.intp),
                np.asarray(value["stratum"], dtype=np.intp),
                np.asarray(value["weight"], dtype=np.float64),
                int(value["n_accepted"]),
                bool(value["extended"]),
                bool(value.get("watched", False)),
            )
            sizes = {sample.indices.shape, sample.stratum.shape, sample.weight.shape}
            if len(sizes) > 1 or sample.indices.ndim != 1 or not len(sample) <= sample.n_accepted:
                raise ValueError(f"arrays of shapes {sizes} for {sample.n_accepted} items")
        except (KeyError, TypeError, ValueError) as error:
            raise BadArgumentError(
                "an audit sample", f"{type(error).__name__}: {error}", "Draw the sample again."
            ) from None
        return sample


def planned(budget: float, *, expected: float, power: float = 0.8, level: float = 0.95) -> int:
    """Audit items with which a budget is met with good prospects.

    Parameters
    ----------
    budget : float
    expected : float
        Error rate that is hoped for, below the budget.
    power : float
        Wanted probability of meeting the budget when the error is as hoped for.
    level : float

    Returns
    -------
    int
        At least ``required(budget, level)``.

    Raises
    ------
    BadArgumentError
        Shares outside 0 to 1, an expected error that is not below the budget, or so close to it
        that more than a million items would be needed.
    """
    from scipy.special import bdtr

    if not (0 <= expected < budget and 0 < power < 1):
        raise BadArgumentError(
            "an expected error below the budget and a power between 0 and 1",
            f"expected {expected}, budget {budget}, power {power}",
            "A model that is wrong as often as the budget allows cannot be shown to keep it.",
        )
    errors = 0
    while True:
        n = required(budget, level, errors)
        if n > _MOST_PLANNED:
            raise BadArgumentError(
                "an expected error well below the budget", str(expected), "Allow more errors."
            )
        if bdtr(errors, n, expected) >= power:
            return n
        errors += 1 + errors // 20


def draw(
    confidence: npt.ArrayLike,
    accepted: npt.ArrayLike,
    *,
    size: int | None = None,
    budget: float | None = None,
    watched: bool = False,
    rng: np.random.Generator,
) -> AuditSample:
    """Draw the audit sample before review starts.

    Parameters
    ----------
    confidence : array-like, shape (n_items,)
        Strata are cut by it; ties are broken at random.
    accepted : array-like of bool, shape (n_items,)
        Items accepted automatically.
    size : int, optional
        Items to draw, 50 or 5 % by default, whichever is more; rounded up to as many in each of
        ten strata, and to all items where there are not that many.
    budget : float, optional
        The default size is then at least what this budget needs without an error; a size for
        good prospects gives `planned`.
    watched : bool
        Draw without strata and without rounding, to be looked at after every answer.
    rng : numpy.random.Generator

    Returns
    -------
    AuditSample
        In random order.

    Raises
    ------
    BadArgumentError
        Arrays that do not fit, or a size below 1.
    EvaluationError
        Nothing is accepted, so there is nothing to audit.
    """
    p, members = _members(confidence, accepted)
    if size is None:
        least = SMALLEST if budget is None else max(SMALLEST, required(budget))
        size = max(least, int(np.ceil(SHARE * members.size)))
    if size < 1:
        raise BadArgumentError("at least one audit item", str(size), "Give a size above 0.")
    if watched:
        order = rng.permutation(members)
        none = np.zeros(order.size, dtype=np.intp)
        whole = AuditSample(order, none, np.ones(order.size), members.size, watched=True)
        return whole.first(size)
    indices, stratum, weight = _stratified(p, members, size, rng)
    return AuditSample(indices, stratum, weight, members.size)


def extend(
    sample: AuditSample,
    confidence: npt.ArrayLike,
    accepted: npt.ArrayLike,
    *,
    size: int,
    rng: np.random.Generator,
) -> AuditSample:
    """Add items to a sample that turned out too small; its bound is then the anytime-valid one.

    Parameters
    ----------
    sample : AuditSample
    confidence, accepted : array-like, shape (n_items,)
        As given to `draw`.
    size : int
        Items to add; fewer where fewer are left.
    rng : numpy.random.Generator

    Returns
    -------
    AuditSample
        The old items first, in their order, then the new ones.

    Raises
    ------
    BadArgumentError
        Other accepted items than those that the sample was drawn from, or a watched sample, whose
        order is fixed when it is drawn.
    """
    if sample.watched:
        raise BadArgumentError(
            "a sample of a fixed number of items",
            "a watched one",
            "Draw it with size=number of accepted items and take more of it with first().",
        )
    p, members = _members(confidence, accepted)
    if members.size != sample.n_accepted or not np.isin(sample.indices, members).all():
        raise BadArgumentError(
            f"the {sample.n_accepted} accepted items that the sample was drawn from",
            f"{members.size} accepted items",
            "Draw a new sample for the new set.",
        )
    rest = np.setdiff1d(members, sample.indices)
    if not rest.size:
        return sample
    indices, stratum, _ = _stratified(p, rest, size, rng)
    n = len(sample) + len(indices)
    return replace(
        sample,
        indices=np.concatenate([sample.indices, indices]),
        stratum=np.concatenate([sample.stratum, stratum]),
        weight=np.full(n, members.size / n),  # every item had the same chance but for rounding
        extended=True,
    )


def residual(
    wrong: npt.ArrayLike,
    sample: AuditSample,
    *,
    groups: Names | None = None,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Residual:
    """Error rate among the accepted items, from the answers to an audit sample.

    Parameters
    ----------
    wrong : array-like, shape (len(sample),)
        In the sample's order: 1 where the accepted label was wrong, 0 where it was right, NaN
        where no one has answered yet. Count "unsure" as wrong. Of a watched sample only the
        answers before the first that is missing count.
    sample : AuditSample
    groups : sequence of length len(sample), optional
        Subject of each item. Without it the statement is about exactly these accepted items; with
        it, about animals like these, and the bound is the larger of that and
        `bounds.cluster_upper_bound`.
    level : float
    rng : numpy.random.Generator, optional
        Needed with `groups`.

    Returns
    -------
    Residual

    Raises
    ------
    BadArgumentError
        Answers that do not fit the sample, or groups without a generator.
    """
    y = checked_answers(wrong, len(sample))
    if sample.watched:  # an answer ahead of its turn may have been picked
        y[np.cumsum(np.isnan(y)) > 0] = np.nan
    seen = ~np.isnan(y)
    n, k = int(seen.sum()), int(np.nansum(y))
    if not n:
        basis = f"None of the {len(sample)} audit items is answered yet."
        nothing = Residual(float("nan"), 1.0, level, 0, 0, 0.0, sample.n_accepted, basis)
        return replace(nothing, pending=len(sample), finite=sample.watched)
    estimate = float(np.average(y[seen], weights=sample.weight[seen]))
    growing = sample.extended or n < len(sample)
    if sample.watched:
        growing = True
        upper = finite_upper_bound(k, n, sample.n_accepted, level=level)
        basis = (
            f"{n} of {sample.n_accepted} accepted items in random order; the bound holds at every "
            "look."
        )
    elif sample.complete and not growing:
        upper, basis = estimate, f"All {n} accepted items were answered."
    elif growing:
        upper = anytime_upper_bound(k, n, level=level)
        basis = f"{n} of {len(sample)} items drawn at random; the bound holds at every look."
    else:
        upper = upper_bound(k, n, level=level)
        basis = (
            f"{n} items drawn at random before review, in strata of confidence; Clopper-Pearson."
        )
    if not (sample.complete or sample.watched):
        upper = min(1.0, upper * sample.excess)
    if groups is not None:
        chosen = np.asarray(groups)[seen] if len(groups) == len(sample) else groups
        across = across_groups(y[seen], chosen, sample.weight[seen], level, rng)
        names = np.unique(np.asarray(chosen)).size
        basis += f" For subjects like these {names}, resampled as wholes."
        upper = max(upper, across)
    result = Residual(estimate, upper, level, k, n, float(n), sample.n_accepted, basis, growing)
    result = replace(result, finite=sample.watched)
    return result if sample.extended else replace(result, pending=len(sample) - n)


def _members(confidence: npt.ArrayLike, accepted: npt.ArrayLike) -> tuple[Floats, Integers]:
    mask = np.asarray(accepted, dtype=np.bool_)
    raw = np.asarray(confidence, dtype=np.float64)
    if mask.shape != raw.shape:
        raise BadArgumentError(
            "accepted or not for each item", f"shape {mask.shape}", "Give one per item."
        )
    checked_confidence(raw[mask])  # items without a confidence may exist, but not be accepted
    members = np.flatnonzero(mask)
    if not members.size:
        raise EvaluationError(
            "automatically accepted items to audit",
            "none",
            "Nothing is accepted without review, so nothing is left unseen.",
        )
    return raw, members


def _stratified(
    p: Floats, members: Integers, size: int, rng: np.random.Generator
) -> tuple[Integers, Integers, Floats]:
    """As many from each of up to ten strata of confidence: indices, strata, weights."""
    n_strata = min(_STRATA, size, members.size)
    each = -(-size // n_strata)
    shuffled = rng.permutation(members)
    strata = np.array_split(shuffled[np.argsort(p[shuffled], kind="stable")], n_strata)
    chosen = [rng.choice(items, min(each, items.size), replace=False) for items in strata]
    codes = [np.full(len(c), h) for h, c in enumerate(chosen)]
    weights = [np.full(len(c), s.size / len(c)) for s, c in zip(strata, chosen, strict=True)]
    order = rng.permutation(sum(map(len, chosen)))
    return (
        np.concatenate(chosen)[order],
        np.concatenate(codes)[order],
        np.concatenate(weights)[order],
    )
