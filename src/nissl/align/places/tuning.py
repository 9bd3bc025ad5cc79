"""How units follow a place (or any other value that comes in classes), window by window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.align.fragments import Bools, Floats, Fragment, Ints, runs
from nissl.errors import BadArgumentError

_RARE = 1e-3
"""Lowest rate of a unit in a place, events per bin: nothing is impossible."""


@dataclass(frozen=True, eq=False)
class Tuning:
    """Rates of units by place.

    Parameters
    ----------
    name : str
    rates : ndarray, shape (n_windows, n_places, n_units)
        Events per bin, smoothed over neighbouring places; NaN where a window never went.
    spent : ndarray, shape (n_windows, n_places)
        Bins.
    windows : ndarray of int, shape (n_windows,)
    units : ndarray of int, shape (n_units,)
        Identity.
    """

    name: str
    rates: Floats
    spent: Floats
    windows: Ints
    units: Ints

    def mean(self, of: Bools | None = None) -> Floats:
        """Rates over windows, weighted by the time spent, shape (n_places, n_units)."""
        kept = slice(None) if of is None else of
        rates, spent = self.rates[kept], self.spent[kept]
        total = spent.sum(axis=0)[:, None]
        with np.errstate(invalid="ignore"):
            return np.asarray(np.nansum(rates * spent[:, :, None], axis=0) / total, float)


def places(
    position: Floats, velocity: Floats, n_bins: int, *, low: float, high: float, still: float
) -> Ints:
    """Places of a track that is run in both directions, each a place of its own.

    Parameters
    ----------
    position : ndarray, shape (n,)
    velocity : ndarray, shape (n,)
    n_bins : int
        Along the track.
    low, high : float
        Ends of the track, on the scale of `position`.
    still : float
        Speed below which the animal is nowhere (-1): cells fire there for other reasons.

    Returns
    -------
    ndarray of int, shape (n,)
        0 to 2 * n_bins - 1, or -1.
    """
    along = np.clip(((position - low) / (high - low) * n_bins).astype(np.int64), 0, n_bins - 1)
    moving = np.abs(velocity) >= still
    return np.where(moving, along + n_bins * (velocity < 0), -1).astype(np.int64)


def tuned(fragment: Fragment, place: Ints, smoothing: Floats) -> Tuning:
    """Rates by place in every window of a fragment.

    Parameters
    ----------
    fragment : Fragment
        Events per bin.
    place : ndarray of int, shape (n_bins,)
        -1 is left out.
    smoothing : ndarray, shape (n_places, n_places)
        Weights of neighbours (`along_tracks`).

    Raises
    ------
    BadArgumentError
        Where the animal is nowhere.
    """
    if len(place) != fragment.n_bins or not (place >= 0).any():
        raise BadArgumentError(
            f"a place for each of {fragment.n_bins} bins, somewhere",
            f"{len(place)} values, {int((place >= 0).sum())} of them places",
            "Give behaviour on the clock of the activity, with some movement.",
        )
    number, start, stop = runs(fragment)
    n_places = len(smoothing)
    rates = np.full((len(number), n_places, fragment.n_units), np.nan)
    spent = np.zeros((len(number), n_places))
    for k, (a, b) in enumerate(zip(start, stop, strict=True)):
        where, there = place[a:b], place[a:b] >= 0
        spent[k] = np.bincount(where[there], minlength=n_places)
        total = np.zeros((n_places, fragment.n_units))
        np.add.at(total, where[there], fragment.activity[a:b][there])
        time = smoothing @ spent[k]
        seen = time > 0
        rates[k, seen] = (smoothing @ total)[seen] / time[seen, None]
    units = np.arange(fragment.n_units) if fragment.units is None else fragment.units
    return Tuning(fragment.name, rates, spent, number, units)


def along_tracks(n_bins: int, n_tracks: int, width: float = 1.0) -> Floats:
    """Gaussian weights of neighbouring places, none across tracks or directions.

    Parameters
    ----------
    n_bins : int
        Of one direction.
    n_tracks : int
    width : float
        Standard deviation, places.
    """
    apart = np.subtract.outer(np.arange(n_bins), np.arange(n_bins)) / width
    return np.asarray(np.kron(np.eye(n_tracks), np.exp(-0.5 * apart**2)), float)


def decoded(rates: Floats, activity: Floats, occupancy: Floats | None = None) -> Ints:
    """Most probable place of every bin: Poisson counts, units independent (Zhang et al. 1998).

    Parameters
    ----------
    rates : ndarray, shape (n_places, n_units)
        Events per bin; places with NaN are never answered.
    activity : ndarray, shape (n_bins, n_units)
        Events of bins, or sums of several with `rates` scaled likewise.
    occupancy : ndarray, shape (n_places,), optional
        Prior.
    """
    known = np.isfinite(rates).all(axis=1)
    floor = np.maximum(rates[known], _RARE)
    score = activity @ np.log(floor).T - floor.sum(axis=1)
    if occupancy is not None:
        score = score + np.log(occupancy[known] + 1e-9)
    return np.asarray(np.flatnonzero(known)[np.argmax(score, axis=1)], np.int64)


def summed(values: npt.NDArray[np.float64], width: int) -> Floats:
    """Running sums over so many bins, centred, shape as given."""
    kernel = np.ones(width)
    return np.stack([np.convolve(v, kernel, mode="same") for v in values.T], axis=1)
