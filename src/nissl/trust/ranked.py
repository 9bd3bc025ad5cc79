"""The area under the ROC curve of confidence for being right, resampled by groups.

It is the chance that a right item is more confident than a wrong one (Hanley and McNeil 1982,
Radiology 143, 29-36).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.trust.checked import Floats, Integers

_ITEMS = 20_000_000  # items times resamples
_AT_ONCE = 500_000


@dataclass(frozen=True, eq=False)
class Ranked:
    """Items in order of confidence.

    Parameters
    ----------
    right, wrong : ndarray, shape (n_items,), float64
        Weight of the item where it is right (wrong), else 0.
    codes : ndarray, shape (n_items,), int
        Its group.
    starts : ndarray, shape (n_distinct,), int
        First item of every distinct confidence.
    """

    right: Floats
    wrong: Floats
    codes: Integers
    starts: Integers

    @classmethod
    def of(cls, p: Floats, y: Floats, w: Floats, codes: Integers) -> Ranked:
        """From confidence, right (1) or wrong (0), weight and group of each item."""
        order = np.argsort(p, kind="stable")
        starts = np.flatnonzero(np.diff(p[order], prepend=-1.0))
        weight, right = w[order], y[order]
        return cls(weight * right, weight * (1 - right), codes[order], starts)

    def areas(self, counts: Floats) -> Floats:
        """Area of each row of (n_draws, n_groups), how often a group counts; ties count half."""
        times = counts[:, self.codes]
        hits = np.add.reduceat(self.right * times, self.starts, axis=1)
        misses = np.add.reduceat(self.wrong * times, self.starts, axis=1)
        pairs = hits.sum(axis=1) * misses.sum(axis=1)
        ordered = (hits * (np.cumsum(misses, axis=1) - 0.5 * misses)).sum(axis=1)
        empty = np.full(len(pairs), np.nan)
        return np.asarray(np.divide(ordered, pairs, out=empty, where=pairs > 0))

    def draws(self, n_groups: int, rng: np.random.Generator) -> Floats:
        """Areas of resampled groups."""
        if n_groups < 2:
            return np.full(1, np.nan)
        even = np.full(n_groups, 1 / n_groups)
        left = int(np.clip(_ITEMS // self.codes.size, 100, 500))
        at_once = max(1, _AT_ONCE // self.codes.size)
        areas = []
        while left > 0:
            counts = rng.multinomial(n_groups, even, size=min(left, at_once))
            areas.append(self.areas(counts.astype(np.float64)))
            left -= at_once
        return np.concatenate(areas)
