"""How alike two units' templates are, and which units are likely one neuron."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.correlograms import REFRACTORY_MS, Refractory, refractory
from nissl.annotators.spikes.pairing import LEAST_SIMILARITY, merge_probability
from nissl.annotators.spikes.units import apart_of
from nissl.labels import ItemTable

SIGNIFICANT = 0.1
"""Channels on which a template is smaller than this share of its largest are taken as 0."""

MAX_SHIFT_MS = 0.5
NEAR_UM = 150.0
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Templates:
    """Templates made ready for comparison.

    Parameters
    ----------
    item : ndarray, shape (n_units,), int64
    template : ndarray, shape (n_units, n_samples, n_channels), float32, uV
        NaN where missing.
    place_um : ndarray, shape (n_units, 2), float64
        NaN where unknown.
    max_shift : int
        Samples.
    apart : mapping of (int, int) to float
        Log likelihood ratio of two neurons over one, of pairs that the sorter looked at.
    """

    item: Ints
    template: Floats
    place_um: npt.NDArray[np.float64]
    max_shift: int
    apart: Mapping[tuple[int, int], float] = field(default_factory=dict)

    @cached_property
    def significant(self) -> npt.NDArray[np.bool_]:
        """Channels that count, shape (n_units, n_channels)."""
        if 0 in self.template.shape:
            return np.zeros((len(self.template), self.template.shape[2]), bool)
        low = np.fmin.reduce(self.template, axis=1)
        size = np.nan_to_num(np.fmax.reduce(self.template, axis=1) - low, nan=0.0)
        return np.asarray(size > SIGNIFICANT * size.max(axis=1, keepdims=True))

    @cached_property
    def norm(self) -> npt.NDArray[np.float64]:
        """Root of the sum of squares over the channels that count, shape (n_units,)."""
        sums = [
            np.sum(np.nan_to_num(t[:, s], nan=0.0).astype(np.float64) ** 2)
            for t, s in zip(self.template, self.significant, strict=True)
        ]
        return np.sqrt(np.asarray(sums, dtype=np.float64))

    def prepare(self) -> None:
        """Compute now what the first comparison would wait for."""
        _ = self.norm

    @classmethod
    def of(cls, items: ItemTable, among: Ints | None = None) -> Templates:
        """Templates of an item table; without any, none is like another.

        Parameters
        ----------
        items : ItemTable
        among : ndarray, shape (n_units,), int64, optional
            The units meant, increasing; those that the table does not have are without a
            template. All of the table by default.
        """
        wanted = items.items if among is None else among
        row = np.minimum(np.searchsorted(items.items, wanted), max(items.items.size - 1, 0))
        known = items.items[row] == wanted if items.items.size else np.zeros(wanted.size, bool)
        template = items.arrays.get("template", np.empty((items.items.size, 0, 0), np.float32))
        if among is not None and not np.array_equal(items.items, wanted):
            taken = np.full((wanted.size, *template.shape[1:]), np.nan, np.float32)
            taken[known] = template[row[known]]
            template = taken
        place = np.full((wanted.size, 2), np.nan)
        for axis, name in enumerate(("x_um", "y_um")):
            if name in items.table.column_names:
                values = items.table.column(name).to_numpy()
                place[known, axis] = values[row[known]]
        shift = max(1, round(MAX_SHIFT_MS * float(items.context.get("rate_hz", 30000)) / 1000))
        return cls(np.asarray(wanted, np.int64), template, place, shift, apart_of(items))


def similarities(
    templates: Templates, row: int, others: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.float64], Ints]:
    """Cosine of a template with others, the largest over shifts.

    Parameters
    ----------
    templates : Templates
    row : int
    others : ndarray, shape (n,), int
        Rows to compare with.

    Returns
    -------
    similarity : ndarray, shape (n,), float64, 0 to 1
        1 for the same shape, place and ratio of channels, whatever its size; 0 where a
        template is missing. The same in both directions.
    shift : ndarray, shape (n,), int64
        Samples by which the other comes later.
    """
    best = np.zeros(others.size)
    shift = np.zeros(others.size, np.int64)
    channels = np.flatnonzero(templates.significant[row])
    n = templates.template.shape[1]
    if not channels.size or not others.size:
        return best, shift
    own = np.nan_to_num(templates.template[row][:, channels], nan=0.0)
    theirs = np.nan_to_num(templates.template[np.ix_(others, np.arange(n), channels)], nan=0.0)
    theirs *= templates.significant[np.ix_(others, channels)][:, None, :]
    scale = templates.norm[row] * templates.norm[others]
    scale = np.where(scale > 0, scale, np.inf)
    for by in sorted(range(-templates.max_shift, templates.max_shift + 1), key=abs):
        first, last = max(0, -by), min(n, n - by)
        if last <= first:
            continue
        dot = np.tensordot(theirs[:, first + by : last + by], own[first:last], ([1, 2], [0, 1]))
        cosine = dot / scale
        better = cosine > best
        best[better], shift[better] = cosine[better], by
    return np.minimum(best, 1.0), shift


def near_rows(templates: Templates, row: int) -> npt.NDArray[np.intp]:
    """Rows of units within `NEAR_UM`; all others where positions are unknown."""
    away = np.linalg.norm(templates.place_um - templates.place_um[row], axis=1)
    near = ~(away > NEAR_UM)
    near[row] = False
    return np.flatnonzero(near)


@dataclass(frozen=True)
class Likeness:
    """What speaks for two units being one neuron.

    Parameters
    ----------
    a, b : int
        Items.
    similarity : float
        Of the templates, 0 to 1; NaN where one is missing.
    shift : int
        Samples by which b's template comes later.
    refractory : Refractory
    score : float
        Probability that they are one neuron, calibrated on simulations: see `pairing`, and
        `own.doubting` for what the sorter adds where it looked at their spikes.
    sentence : str
    """

    a: int
    b: int
    similarity: float
    shift: int
    refractory: Refractory
    score: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Plain values; None for what is unknown."""
        return {
            "a": self.a,
            "b": self.b,
            "similarity": None if np.isnan(self.similarity) else self.similarity,
            "shift": self.shift,
            "observed": self.refractory.observed,
            "expected": self.refractory.expected,
            "refractory": self.refractory.probability,
            "score": self.score,
            "sentence": self.sentence,
        }


Train = Callable[[int], Ints]
"""From an item to the samples of its spikes, increasing."""


def likeness(
    a: int,
    b: int,
    alike: tuple[float, int],
    train: Train,
    rate_hz: float,
    apart: float | None = None,
) -> Likeness:
    """Join the evidence of templates and of trains.

    Parameters
    ----------
    a, b : int
    alike : tuple of float and int
        Similarity and shift, see `similarities`.
    train : callable
    rate_hz : float
    apart : float, optional
        What the spikes themselves say, of `Templates.apart`.
    """
    similarity, shift = alike
    evidence = refractory(train(a), train(b), rate_hz)
    score = merge_probability(similarity, evidence)
    sentence = _sentence(similarity, shift, evidence, rate_hz)
    if apart is not None and 0 < score < 1:
        score = float(1 / (1 + np.exp(apart - np.log(score / (1 - score)))))
        heaps = "two heaps" if apart > 0 else "one heap"
        sentence += f" To the sorter their spikes, freed of all others, make {heaps}."
    return Likeness(a, b, similarity, shift, evidence, score, sentence)


def neighbours(
    templates: Templates, row: int, train: Train, rate_hz: float, *, n: int = 10
) -> list[Likeness]:
    """Units that lie near one, the most alike first.

    Parameters
    ----------
    templates : Templates
    row : int
    train : callable
    rate_hz : float
    n : int
        How many.
    """
    near = near_rows(templates, row)
    similarity, shift = similarities(templates, row, near)
    away = np.linalg.norm(templates.place_um[near] - templates.place_um[row], axis=1)
    order = np.lexsort((np.nan_to_num(away, nan=np.inf), -similarity))[:n]
    missing = templates.norm == 0
    found = []
    for k in order.tolist():
        unknown = missing[row] or missing[near[k]]
        alike = (float("nan") if unknown else float(similarity[k]), int(shift[k]))
        a, b = int(templates.item[row]), int(templates.item[near[k]])
        apart = templates.apart.get((min(a, b), max(a, b)))
        found.append(likeness(a, b, alike, train, rate_hz, apart))
    return found


def likely_merges(
    templates: Templates, train: Train, rate_hz: float, *, least: float = 0.5
) -> list[Likeness]:
    """Pairs of units that are likely one neuron, the likeliest first.

    Parameters
    ----------
    templates : Templates
    train : callable
    rate_hz : float
    least : float
        Probability from which a pair is named. Every pair of near units is compared by
        template; trains only where the templates are alike.
    """
    found = []
    for row in range(len(templates.item)):
        near = near_rows(templates, row)
        near = near[near > row]
        similarity, shift = similarities(templates, row, near)
        for k in np.flatnonzero(similarity >= LEAST_SIMILARITY).tolist():
            a, b = int(templates.item[row]), int(templates.item[near[k]])
            alike, apart = (float(similarity[k]), int(shift[k])), templates.apart.get((a, b))
            one = likeness(a, b, alike, train, rate_hz, apart)
            if one.score >= least:
                found.append(one)
    return sorted(found, key=lambda one: (-one.score, one.a, one.b))


def _sentence(similarity: float, shift: int, evidence: Refractory, rate_hz: float) -> str:
    if np.isnan(similarity):
        shape = "There are no templates to compare"
    else:
        moved = f" at a shift of {1000 * abs(shift) / rate_hz:.2g} ms" if shift else ""
        shape = f"The templates are {100 * similarity:.0f} % alike{moved}"
    if evidence.expected < 3:
        return (
            f"{shape}; the two fire together too rarely to see whether they share a refractory "
            "period."
        )
    pairs = "pair" if evidence.observed == 1 else "pairs"
    count = (
        f"{evidence.observed} {pairs} of their spikes within {REFRACTORY_MS:g} ms where "
        f"{evidence.expected:.0f} are expected of two neurons"
    )
    if evidence.probability > 0.9:
        return f"{shape}, and they keep one refractory period: {count}."
    if evidence.probability < 0.1:
        return f"{shape}, but they do not share a refractory period: {count}."
    return f"{shape}; the trains do not decide: {count}."
