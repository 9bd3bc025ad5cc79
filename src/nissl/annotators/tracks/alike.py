"""The same error in another volume: what a correction of one volume says of volumes like it.

A smooth displacement between two volumes, fitted to the neurons that were not corrected, takes
both places of a corrected neuron along: the wrong one and the right one. Where its point lies by
the wrong one, the same error was made, and it belongs by the right one: on the point of another
corrected neuron that lies there (a swap), else where the displacement says. What was found in one
volume is the beginning for the next one, so that steps between volumes stay small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.assign import Smoothness, expected

Floats = npt.NDArray[np.float64]

CLEARLY = 0.7
"""A point lies by one of two places if that is so many times nearer than the other, at most."""
SMALL_STEP = Smoothness(reach=0.2, amplitude=0.08, noise=0.06)
"""How neurons move between volumes of similar posture; both chosen on simulated worms."""


@dataclass(frozen=True, eq=False)
class Correction:
    """What is right and what was wrong in one volume.

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        Where all neurons are, as corrected, x y z in one unit; NaN where one is not seen.
    corrected : ndarray, shape (k,), int64
        Rows of `places`.
    wrong : ndarray, shape (k, 3)
        Where these were before, or would be if the same error were made.
    """

    places: Floats
    corrected: npt.NDArray[np.int64]
    wrong: Floats


@dataclass(frozen=True, eq=False)
class Followed:
    """What a correction says of another volume.

    Neurons of one volume that exchanged places are judged together, as one error.

    Parameters
    ----------
    goes : ndarray, shape (k, 3)
        Where the corrected neurons belong if the same error was made; NaN for those that stay.
    then : Correction or None
        The other volume, from which to go on; None where it is not clear what happened there.
    """

    goes: Floats
    then: Correction | None


def follow(told: Correction, places: Floats, trust: Floats) -> Followed:
    """Look for the errors of one volume in another.

    Parameters
    ----------
    told : Correction
    places : ndarray, shape (n, 3)
        Of all neurons in the other volume, as they stand, in the order of `told`.
    trust : ndarray, shape (n,)
        Probability that each of them is right; what was corrected is not asked.
    """
    k, n = told.corrected, len(places)
    nothing = np.full((k.size, 3), np.nan)
    target = places.copy()
    target[k] = np.nan
    found = expected(
        np.concatenate([told.places, told.wrong]),
        np.concatenate([target, nothing]),
        np.concatenate([trust, np.zeros(k.size)]),
        SMALL_STEP,
    )
    right, wrong, here = found.xyz[k], found.xyz[n:], places[k]
    step = np.linalg.norm(right - wrong, axis=1)
    off = [here - there for there in (wrong, right)]
    same, fine = _clear(*(_together(each, told) for each in off))
    alone = _clear(*(np.linalg.norm(each, axis=1) for each in off))
    open_ = ~(same | fine)  # one of them was put right before
    same, fine = same | (open_ & alone[0]), fine | (open_ & alone[1])
    goes = nothing.copy()
    for row in np.flatnonzero(same).tolist():
        # a point is given up only by a neuron that goes elsewhere itself
        goes[row] = _on_another(right[row], here, same, row, CLEARLY * step[row])
    for row in np.flatnonzero(fine).tolist():
        wrong[row] = _on_another(wrong[row], here, fine, row, CLEARLY * step[row])
    if not (same | fine).all():
        return Followed(goes, None)
    now = places.copy()
    now[k] = np.where(same[:, None], goes, np.where(fine[:, None], here, right))
    wrong = np.where(same[:, None], here, wrong)
    return Followed(goes, Correction(now, k, wrong))


def _clear(
    from_wrong: Floats, from_right: Floats
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    return from_wrong < CLEARLY * from_right, from_right < CLEARLY * from_wrong


def _together(off: Floats, told: Correction) -> Floats:
    """How far points lie from places, by root mean square over those that exchanged places."""
    square = (off**2).sum(axis=1)
    group = _exchanged(told)
    out = np.full(len(off), np.nan)
    for name in np.unique(group).tolist():
        mine = np.flatnonzero(group == name)
        seen = mine[np.isfinite(square[mine])]
        if seen.size:
            out[seen] = np.sqrt(square[seen].mean())
    return out


def _exchanged(told: Correction) -> npt.NDArray[np.int64]:
    """A number for each corrected neuron, the same where one was taken for another."""
    right = told.places[told.corrected]
    step = np.linalg.norm(right - told.wrong, axis=1)
    away = np.linalg.norm(told.wrong[:, None] - right[None], axis=2)
    near = away < CLEARLY * step[:, None]
    group = np.arange(len(right))
    for a, b in zip(*(each.tolist() for each in np.nonzero(near)), strict=True):
        group[group == group[b]] = group[a]
    return group


def _on_another(
    place: Floats, points: Floats, of: npt.NDArray[np.bool_], row: int, reach: float
) -> Floats:
    """The nearest of some other points within reach of a place; else the place itself."""
    away = np.linalg.norm(points - place, axis=1)
    away[~of | ~np.isfinite(away)] = np.inf
    away[row] = np.inf
    nearest = int(np.argmin(away))
    return points[nearest] if away[nearest] < reach else place


__all__ = ["Correction", "Followed", "follow"]
