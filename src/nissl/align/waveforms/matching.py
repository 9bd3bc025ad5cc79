"""The same unit on another day, by its waveforms alone: probabilities, one partner at most.

Halves of a session's spikes show how alike one unit is to itself, its neighbours how alike
different units are; a small logistic model learnt from both turns the evidence of a pair into one
score, as UnitMatch does with naive Bayes (van Beest et al. 2024, Nature Methods). Days are further
apart than halves: score and distance of the pairs of two days are a mixture, in which different
units look as neighbours and as strangers laid over each other by moving one probe do, and what one
unit looks like starts from the halves and is found by expectation and maximisation. A unit may have
no partner. When a unit fires is never read, so that it can be held against the result
(`nissl.align.waveforms.firing`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nissl.align.assignment import one_to_one, with_rivals
from nissl.align.mixture import posterior
from nissl.align.waveforms.drift import Drift, bent, none, undone, voted
from nissl.align.waveforms.features import (
    SHAPE,
    Looks,
    compared,
    distances,
    log_distance,
    looks,
    near_pairs,
)
from nissl.align.waveforms.templates import Floats, Singles, UnitTemplates, on_shared_channels
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

MIN_UNITS = 3
REACH_UM = 60.0
"""Distance, after the probe's movement is undone, beyond which no pair is considered."""
_ROUNDS = 4
_ANYWHERE = tuple(SHAPE.index(name) for name in ("peak", "amplitude"))
_COPIES = (-3.3, -2.6, 2.6, 3.3)
_CLOSE_UM = 5.0
_STILL_UM = 0.7

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class UnitPairs:
    """Near pairs and their evidence.

    Parameters
    ----------
    a, b : ndarray, shape (n_pairs,), int64
        Rows of the first and of the second session.
    distance_um : ndarray, shape (n_pairs,), float64
        After the probe's movement is undone; 0 without geometry.
    shape : ndarray, shape (n_pairs, len(SHAPE)), float64
        See `nissl.align.waveforms.features.compared`.
    score : ndarray, shape (n_pairs,), float64
        Log odds that halves of one session give such waveforms.
    """

    a: Rows
    b: Rows
    distance_um: Floats
    shape: Floats
    score: Floats

    def __len__(self) -> int:
        return self.a.size

    @property
    def likeness(self) -> Floats:
        """Correlation of the waveforms over space, shape (n_pairs,)."""
        return np.asarray(np.tanh(self.shape[:, 0]), np.float64)

    @property
    def size_log_ratio(self) -> Floats:
        """Absolute log ratio of the amplitudes, shape (n_pairs,)."""
        return np.asarray(self.shape[:, 2] ** 2, np.float64)


@dataclass(frozen=True, eq=False)
class UnitMatches:
    """What is known of the partners of the units of two sessions.

    Parameters
    ----------
    pairs : UnitPairs
    same : ndarray, shape (n_pairs,), float64
        Probability that both are one unit, rivals considered.
    chosen : ndarray, shape (n_matches,), int64
        Rows of `pairs` that the one-to-one assignment takes, each likelier one unit than not.
    absent_a, absent_b : ndarray, shape (n_units,), float64
        Probability that a unit has no partner; NaN for units where the other probe did not reach.
    share : float
        Of near pairs that are one unit.
    drift : Drift
    null : tuple of ndarray
        Scores of halves of one unit, and of different units near each other on one day.
    channels : ndarray, shape (n_channels,), int64
        Columns of the signal that both sessions know.
    moved : ndarray, shape (n_b, n_samples, n_channels), float32, uV
        The second session's waveforms where the first session's probe would have seen them.
    """

    pairs: UnitPairs
    same: Floats
    chosen: Rows
    absent_a: Floats
    absent_b: Floats
    share: float
    drift: Drift
    null: tuple[Floats, Floats]
    channels: npt.NDArray[np.intp]
    moved: Singles

    @property
    def expected_wrong(self) -> float:
        """How many of the chosen are wrong if the probabilities are right."""
        return float((1 - self.same[self.chosen]).sum())


def match(a: UnitTemplates, b: UnitTemplates, *, moves: bool = True) -> UnitMatches:
    """Partners of the units of two sessions.

    Parameters
    ----------
    a, b : UnitTemplates
        Of one probe.
    moves : bool
        Whether the probe may have moved along its length.

    Raises
    ------
    BadArgumentError
        Probes differ, or there are fewer than `MIN_UNITS` units in a session.
    """
    for day in (a, b):
        if len(day) < MIN_UNITS:
            raise BadArgumentError(
                f"{MIN_UNITS} units or more" + (f" of {day.name!r}" if day.name else ""),
                str(len(day)),
                "Match few units by eye.",
            )
    a, b, channels = on_shared_channels(a, b)
    first = looks(a)
    learnt = _learnt(a, b, first)
    drift, wave = none(a), b.mean
    if moves and a.has_geometry:
        drift = _first_drift(a, b, first, looks(b), learnt)
    for k in range(_ROUNDS):
        wave = undone(b, drift, looks(b).place_um[:, 1])
        second = looks(b, wave)
        pairs, p = _judged(a, b, drift, first, second, learnt)
        if not moves or not a.has_geometry or k == _ROUNDS - 1:
            break
        depth = first.place_um[pairs.a, 1]
        left = second.place_um[pairs.b, 1] - depth
        last = drift
        drift = bent(last, depth, left, with_rivals((pairs.a, pairs.b), p, len(a), len(b)))
        if np.abs(drift.shift_um - last.shift_um).max() < _STILL_UM:
            break
    same = with_rivals((pairs.a, pairs.b), p, len(a), len(b))
    chosen = one_to_one((pairs.a, pairs.b), same, len(a), len(b))
    absent_a = 1 - np.bincount(pairs.a, same, minlength=len(a))
    absent_b = 1 - np.bincount(pairs.b, same, minlength=len(b))
    for absent, place, sign in ((absent_a, first.place_um, 1.0), (absent_b, second.place_um, 0.0)):
        absent[_beyond(a, place, drift, sign)] = np.nan
    return UnitMatches(
        pairs,
        same,
        chosen,
        np.asarray(absent_a, np.float64),
        np.asarray(absent_b, np.float64),
        float(p.mean()) if p.size else 0.0,
        drift,
        learnt.null,
        channels,
        wave,
    )


@dataclass(frozen=True, eq=False)
class _Learnt:
    """What halves and neighbours of both days teach."""

    model: LogisticRegression
    anywhere: LogisticRegression
    centre: Floats
    scale: Floats
    alike: Floats
    beside: Floats
    chance: Floats
    per_copy: float
    top: float
    placed: bool

    @property
    def null(self) -> tuple[Floats, Floats]:
        return self.alike[:, -1], self.beside[:, -1]

    def score(self, shape: Floats) -> Floats:
        if not len(shape):
            return np.zeros(0)
        found = self.model.decision_function((shape - self.centre) / self.scale)
        return np.asarray(found, np.float64)

    def evidence(self, distance_um: Floats, score: Floats) -> Floats:
        """Distance and score; nothing speaks for a pair more than halves of one unit do."""
        score = np.minimum(score, self.top)
        if not self.placed:
            return score[:, None]
        near = log_distance(np.maximum(distance_um, _CLOSE_UM))
        return np.stack([near, score], axis=1)


def _learnt(a: UnitTemplates, b: UnitTemplates, first: Looks) -> _Learnt:
    from sklearn.linear_model import LogisticRegression

    same, other = [], []
    gaps: tuple[list[Floats], list[Floats]] = ([], [])
    for day in (a, b):
        here, there = looks(day.half(0)), looks(day.half(1))
        own = np.arange(len(day), dtype=np.int64)
        same.append(compared(here, there, own, own))
        gaps[0].append(distances(here, there, own, own))
        i, j = near_pairs(here, there, REACH_UM)
        i, j = i[i != j], j[i != j]
        other.append(compared(here, there, i, j))
        gaps[1].append(distances(here, there, i, j))
    strangers = _strangers(a, b, first)
    one, two = np.concatenate(same), np.concatenate([*other, strangers.shape])
    if not len(two):
        raise BadArgumentError(
            "units near each other, from which to learn what different units look like",
            "none within reach",
            "Match them by eye.",
        )
    both = np.concatenate([one, two])
    centre, scale = both.mean(axis=0), np.maximum(both.std(axis=0), 1e-6)
    labels = np.repeat([1, 0], [len(one), len(two)])
    scaled = (both - centre) / scale
    model = LogisticRegression(C=1.0, class_weight="balanced").fit(scaled, labels)
    columns = list(_ANYWHERE)
    anywhere = LogisticRegression(C=1.0, class_weight="balanced").fit(scaled[:, columns], labels)
    empty = np.zeros((0, 2))
    made = _Learnt(
        model, anywhere, centre, scale, empty, empty, empty, 0.0, np.inf, bool(a.has_geometry)
    )
    top = float(np.quantile(made.score(one), 0.75))
    made = replace(made, top=top)
    beside = np.concatenate(other)
    return replace(
        made,
        alike=made.evidence(np.concatenate(gaps[0]), made.score(one)),
        beside=made.evidence(np.concatenate(gaps[1]), made.score(beside)),
        chance=made.evidence(strangers.distance_um, made.score(strangers.shape)),
        per_copy=strangers.per_copy,
    )


def _copies(a: UnitTemplates, b: UnitTemplates) -> list[tuple[float, Looks]]:
    """The second session moved along the probe by more than any unit's reach."""
    if not b.has_geometry or float(np.ptp(b.position_um[:, 1])) < 6 * REACH_UM:
        return []
    depth = looks(b).place_um[:, 1]
    low, high = b.position_um[:, 1].min(), b.position_um[:, 1].max()
    out = []
    for step in (k * REACH_UM for k in _COPIES):
        kept = np.flatnonzero((depth - step > low) & (depth - step < high))
        if kept.size:
            part = b.take(kept)
            moved = Drift(np.zeros(1), np.full(1, step))
            out.append((kept.size / len(b), looks(part, undone(part, moved, depth[kept]))))
    return out


@dataclass(frozen=True, eq=False)
class _Strangers:
    """Units that only the moving of one probe laid near each other.

    Parameters
    ----------
    distance_um, shape : ndarray
        Of each pair.
    per_copy : float
        How many pairs the whole second session would make.
    """

    distance_um: Floats
    shape: Floats
    per_copy: float


def _strangers(a: UnitTemplates, b: UnitTemplates, first: Looks) -> _Strangers:
    gaps, shapes, shown = [np.zeros(0)], [np.zeros((0, len(SHAPE)))], 0.0
    for share, copy in _copies(a, b):
        i, j = near_pairs(first, copy, REACH_UM)
        gaps.append(distances(first, copy, i, j))
        shapes.append(compared(first, copy, i, j))
        shown += share
    gap = np.concatenate(gaps)
    return _Strangers(gap, np.concatenate(shapes), gap.size / max(shown, 1.0))


def _first_drift(
    a: UnitTemplates, b: UnitTemplates, first: Looks, second: Looks, learnt: _Learnt
) -> Drift:
    """Whole-probe shift, from pairs whose strongest waveform and size are alike anywhere."""
    i, j = near_pairs(replace(first, place_um=np.full_like(first.place_um, np.nan)), second, np.inf)
    shape = (compared_anywhere(first, second, i, j) - learnt.centre[list(_ANYWHERE)]) / (
        learnt.scale[list(_ANYWHERE)]
    )
    likely = np.zeros((len(a), len(b)))
    likely[i, j] = learnt.anywhere.predict_proba(shape)[:, 1]
    across = np.abs(first.place_um[:, None, 0] - second.place_um[None, :, 0])
    likely *= np.exp(-0.5 * (across / 10.0) ** 2)
    apart = second.place_um[None, :, 1] - first.place_um[:, None, 1]
    return voted(a, apart, likely)


def compared_anywhere(a: Looks, b: Looks, i: Rows, j: Rows) -> Floats:
    """Evidence that does not ask where units lie: strongest waveform and size, (n_pairs, 2).

    Parameters
    ----------
    a, b : Looks
    i, j : ndarray, shape (n_pairs,), int64
        Rows of `a` and of `b`.
    """
    product = np.full((len(a), len(b)), -1.0)
    n = a.peak.shape[1]
    for lag in range(-4, 5):
        here = a.peak[:, max(lag, 0) : n + min(lag, 0)]
        there = b.peak[:, max(-lag, 0) : n + min(-lag, 0)]
        product = np.maximum(product, here @ there.T)
    ratio = np.abs(np.log(np.maximum(a.size_uv[i], 1e-9) / np.maximum(b.size_uv[j], 1e-9)))
    return np.stack([np.arctanh(np.clip(product[i, j], -0.9995, 0.9995)), np.sqrt(ratio)], axis=1)


def _judged(
    a: UnitTemplates,
    b: UnitTemplates,
    drift: Drift,
    first: Looks,
    second: Looks,
    learnt: _Learnt,
) -> tuple[UnitPairs, Floats]:
    i, j = near_pairs(first, second, REACH_UM)
    shape, gap = compared(first, second, i, j), distances(first, second, i, j)
    score = learnt.score(shape)
    pairs = UnitPairs(i, j, gap, shape, score)
    if not i.size:
        return pairs, np.zeros(0)
    chance, per_copy = learnt.chance, learnt.per_copy
    if not len(chance):  # a probe too short to move: whoever is near is as strangers are
        chance, per_copy = learnt.beside, float(i.size)
    evidence = learnt.evidence(gap, score)
    guess = np.clip(1 / (1 + np.exp(-score)), 0.02, 0.98)
    guess *= np.exp(-0.5 * (gap / 25.0) ** 2)
    guess = with_rivals((i, j), guess, len(a), len(b))
    few = min(len(a), len(b))
    p = posterior(evidence, learnt.beside, chance, per_copy, few, alike=learnt.alike, first=guess)
    return pairs, p


def _beyond(
    day: UnitTemplates, place_um: Floats, drift: Drift, sign: float
) -> npt.NDArray[np.bool_]:
    """Units that the other session's contacts, moved as they were, did not reach."""
    if not day.has_geometry:
        return np.zeros(len(place_um), bool)
    depth = place_um[:, 1] + sign * drift.at(place_um[:, 1])
    low, high = day.position_um[:, 1].min(), day.position_um[:, 1].max()
    return np.asarray((depth < low - 20) | (depth > high + 20))


@dataclass(frozen=True)
class Itself:
    """A session's halves matched as if they were two days, where the truth is known.

    Parameters
    ----------
    found : float
        Part of the units that find themselves.
    wrong : float
        Part of the links that join two units; NaN without links.
    n_units : int
    """

    found: float
    wrong: float
    n_units: int


def against_itself(day: UnitTemplates) -> Itself:
    """Match the halves of one session: what even an unmoved probe and unchanged units allow."""
    found = match(day.half(0), day.half(1), moves=False)
    right = found.pairs.a[found.chosen] == found.pairs.b[found.chosen]
    wrong = float(1 - right.mean()) if right.size else float("nan")
    return Itself(float(right.sum() / len(day)), wrong, len(day))


__all__ = ["Itself", "UnitMatches", "UnitPairs", "against_itself", "match"]
