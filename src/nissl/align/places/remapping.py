"""Did the population remap? Windows grouped by the map that units follow, across sessions.

The same units may follow another map of the same room (remapping), from one session to the next or
within one. An alignment that averages over it hides the finding. Here every window's map is
held against every other's, over the units that both heard: windows of one map are alike far beyond
what units in another order give. A window that is like no other is noise, not another map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Bools, Floats, Ints
from nissl.align.places.tuning import Tuning
from nissl.errors import BadArgumentError

MIN_UNITS = 10
_PART = 0.25
"""Of the likeness of windows of one session: less than this is another map."""


@dataclass(frozen=True, eq=False)
class Maps:
    """Which map each window follows.

    Parameters
    ----------
    session : ndarray of int, shape (n_windows,)
        Position of the session in what was given.
    window : ndarray of int, shape (n_windows,)
        Number of the window in its session.
    likeness : ndarray, shape (n_windows, n_windows)
        Correlation of two windows' rates by place, each unit's mean taken away; NaN where they
        share too few units.
    map : ndarray of int, shape (n_windows,)
        0 is the map that most windows of the first session follow, -1 a window like no other.
    chance : float
        99.9th percentile of likenesses with units in another order.
    limit : float
        From which on two windows follow one map.
    """

    session: Ints
    window: Ints
    likeness: Floats
    map: Ints
    chance: float
    limit: float

    @property
    def remapped(self) -> Bools:
        """Windows that follow another map than the first session does."""
        return np.asarray(self.map > 0)

    @property
    def unclear(self) -> Bools:
        """Windows that are like no other."""
        return np.asarray(self.map < 0)


def maps_of(sessions: Sequence[Tuning], rng: np.random.Generator) -> Maps:
    """Group the windows of sessions by the map that their units follow.

    Parameters
    ----------
    sessions : sequence of Tuning
        Of the same places; units of equal identity are the same cells.
    rng : numpy.random.Generator
        For the order of units in the null.

    Raises
    ------
    BadArgumentError
        Of fewer than two windows, or sessions that share hardly any unit.
    """
    if sum(len(s.windows) for s in sessions) < 2:
        raise BadArgumentError("two or more windows", "fewer", "Split the session into laps.")
    everyone = np.unique(np.concatenate([s.units for s in sessions]))
    rates, session = [], []
    for k, one in enumerate(sessions):
        wide = np.full((*one.rates.shape[:2], len(everyone)), np.nan)
        wide[:, :, np.searchsorted(everyone, one.units)] = one.rates
        rates.append(wide)
        session += [k] * len(wide)
    stack, number = np.concatenate(rates), np.array(session, np.int64)
    window = np.concatenate([s.windows for s in sessions])
    likeness = np.eye(len(stack))
    null = []
    for i in range(len(stack)):
        for j in range(i):
            likeness[i, j] = likeness[j, i] = _alike(stack[i], stack[j])
            null.append(_alike(stack[i], stack[j], rng))
    if not np.isfinite(likeness[np.triu_indices(len(stack), 1)]).any():
        raise BadArgumentError(
            f"sessions that share {MIN_UNITS} or more units",
            "none that does",
            "Find the same cells first: `nissl align --by cells`.",
        )
    chance = float(np.nanquantile(null, 0.999))
    within = number[:, None] == number[None]
    np.fill_diagonal(within, False)
    ceiling = float(np.nanmedian(np.nanmax(np.where(within, likeness, np.nan), axis=1)))
    limit = max(chance, _PART * ceiling)
    return Maps(number, window, likeness, _grouped(likeness, number, limit), chance, limit)


def _alike(a: Floats, b: Floats, rng: np.random.Generator | None = None) -> float:
    """Correlation of two windows over places and units that both have."""
    units = np.isfinite(a).any(axis=0) & np.isfinite(b).any(axis=0)
    if units.sum() < MIN_UNITS:
        return float("nan")
    a, b = a[:, units], b[:, units]
    there = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    if there.sum() < 3:
        return float("nan")
    a, b = a[there], b[there]
    if rng is not None:
        b = b[:, rng.permutation(b.shape[1])]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float((a * b).sum() / size) if size else float("nan")


def _grouped(likeness: Floats, session: Ints, limit: float) -> Ints:
    """Average linkage; the first session's most frequent group is 0, lonely windows are -1."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    apart = 1 - np.nan_to_num(likeness, nan=0.0)
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform(apart, checks=False), "average")
    group = fcluster(tree, 1 - limit, "distance")
    sizes = {g: int((group == g).sum()) for g in np.unique(group)}
    first = [g for g in group[session == session[0]].tolist() if sizes[g] > 1]
    reference = max(set(first), key=first.count) if first else None
    out = np.full(len(group), -1, np.int64)
    others = sorted((g for g in sizes if sizes[g] > 1 and g != reference), key=lambda g: -sizes[g])
    names = {reference: 0, **{g: k + 1 for k, g in enumerate(others)}}
    for g, k in names.items():
        out[group == g] = k
    return out
