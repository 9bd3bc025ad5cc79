"""Why one fragment is predicted badly from another: matched resampling instead of guesses.

The loss from 1 is taken apart along a chain in which one thing changes at a time. The target's own
half reads less than 1: noise. An early half reads a late one less well than random halves read
each other: drift. Its own half with as many units as the source has: units. With units that also
fire as the source's do: rates. As coarsely sampled as the source: sampling. Then what the pair
gains over the target itself when windows of the same state are compared (state), and when units
that kept their tuning are (remapping). What is left is geometry: conditions lie otherwise. The
parts sum to the loss; a part that the data cannot tell is none, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.errormap.maps import error_map
from nissl.align.errormap.matching import matched_states, turnover
from nissl.align.errormap.reading import skill_of
from nissl.align.errormap.responses import Responses
from nissl.align.errormap.windowed import Windowed, halved, halved_at_random
from nissl.align.fragments import Floats, Ints

N_DRAWS = 20
COARSER = 1.5
"""Times the time between samples of the other, and times the bin, that make a difference."""
NO_CHOICE = "the predicted population has no units to choose among: all are read."
NO_WINDOWS = "single windows are not known."


@dataclass(frozen=True)
class Reason:
    """A part of the loss.

    Parameters
    ----------
    name : {"noise", "drift", "units", "rates", "sampling", "state", "remapping", "geometry"}
    loss : float
        Of the predicted fragment's variance; below 0 where the difference helps.
    low, high : float
        90 % of the draws; of noise, of blocks of conditions or of random halves.
    says : str
    tested : bool
        False where the data cannot tell; then the loss is in what is left.
    """

    name: str
    loss: float
    low: float
    high: float
    says: str
    tested: bool = True


@dataclass(frozen=True, eq=False)
class _Part:
    """Draws of a part, or why there are none."""

    says: str
    losses: Floats | None = None


def reasons(
    source: Responses,
    target: Responses,
    rng: np.random.Generator,
    *,
    same: tuple[Ints, Ints] | None = None,
) -> list[Reason]:
    """Take the loss of one pair apart, the largest part first.

    Parameters
    ----------
    source, target : Responses
        Of the same rows.
    rng : numpy.random.Generator
    same : tuple of ndarray of int, optional
        Places, in source and target, of units that are known to be the same.
    """
    unknown = {name: _Part(NO_WINDOWS) for name in ("drift", "sampling", "state")}
    return _apart(source, target, _noise(source, target, rng), unknown, same, rng)


def reasons_of_windows(
    source: Windowed,
    target: Windowed,
    common: Ints,
    rng: np.random.Generator,
    *,
    halves: str = "turns",
    same: tuple[Ints, Ints] | None = None,
) -> list[Reason]:
    """As `reasons`, where single windows are known: drift, sampling and state are told too.

    Parameters
    ----------
    source, target : Windowed
    common : ndarray of int
        Conditions, two or more windows of each in both.
    rng : numpy.random.Generator
    halves : {"turns", "time"}
        As of the map.
    same : tuple of ndarray of int, optional
    """
    a, b = (halved(one, common, halves) for one in (source, target))
    noise = _noise(a, b, rng)
    parts = {
        "drift": _Part(
            "windows are halved by turns, so that both halves drift alike: --halves time tells it."
        ),
        "sampling": _sampling(source, target, common, halves, rng),
        "state": _state(source, target, common, rng),
    }
    if halves == "time":
        random = np.array(
            [
                skill_of(one, one)
                for one in (halved_at_random(target, common, rng) for _ in range(N_DRAWS))
            ]
        )
        noise = _Part(
            f"Random halves of {target.name} explain {random.mean():.2f} of each other.", 1 - random
        )
        says = "Early windows read late ones less well than random halves read each other."
        parts["drift"] = _Part(says, random - skill_of(b, b))
    return _apart(a, b, noise, parts, same, rng)


def _noise(source: Responses, target: Responses, rng: np.random.Generator) -> _Part:
    own = error_map([source, target], rng, n_null=0)
    value = float(own.skill[1, 1])
    half = float(own.high[1, 1] - own.low[1, 1]) / 2
    # Spread evenly, so that 90 % lie as far from the value as half the interval is wide.
    draws = 1 - value + np.linspace(-1, 1, N_DRAWS) * half / 0.9
    says = f"The other half of {target.name} explains {value:.2f} of it: nothing can explain more."
    return _Part(says, draws)


def _apart(
    source: Responses,
    target: Responses,
    noise: _Part,
    parts: dict[str, _Part],
    same: tuple[Ints, Ints] | None,
    rng: np.random.Generator,
) -> list[Reason]:
    skill, own = skill_of(source, target), skill_of(target, target)
    n = min(source.n_units, target.n_units)
    fewer = np.array([_own(target, _some(target, n, rng)) for _ in range(N_DRAWS)])
    alike = np.array([_own(target, _matched(target, source, n, rng)) for _ in range(N_DRAWS)])
    units = f"{source.n_units} units read, {target.n_units} predicted."
    rates = f"Median activity per bin {source.rate:.3g}, of the predicted {target.rate:.3g}."
    every = {
        "noise": noise,
        **parts,
        "units": _Part(units, own - fewer),
        "rates": _Part(rates, fewer.mean() - alike) if n < target.n_units else _Part(NO_CHOICE),
    }
    rest = alike - skill
    for name in ("sampling", "state"):
        losses = every[name].losses
        rest = rest if losses is None else rest - losses
    turned, left = turnover(source, target, same, rest, rng)
    every["remapping"] = _Part(*turned)
    every["geometry"] = _Part("Conditions lie otherwise in the two populations.", left)
    return sorted((_reason(*one) for one in every.items()), key=lambda reason: -reason.loss)


def _reason(name: str, part: _Part) -> Reason:
    if part.losses is None:
        return Reason(name, 0.0, 0.0, 0.0, f"Not testable, because {part.says}", tested=False)
    low, high = np.quantile(part.losses, [0.05, 0.95])
    return Reason(name, float(part.losses.mean()), float(low), float(high), part.says)


def _own(target: Responses, units: Ints) -> float:
    """Skill of some of a fragment's units in predicting all of them in the other half."""
    return skill_of(target.select(units), target)


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


def _sampling(
    source: Windowed, target: Windowed, common: Ints, halves: str, rng: np.random.Generator
) -> _Part:
    """The finer of the two as coarse as the other."""
    fine_s = COARSER * max(target.resolution_s, target.bin_s / COARSER)
    if source.resolution_s >= fine_s:
        whole = halved(target, common, halves)
        coarse = halved(target.coarser(source.resolution_s), common, halves)
        says = (
            f"{source.name} was sampled every {source.resolution_s * 1e3:.3g} ms; so is the other."
        )
        draws = []
        for _ in range(N_DRAWS):
            units = _some(whole, max(1, round(0.8 * whole.n_units)), rng)
            draws.append(_own(whole, units) - skill_of(coarse.select(units), whole))
        return _Part(says, np.array(draws))
    if target.resolution_s >= COARSER * max(source.resolution_s, source.bin_s / COARSER):
        whole = halved(target, common, halves)
        fine = halved(source, common, halves)
        coarse = halved(source.coarser(target.resolution_s), common, halves)
        says = (
            f"{target.name} was sampled every {target.resolution_s * 1e3:.3g} ms; so is the other."
        )
        draws = []
        for _ in range(N_DRAWS):
            units = _some(fine, max(1, round(0.8 * fine.n_units)), rng)
            draws.append(
                skill_of(coarse.select(units), whole) - skill_of(fine.select(units), whole)
            )
        return _Part(says, np.array(draws))
    return _Part("Both were sampled as finely as the bins, or alike.", np.zeros(N_DRAWS))


def _sampled(one: Windowed) -> str:
    return f"{one.name} was sampled every {one.resolution_s * 1e3:.3g} ms; so is the other now."


def _state(source: Windowed, target: Windowed, common: Ints, rng: np.random.Generator) -> _Part:
    """How much nearer the pair comes to the target itself where windows are of the same state."""
    draws = []
    for _ in range(N_DRAWS):
        found = matched_states(source, target, common, rng)
        if found is None:
            return _Part("too few windows of both are of the same state: record both in one.")
        matched, control, kept = found
        gaps = []
        for pair in (matched, control):
            a, b = (halved(one, kept) for one in pair)
            gaps.append(skill_of(b, b) - skill_of(a, b))
        draws.append(gaps[1] - gaps[0])
    medians = [float(np.median(one.state)) for one in (source, target)]
    says = (
        f"Median state {medians[0]:.3g}, of the predicted {medians[1]:.3g}; windows matched by it."
    )
    return _Part(says, np.array(draws))
