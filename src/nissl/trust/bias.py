"""Whom a model serves worse: scores by probe, region, lab, species, amplitude band.

A model that is right on average may fail on one rig. Every named group is scored apart, with its
number and intervals; below `FEWEST` items a group is not scored, for a number would pretend to
know. Automatic acceptance is off in groups that fail the budget or could not be scored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError
from nissl.trust.bands import split
from nissl.trust.bounds import check_budget, upper_bound
from nissl.trust.checked import Names, Truths, checked_pair, group_codes
from nissl.trust.intervals import Interval, binomial_interval, bootstrap_interval
from nissl.trust.reliability import Reliability, reliability

FEWEST = 20


@dataclass(frozen=True)
class GroupScore:
    """A model in one named group.

    Parameters
    ----------
    attribute, name : str
        "region", "CA1".
    n : int
        Labelled items.
    n_subjects : int or None
        Subjects among them; None where subjects were not given.
    n_accepted, n_wrong : int
        Items accepted without review, and the wrong ones among these.
    coverage : Interval or None
        Share accepted; 1 - coverage is the abstention. None below `FEWEST` items.
    accuracy : Interval or None
        Share right of all items, accepted or not.
    error : Interval or None
        Share wrong of the accepted; None below `FEWEST` accepted items.
    upper : float or None
        One-sided 95 % bound of it (Clopper-Pearson); None likewise.
    calibration : Reliability or None
        Of all items.
    """

    attribute: str
    name: str
    n: int
    n_subjects: int | None
    n_accepted: int
    n_wrong: int
    coverage: Interval | None = None
    accuracy: Interval | None = None
    error: Interval | None = None
    upper: float | None = None
    calibration: Reliability | None = None

    @property
    def scored(self) -> bool:
        """Whether there are enough items to say anything."""
        return self.calibration is not None

    @property
    def group(self) -> str:
        """Attribute and name as one: "region: CA1"."""
        return f"{self.attribute}: {self.name}"

    @property
    def abstention(self) -> Interval | None:
        """Share left to people."""
        c = self.coverage
        return c and Interval(1 - c.estimate, 1 - c.high, 1 - c.low, c.level, c.n)

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what is not scored."""
        parts = {
            "coverage": self.coverage,
            "abstention": self.abstention,
            "accuracy": self.accuracy,
            "error": self.error,
            "calibration": self.calibration,
        }
        return {
            "attribute": self.attribute,
            "name": self.name,
            "n": self.n,
            "n_subjects": self.n_subjects,
            "n_accepted": self.n_accepted,
            "n_wrong": self.n_wrong,
            "scored": self.scored,
            "upper": self.upper,
            **{key: None if part is None else part.to_json() for key, part in parts.items()},
        }


@dataclass(frozen=True)
class Share:
    """How much of the training data one named group is.

    Parameters
    ----------
    attribute, name : str
    n : int
        Items.
    share : float
        Of all items.
    n_subjects : int or None
        Subjects; None where subjects were not given.
    classes : mapping of str to int
        Items of each class.
    """

    attribute: str
    name: str
    n: int
    share: float
    n_subjects: int | None
    classes: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "attribute": self.attribute,
            "name": self.name,
            "n": self.n,
            "share": self.share,
            "n_subjects": self.n_subjects,
            "classes": dict(self.classes),
        }


def by_group(
    confidence: npt.ArrayLike,
    correct: npt.ArrayLike,
    accepted: npt.ArrayLike,
    attributes: Mapping[str, Names],
    *,
    edges: Mapping[str, Sequence[float]] | None = None,
    subjects: Names | None = None,
    rng: np.random.Generator,
) -> tuple[GroupScore, ...]:
    """Score a model in every named group.

    Parameters
    ----------
    confidence : array-like, shape (n_items,)
        Of items that neither the model nor its calibration has learned from.
    correct, accepted : array-like of bool, shape (n_items,)
    attributes : mapping of str to sequence of length n_items
        "probe", "region", "lab", "species", "amplitude_uv": a name or number of each item.
    edges : mapping of str to sequence of float, optional
        Inner edges of the attributes that are numbers (`bands.quantile_edges`).
    subjects : sequence of length n_items, optional
        Intervals then resample subjects.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of GroupScore
        By attribute as given, then in the order of `bands.split`.

    Raises
    ------
    BadArgumentError
        Arrays that do not fit.
    """
    p, right = checked_pair(confidence, correct)
    taken = np.asarray(accepted, dtype=np.bool_)
    if taken.shape != p.shape:
        raise BadArgumentError(
            f"accepted or not for each of {p.size} items", f"shape {taken.shape}", "Give one each."
        )
    codes = None if subjects is None else group_codes(subjects, p.size)[0]
    cuts = edges or {}
    return tuple(
        _score(
            attribute,
            name,
            p[mask],
            right[mask],
            taken[mask],
            None if codes is None else codes[mask],
            rng,
        )
        for attribute, values in attributes.items()
        for name, mask in split(values, p.size, edges=cuts.get(attribute)).items()
    )


def failing(scores: Sequence[GroupScore], budget: float) -> dict[str, str]:
    """Groups in which automatic acceptance is off, with the reason.

    A group fails where more than the budget is wrong among what was accepted there, or where
    fewer than `FEWEST` items, or accepted items, speak for it.

    Parameters
    ----------
    scores : sequence of GroupScore
    budget : float

    Returns
    -------
    dict
        Reason by group ("region: CA1"); for `acceptance.judge`.
    """
    check_budget(budget)
    reasons = {}
    for score in scores:
        if not score.scored:
            reasons[score.group] = f"unscored: {score.n} labelled items, {FEWEST} are needed"
        elif score.error is None:
            reasons[score.group] = (
                f"unscored: {score.n_accepted} accepted labelled items, {FEWEST} are needed"
            )
        elif score.error.estimate > budget:
            reasons[score.group] = (
                f"{score.error.estimate:.1%} wrong among {score.n_accepted} accepted, "
                f"the budget is {budget:.1%}"
            )
    return reasons


def composition(
    attributes: Mapping[str, Names],
    *,
    classes: Names | None = None,
    subjects: Names | None = None,
    edges: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Share, ...]:
    """What a model was trained on, by named group.

    Parameters
    ----------
    attributes : mapping of str to sequence of length n_items
    classes : sequence of length n_items, optional
        Class name of each item.
    subjects : sequence of length n_items, optional
    edges : mapping of str to sequence of float, optional
        As in `by_group`.

    Returns
    -------
    tuple of Share

    Raises
    ------
    BadArgumentError
        Sequences of different lengths.
    """
    lengths = {len(values) for values in attributes.values()}
    lengths |= {len(values) for values in (classes, subjects) if values is not None}
    if len(lengths) > 1:
        raise BadArgumentError(
            "one value per item throughout", f"lengths {sorted(lengths)}", "Give as many of each."
        )
    n = lengths.pop() if lengths else 0
    cuts = edges or {}
    return tuple(
        Share(
            attribute,
            name,
            int(mask.sum()),
            float(mask.mean()),
            _distinct(subjects, mask),
            _counts(classes, mask),
        )
        for attribute, values in attributes.items()
        for name, mask in split(values, n, edges=cuts.get(attribute)).items()
    )


def _score(
    attribute: str,
    name: str,
    p: npt.NDArray[np.float64],
    right: Truths,
    accepted: Truths,
    subjects: npt.NDArray[np.intp] | None,
    rng: np.random.Generator,
) -> GroupScore:
    wrong = ~right[accepted]
    n_accepted, n_wrong = int(accepted.sum()), int(wrong.sum())
    n_subjects = None if subjects is None else np.unique(subjects).size
    if p.size < FEWEST:
        return GroupScore(attribute, name, p.size, n_subjects, n_accepted, n_wrong)

    def rate(hits: Truths, of: npt.NDArray[np.intp] | None) -> Interval:
        exact = binomial_interval(int(hits.sum()), hits.size)
        if of is None:
            return exact
        drawn = bootstrap_interval(hits, of, rng=rng, n=1000)
        low, high = np.fmin(drawn.low, exact.low), np.fmax(drawn.high, exact.high)
        return Interval(exact.estimate, float(low), float(high), exact.level, drawn.n)

    inside = None if subjects is None else subjects[accepted]
    enough = n_accepted >= FEWEST
    calibration = reliability(p, right, groups=subjects, rng=rng)
    return GroupScore(
        attribute,
        name,
        p.size,
        n_subjects,
        n_accepted,
        n_wrong,
        coverage=rate(accepted, subjects),
        accuracy=calibration.accuracy,
        error=rate(wrong, inside) if enough else None,
        upper=upper_bound(n_wrong, n_accepted) if enough else None,
        calibration=calibration,
    )


def _distinct(values: Names | None, mask: Truths) -> int | None:
    return None if values is None else int(np.unique(np.asarray(values)[mask]).size)


def _counts(values: Names | None, mask: Truths) -> dict[str, int]:
    if values is None:
        return {}
    counts = Counter(str(value) for value in np.asarray(values)[mask].tolist())
    return dict(sorted(counts.items()))
