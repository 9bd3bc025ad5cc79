"""The same unit on another day, from what it does alone: its tuning, rate and size of events.

Where no picture and no waveform tells which unit is which, activity may. Halves of each day show
how alike one unit is to itself, and how alike different units are; the odds of a pair follow from
both. Days drift more than halves do, and units come and go: how far the odds are to be trusted, and
the share of units that are there on both days, are those under which what was seen is most likely,
so that two days of strangers are told to be strangers. One-to-one assignment with room for
"absent" (softassign) gives the probabilities of all pairs. Those of the pairs that are chosen are
corrected by what softassign gets wrong on simulated place cells, of which many are untuned or
hardly fire and whose rates wander (`simulated`, `fitted`; the curve's numbers stand here). Few
place cells are unmistakable, and the answer says so instead of guessing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nissl.align.fragments import Bools, Floats, Ints
from nissl.align.places.simulate import simulate_places
from nissl.align.places.tuning import Tuning
from nissl.annotators.names.transport import assigned, best
from nissl.errors import BadArgumentError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

MIN_UNITS = 10
_TRUST = np.linspace(0.05, 1.0, 20)
_FEW = 0.01
_LEAST = 1e-6
CURVE = (-1.737, 0.653, 0.625, 0.569)
"""Offset; slopes over the log odds of softassign, over the log of a pair's share of its column's
odds, and over the log of the number of pairs: where few units are, chance finds partners."""
STRANGERS = 0.2
"""Share of simulated pairs of days that are of two animals."""


@dataclass(frozen=True, eq=False)
class SameUnits:
    """Probabilities that units of two days are the same.

    Parameters
    ----------
    probability : ndarray, shape (n_a, n_b)
        Of softassign. Rows sum to at most 1; the rest is "absent".
    a, b : ndarray of int
        Pairs of the one-to-one assignment, rows and columns.
    confidence : ndarray, shape (n_pairs,)
        Probability that each pair of the assignment is right, corrected.
    present : float
        Share of the first day's units that are heard on the second day too, as estimated.
    trust : float
        0 to 1: what the odds that halves of a day gave are worth between the days.
    """

    probability: Floats
    a: Ints
    b: Ints
    confidence: Floats
    present: float
    trust: float


def same_units(a: Tuning, b: Tuning) -> SameUnits:
    """Match the units of two days by what they do.

    Parameters
    ----------
    a, b : Tuning
        Of the same places, two or more windows each. Identities of units are not read.

    Raises
    ------
    BadArgumentError
        Of one window only, or of hardly any unit.
    """
    for day in (a, b):
        if len(day.windows) < 2 or len(day.units) < MIN_UNITS:
            raise BadArgumentError(
                f"two windows and {MIN_UNITS} units of {day.name!r}",
                f"{len(day.windows)} and {len(day.units)}",
                "Halves of a day show how alike a unit is to itself: split it into laps.",
            )
    p, rows, columns, facts, present, trust = _paired(a, b)
    sure = 1 / (1 + np.exp(-(CURVE[0] + facts @ np.array(CURVE[1:]))))
    return SameUnits(p, rows, columns, np.asarray(sure, float), present, trust)


def _paired(a: Tuning, b: Tuning) -> tuple[Floats, Ints, Ints, Floats, float, float]:
    """Softassign, its pairs, three facts of each pair, share of units present, and trust."""
    model, null = _learnt(a, b)
    odds = _odds(model, _evidence(a, b, None, None))
    trust, present, scaled = _likeliest(odds, null)
    outside = np.log(odds.shape[1] * (1 - present) / present)
    p = assigned(scaled, np.full(len(odds), outside), np.zeros(odds.shape[1]))[0]
    rows, columns = best(p)
    likely = np.clip(p[rows, columns], _LEAST, 1 - _LEAST)
    share = (odds - np.logaddexp.reduce(odds, axis=0))[rows, columns]
    many = np.full(len(rows), np.log(len(rows)))
    facts = np.stack([np.log(likely / (1 - likely)), share, many], axis=1)
    return p, rows, columns, facts, present, trust


def simulated(seeds: Iterable[int]) -> tuple[Floats, Bools]:
    """Facts of pairs of simulated days, shape (n, 3), and whether they are one cell.

    Days differ in how many cells there are and fire, how many have a place, how far fields drift
    and rates wander; some are of two animals.
    """
    facts, right = [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        first, second, strangers = _two_days(rng)
        _, rows, columns, told, _, _ = _paired(first, second)
        facts.append(told)
        right.append((first.units[rows] == second.units[columns]) & (not strangers))
    return np.concatenate(facts), np.concatenate(right)


def _two_days(rng: np.random.Generator) -> tuple[Tuning, Tuning, bool]:
    """Two days of one animal, or of two, which is told."""
    n_cells, laps = int(np.exp(rng.uniform(np.log(60), np.log(500)))), int(rng.integers(2, 7))
    animal = partial(
        simulate_places,
        rng,
        n_cells=n_cells,
        laps_per_window=laps,
        seen=rng.uniform(0.2, 0.95),
        drift_cm=float(np.exp(rng.uniform(0, np.log(25)))),
        peak_hz=float(np.exp(rng.uniform(np.log(0.15), np.log(3)))),
        spread=rng.uniform(0.5, 1.2),
        untuned=rng.uniform(0, 0.8),
        wander=rng.uniform(0, 0.8),
    )
    strangers = bool(rng.uniform() < STRANGERS)
    animals = [animal() for _ in range(2 if strangers else 1)]
    return animals[0][0][1], animals[-1][1][1], strangers


def fitted(facts: Floats, right: Bools) -> tuple[float, ...]:
    """Numbers of the curve: `CURVE` came from seeds 0 to 399."""
    from sklearn.linear_model import LogisticRegression

    curve = LogisticRegression(C=100.0, max_iter=1000).fit(facts, right)
    return (float(curve.intercept_[0]), *curve.coef_[0].tolist())


def _likeliest(odds: Floats, null: Floats) -> tuple[float, float, Floats]:
    """Trust, share of units that are present, and the log odds that follow from the trust."""
    likely = (-np.inf, 0.0, 0.0, odds)
    for trust in _TRUST:
        scaled = trust * odds - np.log(np.mean(np.exp(trust * null)))
        # Of a unit that is there, any of the other day's may be it.
        ratio = np.exp(scaled).mean(axis=1)
        present = 0.5
        for _ in range(100):
            present = float(np.mean(present * ratio / (present * ratio + 1 - present)))
        present = float(np.clip(present, _FEW, 1 - _FEW))
        value = float(np.log(present * ratio + 1 - present).sum())
        if value > likely[0]:
            likely = (value, float(trust), present, scaled)
    return likely[1:]


def _half(day: Tuning, k: int) -> Bools:
    return np.asarray(np.arange(len(day.windows)) % 2 == k)


def _facts(day: Tuning, of: Bools | None) -> tuple[Floats, Floats]:
    """Tuning on a scale of 1, shape (n_units, n_places), and the log of the mean rate."""
    rates = np.nan_to_num(day.mean(of))
    rate = np.log(rates.mean(axis=0) + 1e-4)
    centred = rates - rates.mean(axis=0)
    return (centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-9)).T, rate


def _evidence(
    a: Tuning,
    b: Tuning,
    of_a: Bools | None,
    of_b: Bools | None,
) -> Floats:
    """Evidence of every pair, shape (n_a, n_b, 2): correlation of tuning, difference of rates."""
    (tuning_a, rate_a), (tuning_b, rate_b) = _facts(a, of_a), _facts(b, of_b)
    correlation = np.arctanh(np.clip(tuning_a @ tuning_b.T, -0.999, 0.999))
    # Whole days may differ in the number of events; units of a day differ from each other.
    rate_b = rate_b - np.median(rate_b) + np.median(rate_a)
    return np.stack([correlation, np.abs(rate_a[:, None] - rate_b[None])], axis=-1)


def _learnt(a: Tuning, b: Tuning) -> tuple[LogisticRegression, Floats]:
    """Model of the odds of one unit against two, from halves of each day; odds of two units."""
    from sklearn.linear_model import LogisticRegression

    same, other = [], []
    for day in (a, b):
        found = _evidence(day, day, _half(day, 0), _half(day, 1))
        diagonal = np.eye(len(found), dtype=bool)
        same.append(found[diagonal])
        other.append(found[~diagonal])
    one, two = np.concatenate(same), np.concatenate(other)
    labels = np.repeat([1, 0], [len(one), len(two)])
    model = LogisticRegression(C=10.0).fit(np.concatenate([one, two]), labels)
    model.intercept_ = model.intercept_ - np.log(len(one) / len(two))
    return model, _odds(model, two)


def _odds(model: LogisticRegression, evidence: Floats) -> Floats:
    flat = model.decision_function(evidence.reshape(-1, evidence.shape[-1]))
    return np.asarray(flat.reshape(evidence.shape[:-1]), float)
