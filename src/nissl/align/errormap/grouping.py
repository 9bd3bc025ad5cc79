"""Groups of fragments: whether there are any, and whether what is known of fragments explains them.

Any matrix of distances can be cut into groups. How well the best cut parts them (mean silhouette,
Rousseeuw 1987) is held against a single cloud of the same extent in every direction, a Gaussian
with the eigenvalues of the observed distances, cut in the same way (the null of SigClust, Liu et
al. 2008). Where one cloud would be parted as well, there are no groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.align.errormap.maps import ErrorMap
from nissl.align.fragments import Floats, Ints
from nissl.errors import BadArgumentError

FEWEST = 6
"""Fragments; of fewer, one cloud is parted as well by any cut."""
MOST_GROUPS = 8
N_CLOUDS = 199
N_WAYS = 999
Strings = npt.NDArray[np.str_]
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Groups:
    """Fragments that predict each other.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        All 0 where there are no groups.
    silhouette : float
        Of the best cut; NaN of too few fragments.
    p : float
        Of one cloud that is parted as well; NaN of too few fragments.
    says : str
    """

    group: Ints
    silhouette: float
    p: float
    says: str

    @property
    def n(self) -> int:
        """Number of groups, 1 where there are none."""
        return int(self.group.max()) + 1


def groups(found: ErrorMap, rng: np.random.Generator) -> Groups:
    """Part fragments into groups, or say that there are none."""
    from scipy.spatial.distance import pdist, squareform

    distance = found.distance()
    n = len(distance)
    if n < FEWEST:
        says = f"{n} fragments are too few to tell groups; {FEWEST} or more may show some."
        return Groups(np.zeros(n, np.int64), float("nan"), float("nan"), says)
    value, group = _best_cut(squareform(distance, checks=False), n)
    size = np.sqrt(np.maximum(np.linalg.eigvalsh(_doubly_centred(distance)), 0.0) / (n - 1))
    null = [_best_cut(pdist(rng.standard_normal((n, n)) * size), n)[0] for _ in range(N_CLOUDS)]
    p = (1 + int((np.array(null) >= value).sum())) / (1 + N_CLOUDS)
    if p > LEVEL:
        says = (
            f"No groups: the best cut parts fragments no better (silhouette {value:.2f}) than it "
            f"parts one cloud (p {p:.3f})."
        )
        return Groups(np.zeros(n, np.int64), value, p, says)
    return Groups(group, value, p, f"{group.max() + 1} groups (silhouette {value:.2f}, p {p:.3f}).")


def embedded(distance: Floats) -> Floats:
    """Classical scaling to two axes (Torgerson 1952), shape (n, 2).

    Each axis points to where its largest coordinate is, so that a map looks the same every time.
    """
    values, vectors = np.linalg.eigh(_doubly_centred(distance))
    out = np.zeros((len(distance), 2))
    k = min(2, len(distance))
    out[:, :k] = (vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0.0)))[:, :k]
    top = np.argmax(np.abs(out), axis=0)
    return np.asarray(out * np.where(out[top, [0, 1]] < 0, -1.0, 1.0), float)


@dataclass(frozen=True)
class Explained:
    """Whether fragments of one kind predict each other better than others do.

    Parameters
    ----------
    by : str
        What is known: "region", "state", ...
    same, other : float
        Mean relative skill of pairs of one kind, and of two kinds.
    p : float
        Of kinds given to other animals (or fragments); NaN where there is only one way.
    ways : int
        Different ways to give them, the own among them; p is never below 1 in so many.
    exchanged : str
        What changed kinds: "animals", "fragments of an animal" or "fragments".
    says : str
    """

    by: str
    same: float
    other: float
    p: float
    ways: int
    exchanged: str
    says: str


def explained(
    found: ErrorMap,
    by: str,
    kind: tuple[str, ...],
    animal: tuple[str, ...],
    rng: np.random.Generator,
) -> Explained:
    """Test whether a kind explains the map, with animals as what is exchanged.

    Fragments of one animal are no independent evidence: where every animal is of one kind, only
    pairs of two animals count, and whole animals change kinds. Where kinds differ within animals,
    fragments change kinds within each.

    Parameters
    ----------
    found : ErrorMap
    by : str
        Name of the kind.
    kind, animal : tuple of str
        Of every fragment.
    rng : numpy.random.Generator

    Raises
    ------
    BadArgumentError
        Where a fragment's kind or animal is not known, or all are of one kind.
    """
    testable(found.names, by, kind, animal)
    kinds, animals = np.array(kind), np.array(animal)
    off = ~np.eye(len(kinds), dtype=bool)
    names = sorted(set(animal))
    own = [np.flatnonzero(animals == a) for a in names]
    whole = all(len(set(kinds[rows].tolist())) == 1 for rows in own)
    if by == "subject":
        exchanged, counted = "fragments", off
        ways = _ways([len(kinds)], [kinds.tolist()])
    elif whole:
        exchanged, counted = "animals", animals[:, None] != animals[None]
        ways = _ways([len(names)], [[str(kinds[rows[0]]) for rows in own]])
    else:
        exchanged, counted = "fragments of an animal", off
        ways = _ways([len(r) for r in own], [kinds[r].tolist() for r in own])

    def drawn() -> Strings:
        out = kinds.copy()
        if exchanged == "fragments":
            return np.asarray(rng.permutation(out))
        if exchanged == "animals":
            of = rng.permutation([kinds[rows[0]] for rows in own])
            for rows, value in zip(own, of, strict=True):
                out[rows] = value
            return out
        for rows in own:
            out[rows] = rng.permutation(out[rows])
        return out

    same, other = _means(found.relative, kinds, counted)
    gap = same - other
    null = np.array([np.subtract(*_means(found.relative, drawn(), counted)) for _ in range(N_WAYS)])
    p = float("nan")
    if ways > 1 and np.isfinite(gap):
        p = max((1 + int((null >= gap - 1e-12).sum())) / (1 + N_WAYS), 1 / ways)
    says = _sentence(by, same, other, p, ways, exchanged)
    return Explained(by, same, other, p, ways, exchanged, says)


def testable(
    names: tuple[str, ...], by: str, kind: tuple[str, ...], animal: tuple[str, ...]
) -> None:
    """Raise `BadArgumentError` where a kind or an animal is not known, or all are of one kind.

    Parameters
    ----------
    names : tuple of str
        Of the sources.
    by : str
        Name of what is asked about.
    kind, animal : tuple of str
        Of each source, empty where not known.
    """
    for name, told in ((by, kind), ("subject", animal)):
        missing = [f for f, value in zip(names, told, strict=True) if not value]
        if missing:
            raise BadArgumentError(
                f"a {name} of every source",
                f"none of {', '.join(missing[:5])}",
                f"State it when sources are added, or leave --group {by} out.",
            )
    if len(set(kind)) < 2:
        raise BadArgumentError(
            f"sources of two or more values of {by!r}", f"only {kind[0]!r}", "Add others."
        )


def _sentence(by: str, same: float, other: float, p: float, ways: int, exchanged: str) -> str:
    what = f"Relative skill {same:.2f} within one {by}, {other:.2f} between two"
    if not np.isfinite(p):
        return f"{what}; not testable, because there is one way to give them to {exchanged}."
    if 1 / ways > LEVEL:
        return f"{what}; not testable, because {exchanged} can be exchanged in {ways} ways only."
    found = "explains the map" if p <= LEVEL else "explains nothing that chance would not"
    return f"{what}: {by} {found} (p {p:.3f}, {exchanged} exchanged)."


def _means(relative: Floats, kinds: Strings, counted: Floats) -> tuple[float, float]:
    same = kinds[:, None] == kinds[None]
    out = []
    for mask in (same & counted, ~same & counted):
        known = relative[mask]
        known = known[np.isfinite(known)]
        out.append(float(known.mean()) if known.size else float("nan"))
    return out[0], out[1]


def _ways(sizes: list[int], members: list[list[str]]) -> int:
    """Different ways to deal out kinds within each set."""
    total = 1
    for size, kinds in zip(sizes, members, strict=True):
        total *= math.factorial(size)
        for kind in set(kinds):
            total //= math.factorial(kinds.count(kind))
    return total


def _doubly_centred(distance: Floats) -> Floats:
    n = len(distance)
    centring = np.eye(n) - 1 / n
    return np.asarray(-0.5 * centring @ distance**2 @ centring, float)


def _best_cut(condensed: Floats, n: int) -> tuple[float, Ints]:
    """Best mean silhouette over numbers of groups, and the groups from 0."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(condensed, "average")
    distance = squareform(condensed)
    best, chosen = -1.0, np.zeros(n, np.int64)
    for k in range(2, min(MOST_GROUPS, n - 1) + 1):
        group = np.asarray(fcluster(tree, k, "maxclust") - 1, np.int64)
        value = _silhouette(distance, group)
        if value > best:
            best, chosen = value, group
    return best, chosen


def _silhouette(distance: Floats, group: Ints) -> float:
    member = group[:, None] == np.arange(group.max() + 1)[None]
    sizes = member.sum(axis=0)
    if len(sizes) < 2:
        return -1.0
    total = distance @ member
    own = sizes[group]
    inside = total[np.arange(len(group)), group] / np.maximum(own - 1, 1)
    outside = np.where(member, np.inf, total / np.maximum(sizes, 1)[None]).min(axis=1)
    value = (outside - inside) / np.maximum(np.maximum(outside, inside), 1e-12)
    return float(np.where(own > 1, value, 0.0).mean())
