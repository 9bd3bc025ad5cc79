"""Groups of novel items that may be a class of their own, offered to people as a proposal.

Novel items are clustered together with known ones (HDBSCAN; Campello, Moulavi and Sander 2013,
PAKDD, 160-172), so that tails of known classes fall to those. A cluster of mostly novel items is
offered when it is stable under the bootstrap (mean Jaccard index 0.75 or more; Hennig 2007,
Comput. Stat. Data Anal. 52, 258-271), is seen in two animals or more, and is not explained by
the rig or by signal-to-noise ratio: a proposal only ever asks people to look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MIN_STABILITY = 0.75
MIN_ANIMALS = 2
_NOVEL_SHARE = 0.5
_MAX_DIMENSIONS = 8
_KNOWN_PER_NOVEL = 3
_MIN_KNOWN = 200
_STRONG_AREA = 0.9
_SHARE_WITHIN, _SHARE_OUTSIDE = 0.9, 0.6


@dataclass(frozen=True)
class Association:
    """How far a nuisance tells members of a cluster from other items.

    Parameters
    ----------
    name : str
    strength : float
        Numbers: area under the curve within animals, 0.5 to 1. Names: share of the members
        that carry the most frequent one.
    p : float
        By permutation: of membership within animals for numbers, of animals for names.
    explains : bool
        Whether the cluster could be nothing but this.
    """

    name: str
    strength: float
    p: float
    explains: bool


@dataclass(frozen=True, eq=False)
class Proposal:
    """A cluster of novel items.

    Parameters
    ----------
    items : ndarray, shape (m,), int64
        Rows of the given features.
    exemplars : ndarray, shape (up to 5,), int64
        Those nearest to the cluster's middle.
    stability : float
        Mean Jaccard index over bootstrap resamples, 0 to 1.
    animals : tuple
        Where it is seen (two members or more), sorted.
    associations : tuple of Association
    offered : bool
    reason : str
        In plain words: why it is offered, or why not.
    """

    items: Ints
    exemplars: Ints
    stability: float
    animals: tuple[Any, ...]
    associations: tuple[Association, ...]
    offered: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "items": self.items.tolist(),
            "exemplars": self.exemplars.tolist(),
            "stability": self.stability,
            "animals": [str(a) for a in self.animals],
            "associations": [vars(a) for a in self.associations],
            "offered": self.offered,
            "reason": self.reason,
        }


def propose_classes(
    features: npt.ArrayLike,
    novel: npt.ArrayLike,
    animals: Sequence[Any] | npt.NDArray[Any],
    *,
    rng: np.random.Generator,
    confounds: Mapping[str, Sequence[Any] | npt.NDArray[Any]] | None = None,
    min_size: int = 10,
    n_bootstrap: int = 50,
    n_permutations: int = 500,
) -> tuple[Proposal, ...]:
    """Cluster novel items and say which clusters may be new classes.

    Parameters
    ----------
    features : array-like, shape (n, d)
        Of novel and known items, standardised, no NaN.
    novel : array-like of bool, shape (n,)
        As `nissl.trust.novelty.Items.novel` says.
    animals : sequence of length n
    rng : numpy.random.Generator
    confounds : mapping of str to sequence of length n, optional
        What must not explain a class: numbers such as SNR, or names such as the rig.
    min_size : int
        Smallest cluster.
    n_bootstrap, n_permutations : int

    Returns
    -------
    tuple of Proposal
        Offered ones first, the larger first; those refused say why.

    Raises
    ------
    BadArgumentError
        Shapes that do not fit, NaN among the features.
    """
    x, is_novel = np.asarray(features, dtype=np.float64), np.asarray(novel, dtype=bool)
    owner = np.asarray(animals)
    nuisances = {name: np.asarray(v) for name, v in (confounds or {}).items()}
    _check(x, is_novel, owner, nuisances)
    if is_novel.sum() < min_size:
        return ()
    rows = _clustered_rows(is_novel, rng)
    space = _reduced(x[rows])
    codes = _cluster(space, min_size)
    found = []
    for code, stability in _stabilities(space, codes, min_size, rng, n_bootstrap).items():
        members = rows[codes == code]
        if is_novel[members].mean() < _NOVEL_SHARE:
            continue
        member = np.zeros(len(x), dtype=bool)
        member[members] = True
        told = tuple(
            associate(name, values, member, owner, rng=rng, n=n_permutations)
            for name, values in nuisances.items()
        )
        middle = np.median(x[members], axis=0)
        apart = np.linalg.norm(x[members] - middle, axis=1)
        exemplars = members[np.argsort(apart, kind="stable")[:5]]
        found.append(_judged(members, exemplars, stability, owner, told))
    return tuple(sorted(found, key=lambda p: (not p.offered, -p.items.size)))


def rediscovery(proposals: Sequence[Proposal], members: npt.ArrayLike) -> float:
    """Best Jaccard index of an offered proposal with a class that was left out, 0 to 1.

    Parameters
    ----------
    proposals : sequence of Proposal
    members : array-like of bool, shape (n,)
        Items of the class that the model was not shown.
    """
    truth = np.flatnonzero(np.asarray(members, dtype=bool))
    return max((_jaccard(p.items, truth) for p in proposals if p.offered), default=0.0)


def associate(
    name: str,
    values: npt.NDArray[Any],
    member: Bools,
    animals: npt.NDArray[Any],
    *,
    rng: np.random.Generator,
    n: int = 500,
) -> Association:
    """Whether a nuisance explains who is a member.

    Numbers are compared within each animal, since animals differ in them anyway. Names such as
    a rig are usually fixed for an animal, so animals are permuted; with few of them no p-value
    can be small, and a cluster that sits in one rig alone counts as explained.

    Parameters
    ----------
    name : str
    values : ndarray, shape (n_items,)
        Floats (NaN where unknown), or names.
    member : ndarray of bool, shape (n_items,)
    animals : ndarray, shape (n_items,)
    rng : numpy.random.Generator
    n : int
        Permutations.
    """
    if np.issubdtype(values.dtype, np.number):
        return _number(name, values.astype(np.float64), member, animals, rng, n)
    return _named(name, values.astype(str), member, animals, rng, n)


def _number(
    name: str, values: Floats, member: Bools, animals: npt.NDArray[Any], rng: Any, n: int
) -> Association:
    known = ~np.isnan(values)
    parts = []
    for animal in np.unique(animals[known & member]):
        mine = known & (animals == animal)
        inside, size = member[mine], int(mine.sum())
        if 3 <= inside.sum() <= size - 3:
            rank = values[mine].argsort(kind="stable").argsort(kind="stable") + 1.0
            parts.append((rank, inside))
    if not parts:
        return Association(name, float("nan"), 1.0, False)
    seen = _area(parts)
    draws = np.asarray([_area([(r, rng.permutation(i)) for r, i in parts]) for _ in range(n)])
    p = float((1 + np.sum(np.abs(draws - 0.5) >= abs(seen - 0.5) - 1e-12)) / (1 + n))
    strength = 0.5 + abs(seen - 0.5)
    return Association(name, strength, p, bool(p < 0.05 and strength >= _STRONG_AREA))


def _area(parts: Sequence[tuple[Floats, Bools]]) -> float:
    """Mean area under the curve over animals, weighted by members."""
    areas, weights = [], []
    for rank, inside in parts:
        m, rest = inside.sum(), (~inside).sum()
        areas.append((rank[inside].sum() - m * (m + 1) / 2) / (m * rest))
        weights.append(m)
    return float(np.average(areas, weights=weights))


def _named(
    name: str, values: npt.NDArray[Any], member: Bools, animals: npt.NDArray[Any], rng: Any, n: int
) -> Association:
    names, counts = np.unique(values[member], return_counts=True)
    top = names[counts.argmax()]
    inside = float(np.mean(values[member] == top))
    outside = float(np.mean(values[~member] == top)) if (~member).any() else 1.0
    each, codes = np.unique(animals, return_inverse=True)
    own = np.asarray([np.mean(values[animals == a] == top) for a in each])
    m_in = np.bincount(codes[member], minlength=each.size) / member.sum()
    draws = np.asarray([float(own[rng.permutation(each.size)] @ m_in) for _ in range(n)])
    p = float((1 + np.sum(draws >= own @ m_in - 1e-12)) / (1 + n))
    return Association(name, inside, p, inside >= _SHARE_WITHIN and outside <= _SHARE_OUTSIDE)


def _judged(
    members: Ints,
    exemplars: Ints,
    stability: float,
    owner: npt.NDArray[Any],
    told: tuple[Association, ...],
) -> Proposal:
    names, counts = np.unique(owner[members], return_counts=True)
    animals = tuple(names[counts >= 2].tolist())
    faults = []
    if stability < MIN_STABILITY:
        faults.append(f"it is not stable (Jaccard {stability:.2f}, {MIN_STABILITY} needed)")
    if len(animals) < MIN_ANIMALS:
        faults.append(f"it is seen in {len(animals)} animal, {MIN_ANIMALS} needed")
    faults += [f"it may be nothing but {a.name} ({a.strength:.2f})" for a in told if a.explains]
    what = f"{members.size} items in {len(animals)} animals, stability {stability:.2f}"
    reason = f"{what}; not offered: " + "; ".join(faults) if faults else what
    return Proposal(members, exemplars, stability, animals, told, not faults, reason)


def _clustered_rows(novel: Bools, rng: np.random.Generator) -> Ints:
    """All novel items and a sample of the known ones."""
    known = np.flatnonzero(~novel)
    n = min(known.size, max(_MIN_KNOWN, _KNOWN_PER_NOVEL * int(novel.sum())))
    chosen = rng.choice(known, n, replace=False)
    return np.sort(np.concatenate([np.flatnonzero(novel), chosen])).astype(np.int64)


def _reduced(x: Floats) -> Floats:
    centred = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(s**2) / max(float(np.sum(s**2)), 1e-300)
    n = min(_MAX_DIMENSIONS, int(np.searchsorted(share, 0.95)) + 1)
    return np.asarray(u[:, :n] * s[:n])


def _cluster(space: Floats, min_size: int) -> Ints:
    from sklearn.cluster import HDBSCAN

    model = HDBSCAN(min_cluster_size=min_size, min_samples=min(5, min_size), copy=True)
    return np.asarray(model.fit_predict(space), dtype=np.int64)


def _stabilities(
    space: Floats, codes: Ints, min_size: int, rng: np.random.Generator, n: int
) -> dict[int, float]:
    """Mean best Jaccard index of every cluster over bootstrap resamples."""
    scores: dict[int, list[float]] = {int(c): [] for c in np.unique(codes[codes >= 0])}
    for _ in range(n if scores else 0):
        rows = np.unique(rng.integers(0, len(space), len(space)))
        again = _cluster(space[rows], max(3, round(min_size * rows.size / len(space))))
        others = [rows[again == c] for c in np.unique(again[again >= 0])]
        for code, found in scores.items():
            mine = rows[codes[rows] == code]
            found.append(max((_jaccard(mine, other) for other in others), default=0.0))
    return {code: float(np.mean(found)) for code, found in scores.items()}


def _jaccard(a: Ints, b: npt.NDArray[np.intp] | Ints) -> float:
    shared = np.intersect1d(a, b).size
    return shared / max(1, np.union1d(a, b).size)


def _check(
    x: Floats, novel: Bools, owner: npt.NDArray[Any], nuisances: Mapping[str, npt.NDArray[Any]]
) -> None:
    lengths = {len(novel), len(owner), *(len(v) for v in nuisances.values())}
    if x.ndim != 2 or lengths != {len(x)} or not np.isfinite(x).all():
        raise BadArgumentError(
            "finite features (n, d), and n values of all else",
            f"{x.shape} and lengths {sorted(lengths)}",
            "Embed the features first (nissl.trust.frame), and give one value per item.",
        )
