"""How one reader's decisions group the spikes of a sorting, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nissl.errors import BadEditError
from nissl.labels import LabelSet
from nissl.labels.replay.live import Live

Rows = npt.NDArray[np.intp]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which rows of a label set belong to which unit now.

    Spikes that a reader added by hand are left out: nothing is known of them.

    Parameters
    ----------
    labels : LabelSet
        The base, EVENTS.
    items : ndarray, shape (n_items,), int64
        Units that there are now, increasing.
    changed : mapping of int to ndarray of int
        Rows of those units whose rows are not as in the base, increasing.
    gone : frozenset of int
        Units of the base whose rows are not as in the base, those that have none included.
    item : ndarray, shape (n_rows,), int64
        Unit of every row now, -1 for removed rows.
    """

    labels: LabelSet
    items: Ints
    changed: Mapping[int, Rows]
    gone: frozenset[int]
    item: Ints

    def rows(self, item: int) -> Rows:
        """Rows of a unit; `BadEditError` where it has none."""
        if item in self.changed:
            return self.changed[item]
        rows = np.empty(0, np.intp) if item in self.gone else self.labels.rows_of(item)
        if not rows.size:
            raise BadEditError(
                "a unit as it stands now", f"unit {item}, which has no spikes", "Reload the page."
            )
        return rows

    def train(self, item: int) -> Ints:
        """Samples of a unit's spikes, increasing."""
        samples: Ints = self.labels.column("sample")[self.rows(item)]
        return samples

    @cached_property
    def ids(self) -> Ints:
        """Row ids of all rows."""
        return self.labels.column("id")


def grouping_of(live: Live) -> Grouping:
    """Take down how a reader's decisions group the spikes.

    Later decisions do not change what is returned.

    Parameters
    ----------
    live : Live
        Over EVENTS.
    """
    labels, draft = live.labels, live.draft
    n = labels.n_rows
    changed, gone = {}, []
    for item, rows in draft.rows.items():
        before, now = labels.rows_of(item), rows[rows < n]
        if np.array_equal(before, now):
            continue
        gone.append(item)
        if now.size:
            changed[item] = np.array(now)
    current = np.asarray(labels.column("item"), np.int64)
    if gone:
        current = np.where(draft.alive[:n], draft.item[:n], -1)
    kept = labels.items[~np.isin(labels.items, gone)]
    items = np.union1d(kept, np.asarray(list(changed), np.int64))
    return Grouping(labels, items, changed, frozenset(gone), current)
