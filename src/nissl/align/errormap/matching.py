"""Windows of the same state, and units that kept their tuning: what is compared, all else equal."""

from __future__ import annotations

import numpy as np

from nissl.align.errormap.reading import skill_of
from nissl.align.errormap.responses import Responses
from nissl.align.errormap.windowed import Windowed
from nissl.align.fragments import Bools, Floats, Ints

CALIPER = 0.25
"""Of the standard deviation of states: windows further apart are not of one state."""
FEWEST_CONDITIONS = 3
FEWEST_UNITS = 5
UNKNOWN = "it is not known which units are the same: find them first, nissl align."
_LIKELY = 0.95

Pair = tuple[Windowed, Windowed]


def matched_states(
    source: Windowed, target: Windowed, common: Ints, rng: np.random.Generator
) -> tuple[Pair, Pair, Ints] | None:
    """Windows of both paired by state, as many at random, and the conditions that have some.

    None where fewer than three conditions have two pairs.

    Parameters
    ----------
    source, target : Windowed
    common : ndarray of int
        Conditions that both have.
    rng : numpy.random.Generator

    Returns
    -------
    matched, random : tuple of Windowed
        Source and target of either choice of windows.
    conditions : ndarray of int
    """
    apart = CALIPER * float(np.std(np.concatenate([source.state, target.state])))
    matched: list[tuple[Ints, Ints]] = []
    control: list[tuple[Ints, Ints]] = []
    kept = []
    for c in common.tolist():
        rows = [np.flatnonzero(one.condition == c) for one in (source, target)]
        pairs = _paired(source.state[rows[0]], target.state[rows[1]], apart, rng)
        if len(pairs) < 2:
            continue
        kept.append(c)
        matched.append((rows[0][pairs[:, 0]], rows[1][pairs[:, 1]]))
        some = [rng.permutation(own)[: len(pairs)] for own in rows]
        control.append((some[0], some[1]))
    if len(kept) < FEWEST_CONDITIONS:
        return None
    chosen = []
    for rows_of in (matched, control):
        sides = (np.concatenate([r[k] for r in rows_of]) for k in (0, 1))
        a, b = (one.among(rows) for one, rows in zip((source, target), sides, strict=True))
        chosen.append((a, b))
    return chosen[0], chosen[1], np.array(kept, np.int64)


def _paired(a: Floats, b: Floats, apart: float, rng: np.random.Generator) -> Ints:
    """Nearest free pairs no further apart than that, in random order, shape (n_pairs, 2)."""
    free = np.ones(len(b), bool)
    out = []
    for i in rng.permutation(len(a)).tolist():
        away = np.where(free, np.abs(b - a[i]), np.inf)
        j = int(np.argmin(away))
        if away[j] <= apart:
            out.append((i, j))
            free[j] = False
    return np.array(out, np.int64).reshape(-1, 2)


def turnover(
    source: Responses,
    target: Responses,
    same: tuple[Ints, Ints] | None,
    rest: Floats,
    rng: np.random.Generator,
) -> tuple[tuple[str, Floats | None], Floats]:
    """Part of what is left that units lose which follow another map than before.

    A unit kept its tuning where both fragments' first halves agree on it more than they do on
    units in another order; what these units lose is then measured in the second half. Where all
    units turned alike (conditions moved as one), that is geometry and no remapping.

    Parameters
    ----------
    source, target : Responses
    same : tuple of ndarray of int, optional
        Places of units that are the same.
    rest : ndarray, shape (n_draws,)
        What is left of the loss.
    rng : numpy.random.Generator

    Returns
    -------
    part : tuple of str and ndarray or None
        What is said, and the draws; why not, and None.
    geometry : ndarray, shape (n_draws,)
        What is left after it.
    """
    if same is None or len(same[0]) < 2 * FEWEST_UNITS:
        return (
            "it is not known which units are the same: find them first, nissl align.",
            None,
        ), rest
    a, b, later = source.first[:, same[0]], target.first[:, same[1]], target.second[:, same[1]]
    limit, cross = _limit(a, b, rng), _alike(a, b)
    reliable = _alike(b, later) > limit
    stable: Bools = cross > limit
    turned = reliable & ~stable
    says = f"Of {int(reliable.sum())} units with a tuning {int(turned.sum())} follow another one."
    if reliable.sum() and _moved_as_one(a, b, source.block, cross, limit):
        whole = "All units turned alike: conditions moved as one, which is no remapping."
        return (whole, np.zeros(len(rest))), rest
    if stable.sum() < FEWEST_UNITS:
        return (says, rest), np.zeros(len(rest))
    gap = skill_of(target, target) - skill_of(source, target)
    units = same[1][stable]
    draws = []
    for _ in range(len(rest)):
        some = np.sort(rng.permutation(units)[: max(FEWEST_UNITS, round(0.8 * len(units)))])
        kept = target.select(some)
        draws.append(gap - skill_of(kept, kept) + skill_of(source, kept))
    losses = np.array(draws)
    return (says, losses), rest - losses


def _alike(a: Floats, b: Floats) -> Floats:
    """Correlation over rows of each unit."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.asarray((a * b).sum(axis=0) / np.maximum(size, 1e-12), float)


def _limit(a: Floats, b: Floats, rng: np.random.Generator) -> float:
    """What units in another order rarely reach."""
    n = a.shape[1]
    orders = [(np.arange(n) + rng.integers(1, n)) % n for _ in range(50)]
    return float(np.quantile(np.concatenate([_alike(a, b[:, o]) for o in orders]), _LIKELY))


def _moved_as_one(a: Floats, b: Floats, block: Ints, cross: Floats, limit: float) -> bool:
    """Whether some shift of conditions makes most units agree that did not before."""
    if np.mean(cross > limit) > 0.5:
        return False
    names = np.unique(block)
    size = len(block) // len(names)
    if size * len(names) != len(block):
        return False
    shares = [
        np.mean(_alike(np.roll(a, k * size, axis=0), b) > limit) for k in range(1, len(names))
    ]
    return bool(max(shares) > 0.5)
