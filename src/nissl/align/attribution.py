"""Why one fragment is predicted badly from another: matched resampling instead of guesses.

The loss from 1 is taken apart along a chain in which one thing changes at a time. The target's own
half reads less than 1: noise. Its own half with as many units as the source has: units. With units
that also fire as the source's do: rates. The source itself: what is left is geometry, conditions
lie otherwise. The parts sum to the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.errormap import error_map
from nissl.align.fragments import Floats, Ints
from nissl.align.responses import Responses

N_DRAWS = 20


@dataclass(frozen=True)
class Reason:
    """A part of the loss.

    Parameters
    ----------
    name : {"noise", "units", "rates", "geometry"}
    loss : float
        Of the predicted fragment's variance; below 0 where the difference helps.
    low, high : float
        90 % of the draws; of noise, of blocks of conditions.
    says : str
    """

    name: str
    loss: float
    low: float
    high: float
    says: str


def reasons(source: Responses, target: Responses, rng: np.random.Generator) -> list[Reason]:
    """Take the loss of one pair apart, the largest part first.

    Parameters
    ----------
    source, target : Responses
        Of the same rows.
    rng : numpy.random.Generator
    """
    pair = error_map([source, target], rng, n_null=0)
    skill, own = float(pair.skill[0, 1]), float(pair.skill[1, 1])
    n = min(source.n_units, target.n_units)
    fewer = np.array([_own(target, _some(target, n, rng), rng) for _ in range(N_DRAWS)])
    alike = np.array([_own(target, _matched(target, source, n, rng), rng) for _ in range(N_DRAWS)])
    by_units, by_rates, rest = own - fewer, fewer.mean() - alike, alike - skill
    half = float(pair.high[1, 1] - pair.low[1, 1]) / 2
    said = [
        Reason(
            "noise",
            1 - own,
            1 - own - half,
            1 - own + half,
            f"The other half of {target.name} explains {own:.2f} of it: nothing can explain more.",
        ),
        _reason("units", by_units, f"{source.n_units} units read, {target.n_units} predicted."),
        _reason(
            "rates",
            by_rates,
            f"Median activity per bin {source.rate:.3g}, of the predicted {target.rate:.3g}.",
        ),
        _reason("geometry", rest, "Conditions lie otherwise in the two populations."),
    ]
    return sorted(said, key=lambda reason: -reason.loss)


def _reason(name: str, losses: Floats, says: str) -> Reason:
    low, high = np.quantile(losses, [0.05, 0.95])
    return Reason(name, float(losses.mean()), float(low), float(high), says)


def _own(target: Responses, units: Ints, rng: np.random.Generator) -> float:
    """Skill of some of a fragment's units in predicting all of them in the other half."""
    return float(error_map([target.select(units), target], rng, n_null=0).skill[0, 1])


def _some(target: Responses, n: int, rng: np.random.Generator) -> Ints:
    return np.sort(rng.permutation(target.n_units)[:n])


def _matched(target: Responses, source: Responses, n: int, rng: np.random.Generator) -> Ints:
    """Units of the target that fire as units of the source do, each at most once if it can be."""
    rate = (target.first**2 + target.second**2).mean(axis=0)
    goal = rng.permutation((source.first**2 + source.second**2).mean(axis=0))[:n]
    free = np.ones(target.n_units, bool)
    chosen = []
    for wanted in goal.tolist():
        apart = np.where(free, np.abs(np.log(rate + 1e-6) - np.log(wanted + 1e-6)), np.inf)
        best = int(np.argmin(apart))
        chosen.append(best)
        free[best] = False
    return np.sort(np.array(chosen, np.int64))
