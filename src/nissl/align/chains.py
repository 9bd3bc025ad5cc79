"""More than two days: one identity per neuron from links of pairs of days, and where they clash.

Links of the days A-B, B-C and A-C are made apart, so that they can be held against each other:
where A-B and B-C lead to one unit and A-C to another or to none, one of them is wrong. Identities
join what the likeliest links say, one unit of a day at most, and whatever clashes is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Ints = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clash:
    """Three links that do not agree.

    Parameters
    ----------
    days : tuple of int
        Three days.
    path : tuple of int
        Units of these days as two links lead from one to the next.
    direct : int
        Unit of the last day that the direct link from the first names; -1 where it names none.
    """

    days: tuple[int, int, int]
    path: tuple[int, int, int]
    direct: int


@dataclass(frozen=True, eq=False)
class Chains:
    """Identities over days.

    Parameters
    ----------
    identity : tuple of ndarray, shape (n_units of the day,), int64
        Neuron of each unit of each day, 0 to n - 1.
    agreed, clashing : int
        Paths over a third day that the direct link confirms, and that it contradicts.
    clashes : tuple of Clash
        Contradicted paths.
    dropped : int
        Links that no identity could take in without two units of one day.
    """

    identity: tuple[Ints, ...]
    agreed: int
    clashing: int
    clashes: tuple[Clash, ...]
    dropped: int


def chains(
    n_units: Sequence[int], links: Mapping[tuple[int, int], tuple[Ints, Ints, Values]]
) -> Chains:
    """Join links of pairs of days.

    Parameters
    ----------
    n_units : sequence of int
        Units of each day.
    links : mapping of (day, later day) to (rows, rows, probability)
        Links called the same; one partner per unit and pair of days. Pairs of days may be missing.

    Raises
    ------
    BadArgumentError
        Days out of order, rows that are not there, or a unit with two partners on a day.
    """
    for (a, b), (left, right, _) in links.items():
        ok = 0 <= a < b < len(n_units)
        ok = ok and all(np.unique(rows).size == rows.size for rows in (left, right))
        ok = ok and left.max(initial=-1) < n_units[a] and right.max(initial=-1) < n_units[b]
        if not ok:
            raise BadArgumentError(
                "links of an earlier and a later day, one partner per unit",
                f"days {a} and {b} of {len(n_units)}",
                "Give the chosen pairs of each pair of days.",
            )
    identity, dropped = _joined(n_units, links)
    agreed, clashes = _triangles(len(n_units), links)
    return Chains(identity, agreed, len(clashes), clashes, dropped)


def _joined(
    n_units: Sequence[int], links: Mapping[tuple[int, int], tuple[Ints, Ints, Values]]
) -> tuple[tuple[Ints, ...], int]:
    """Join the likeliest links first; one that would bring two units of a day together is left."""
    start = np.concatenate([[0], np.cumsum(n_units)]).astype(int)
    group = {k: {k} for k in range(int(start[-1]))}
    day = np.repeat(np.arange(len(n_units)), n_units)
    all_links = [
        (-float(p), int(start[a]) + int(i), int(start[b]) + int(j))
        for (a, b), rows in links.items()
        for i, j, p in zip(*rows, strict=True)
    ]
    dropped = 0
    for _, i, j in sorted(all_links):
        if group[i] is group[j]:
            continue
        both = group[i] | group[j]
        if len({int(day[k]) for k in both}) < len(both):
            dropped += 1
            continue
        for k in both:
            group[k] = both
    numbers: dict[int, int] = {}
    found = np.asarray(
        [numbers.setdefault(min(group[k]), len(numbers)) for k in range(int(start[-1]))], np.int64
    )
    return tuple(found[start[d] : start[d + 1]] for d in range(len(n_units))), dropped


def _triangles(
    n_days: int, links: Mapping[tuple[int, int], tuple[Ints, Ints, Values]]
) -> tuple[int, tuple[Clash, ...]]:
    to = {
        days: dict(zip(left.tolist(), right.tolist(), strict=True))
        for days, (left, right, _) in links.items()
    }
    agreed, clashes = 0, []
    for a, b, c in combinations(range(n_days), 3):
        if not {(a, b), (b, c), (a, c)} <= set(to):
            continue
        for i, j in to[a, b].items():
            if j not in to[b, c]:
                continue
            k, direct = to[b, c][j], to[a, c].get(i, -1)
            if direct == k:
                agreed += 1
            else:
                clashes.append(Clash((a, b, c), (i, j, k), direct))
    return agreed, tuple(clashes)


__all__ = ["Chains", "Clash", "chains"]
