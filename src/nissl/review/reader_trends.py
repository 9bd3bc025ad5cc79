"""Readers over time and under influence: drift against a reference, and automation bias."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, MissingInputError
from nissl.review.readers import Answer, first_hand
from nissl.trust.intervals import Interval, binomial_interval, bootstrap_interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """Agreement with the reference over a stretch of answers; times are Unix seconds."""

    first_s: float
    last_s: float
    agreement: Interval


@dataclass(frozen=True)
class Drift:
    """How a reader's agreement with a reference moves.

    Parameters
    ----------
    reader : str
    windows : tuple of Window
        One after the other, without overlap.
    p : float
        That the order of the answers means nothing (permutation test of the largest cumulative
        deviation from the mean).
    change_s : float or None
        Unix time of the first answer after the most probable change, where p < 0.05.
    before, after : Interval
        Agreement on either side of it.
    """

    reader: str
    windows: tuple[Window, ...]
    p: float
    change_s: float | None
    before: Interval
    after: Interval

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "reader": self.reader,
            "windows": [
                {"first_s": w.first_s, "last_s": w.last_s, "agreement": w.agreement.to_json()}
                for w in self.windows
            ],
            "p": self.p,
            "change_s": self.change_s,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def drift(
    answers: Iterable[Answer],
    reader: str,
    reference: Mapping[int, str],
    *,
    rng: np.random.Generator,
    window: int = 50,
    n_permutations: int = 2000,
) -> Drift:
    """Follow a reader's agreement with gold items or with the consensus.

    The change test is that of a cumulative sum (Page 1954, Biometrika 41, 100-115) against
    random orders of the same answers; it looks at each answer once and is told once.

    Parameters
    ----------
    answers : iterable of Answer
        In the order in which they were given; unsure ones count as disagreement.
    reader : str
    reference : mapping of int to str
        The right class. A consensus that the reader is part of flatters; leave them out.
    rng : numpy.random.Generator
    window : int
        Answers per window.
    n_permutations : int

    Raises
    ------
    MissingInputError
        The reader answered fewer than 10 items of the reference.
    """
    if window < 1:
        raise BadArgumentError("a window of 1 answer or more", str(window), "Mend it.")
    own = [a for a in first_hand(answers) if a.reader == reader and a.item in reference]
    own.sort(key=lambda a: a.when_s)
    if len(own) < 10:
        raise MissingInputError(
            "10 answers or more to items of known class", f"{len(own)}", "Insert gold items."
        )
    right = np.asarray([a.label == reference[a.item] for a in own], dtype=np.float64)
    when = [a.when_s for a in own]
    windows = tuple(
        Window(when[low], when[min(low + window, len(own)) - 1], _share(right[low : low + window]))
        for low in range(0, len(own), window)
    )
    height, place = _largest_excursion(right)
    draws = [_largest_excursion(rng.permutation(right))[0] for _ in range(n_permutations)]
    p = float((1 + np.sum(np.asarray(draws) >= height - 1e-12)) / (1 + n_permutations))
    changed = p < 0.05
    before, after = _share(right[:place]), _share(right[place:])
    return Drift(reader, windows, p, when[place] if changed else None, before, after)


def _largest_excursion(values: Floats) -> tuple[float, int]:
    """Largest deviation of the cumulative sum from a straight line, and what follows it."""
    walk = np.abs(np.cumsum(values - values.mean()))[:-1]
    return float(walk.max()), int(walk.argmax()) + 1


def _share(right: Floats) -> Interval:
    return binomial_interval(int(right.sum()), right.size)


@dataclass(frozen=True)
class AutomationBias:
    """Whether readers follow the method more when they see its answer.

    Parameters
    ----------
    shown, hidden : Interval
        Agreement with the method's answer, resampled over items.
    difference : Interval
        Shown minus hidden; above zero throughout: they are led.
    p : float
        One-sided, by permutation of shown and hidden within readers.
    followed_wrong : mapping of str to Interval
        "shown" and "hidden": how often the method's answer was given where it is known to be
        wrong; empty without a truth.
    """

    shown: Interval
    hidden: Interval
    difference: Interval
    p: float
    followed_wrong: Mapping[str, Interval]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "shown": self.shown.to_json(),
            "hidden": self.hidden.to_json(),
            "difference": self.difference.to_json(),
            "p": self.p,
            "followed_wrong": {k: v.to_json() for k, v in self.followed_wrong.items()},
        }


def automation_bias(
    answers: Iterable[Answer],
    proposed: Mapping[int, str],
    *,
    rng: np.random.Generator,
    truth: Mapping[int, str] | None = None,
    n_resamples: int = 2000,
) -> AutomationBias:
    """Compare agreement with the method when its answer was shown and when it was hidden.

    Only where it was decided at random which items are hidden is the difference the showing's
    effect; the audit sample and blind mode on random items are such, harder items are not.

    Parameters
    ----------
    answers : iterable of Answer
    proposed : mapping of int to str
        The method's answers.
    rng : numpy.random.Generator
    truth : mapping of int to str, optional
        Known classes, such as gold items.
    n_resamples : int

    Raises
    ------
    MissingInputError
        Nothing was answered with the method's answer hidden, or nothing with it shown.
    """
    own = [a for a in first_hand(answers) if a.item in proposed and a.label is not None]
    agrees = np.asarray([a.label == proposed[a.item] for a in own], dtype=np.float64)
    hidden = np.asarray([a.hidden for a in own], dtype=bool)
    if not hidden.any() or hidden.all():
        raise MissingInputError(
            "answers with the method's answer shown, and others with it hidden",
            f"{int(hidden.sum())} of {hidden.size} hidden",
            "Turn blind mode on for a random part of the items.",
        )
    item = np.asarray([a.item for a in own])
    pairs = np.column_stack([agrees, hidden])
    difference = bootstrap_interval(pairs, item, _difference, rng=rng, n=n_resamples)
    shown_, hidden_ = (
        bootstrap_interval(agrees[mask], item[mask], rng=rng, n=n_resamples)
        for mask in (~hidden, hidden)
    )
    _, reader = np.unique([a.reader for a in own], return_inverse=True)
    draws = np.empty(n_resamples)
    for index in range(n_resamples):
        draws[index] = _difference(np.column_stack([agrees, _within(hidden, reader, rng)]))
    p = float((1 + np.sum(draws >= difference.estimate - 1e-12)) / (1 + n_resamples))
    return AutomationBias(shown_, hidden_, difference, p, _followed(own, proposed, truth or {}))


def _difference(pairs: npt.NDArray[Any]) -> float:
    hidden = pairs[:, 1] > 0.5
    if hidden.all() or not hidden.any():
        return float("nan")
    return float(pairs[~hidden, 0].mean() - pairs[hidden, 0].mean())


def _within(
    hidden: npt.NDArray[np.bool_], reader: npt.NDArray[np.intp], rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Permute within each reader."""
    order = np.lexsort((rng.random(hidden.size), reader))
    place = np.argsort(reader, kind="stable")
    out = np.empty_like(hidden)
    out[place] = hidden[order]
    return out


def _followed(
    own: list[Answer], proposed: Mapping[int, str], truth: Mapping[int, str]
) -> dict[str, Interval]:
    wrong = [a for a in own if a.item in truth and truth[a.item] != proposed[a.item]]
    found = {}
    for name, mine in (("shown", False), ("hidden", True)):
        followed = [a.label == proposed[a.item] for a in wrong if a.hidden is mine]
        if followed:
            found[name] = binomial_interval(sum(followed), len(followed))
    return found
