"""Windows of every source in three parts: fit, choose, and a test part under seal.

Maps are fitted on the first, choices are made on the second, and the third is opened once, when
all choices are made. Parts are whole blocks of time, so that slow drift and neighbouring
windows do not carry over, and each has every condition as far as blocks allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nissl.align.fragments import Fragment, Ints, conditions, runs
from nissl.errors import BadArgumentError

SHARES = (0.5, 0.25, 0.25)
"""Of windows, for fit, choose and test."""
FEWEST = 2
"""Windows of a condition in each part; of one alone the noise cannot be told."""
_BLOCKS = (12, 24, 48, 96, 192)
_DRAWS = 200


@dataclass(eq=False)
class Sealed:
    """Test parts. Reading them is counted and needs a reason.

    Parameters
    ----------
    opened : list of str
        Reasons, in order.
    """

    _parts: tuple[Fragment, ...]
    opened: list[str] = field(default_factory=list)

    def open(self, why: str) -> tuple[Fragment, ...]:
        """Test part of each source; the reading is recorded."""
        self.opened.append(why)
        return self._parts


@dataclass(frozen=True, eq=False)
class Parts:
    """Sources in three parts.

    Parameters
    ----------
    fit, choose : tuple of Fragment
    test : Sealed
    """

    fit: tuple[Fragment, ...]
    choose: tuple[Fragment, ...]
    test: Sealed


def split(fragments: Sequence[Fragment], rng: np.random.Generator) -> Parts:
    """Cut the windows of every source in three parts.

    Only the times and conditions of windows decide; activity is not looked at.

    Parameters
    ----------
    fragments : sequence of Fragment
        With conditions of windows.
    rng : numpy.random.Generator

    Raises
    ------
    BadArgumentError
        Where fewer than three conditions have two windows in each part.
    """
    told = [_assigned(f, rng) for f in fragments]
    each = [
        tuple(f.in_windows(t[k]) for f, t in zip(fragments, told, strict=True)) for k in range(3)
    ]
    return Parts(each[0], each[1], Sealed(each[2]))


def _assigned(fragment: Fragment, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Numbers of the windows of each part."""
    number, _, _ = runs(fragment)
    names, condition = np.unique(conditions(fragment), return_inverse=True)
    condition = np.where(names[condition] < 0, -1, condition)
    number, condition = number[condition >= 0], condition[condition >= 0]
    n = len(number)
    counts = np.bincount(condition, minlength=1) if n else np.zeros(1, int)
    if (counts >= 3 * FEWEST).sum() < 3:
        raise BadArgumentError(
            f"three or more conditions of {fragment.name!r} with {3 * FEWEST} windows each",
            f"{int((counts >= 3 * FEWEST).sum())} among {int((counts > 0).sum())}, {n} windows",
            "Windows must be enough to fit, to choose and to test: record more, or compare "
            "without a loop (nissl errormap).",
        )
    best: tuple[float, Ints] | None = None
    for n_blocks in [b for b in _BLOCKS if b < n] + [n]:
        block = np.arange(n) * n_blocks // n
        for _ in range(_DRAWS):
            part = _drawn(n_blocks, rng)[block]
            table = np.stack([np.bincount(condition[part == k], minlength=len(counts))
                              for k in range(3)])  # fmt: skip
            short = int((table[:, counts >= 3 * FEWEST] < FEWEST).sum())
            apart = float(np.abs(table / n - np.outer(SHARES, counts / n)).sum()) + short
            if best is None or apart < best[0]:
                best = (apart, part)
        if best is not None and best[0] < 0.5:
            break
    part = best[1] if best is not None else np.zeros(n, np.int64)
    return number[part == 0], number[part == 1], number[part == 2]


def _drawn(n_blocks: int, rng: np.random.Generator) -> Ints:
    """Part of every block, each part as often as its share says."""
    ends = np.round(np.cumsum(SHARES) * n_blocks).astype(np.int64)
    part = np.searchsorted(ends, np.arange(n_blocks), side="right")
    return np.asarray(rng.permutation(part), np.int64)
