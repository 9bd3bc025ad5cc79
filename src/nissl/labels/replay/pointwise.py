"""What a person said of single points of tracks: neuron by neuron, frame by frame.

A claim is about a row *as a point of its track*: it holds while the row belongs to that track,
so that what a swap gives to another one is undecided again until somebody looks, and decided
again when the swap is made good. Merges and splits rename a track; its claims follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.labels.edits import Edit, EditKind
from nissl.labels.kinds import Kind
from nissl.labels.labelset import LabelSet

UNTOUCHED, ACCEPTED, CHANGED, ADDED, UNSURE = range(5)
"""Codes of what was said of a row, as the first of `STATES` are ordered."""

Rows = npt.NDArray[np.intp]


@dataclass
class Claims:
    """One reviewer's claims on rows, by position; empty for kinds without tracks in frames.

    Parameters
    ----------
    said : ndarray, shape (n_rows,), int8
        One of the codes of this module.
    item : ndarray, shape (n_rows,), int64
        The track of which it was said.
    """

    said: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    item: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def none(cls, kind: Kind, n_rows: int) -> Claims:
        """No claims yet, on so many rows."""
        n = n_rows if kind is Kind.POINTS else 0
        return cls(np.zeros(n, np.int8), np.zeros(n, np.int64))

    def grow(self, n_rows: int) -> None:
        """Have room for so many rows more."""
        if self.said.size:
            self.said = np.concatenate([self.said, np.zeros(n_rows, np.int8)])
            self.item = np.concatenate([self.item, np.zeros(n_rows, np.int64)])

    def say(self, rows: Rows, items: npt.NDArray[np.int64], code: int) -> None:
        """Claim something of rows as points of these tracks; what was placed is not less so."""
        if not self.said.size or not rows.size:
            return
        if code == ACCEPTED:
            placed = (self.item[rows] == items) & np.isin(self.said[rows], (CHANGED, ADDED))
            rows, items = rows[~placed], items[~placed]
        self.said[rows] = code
        self.item[rows] = items

    def follow(self, rows: Rows, old: int, new: int) -> None:
        """Let the claims on rows of a track hold of what it is called now."""
        if self.said.size:
            mine = rows[self.item[rows] == old]
            self.item[mine] = new

    def doubt(self, rows: Rows) -> None:
        """Take back that rows are right; where a point was placed, it stays placed."""
        if self.said.size:
            self.said[rows[self.said[rows] == ACCEPTED]] = UNTOUCHED

    def forget(self, rows: Rows) -> None:
        """Take back all that was said of rows."""
        if self.said.size:
            self.said[rows] = UNTOUCHED

    def of(self, rows: Rows, items: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """What holds of rows that belong to these tracks now."""
        if not self.said.size:
            return np.zeros(rows.size, np.int8)
        return np.where(self.item[rows] == items, self.said[rows], UNTOUCHED).astype(np.int8)


def of_a_point(edit: Edit, kind: Kind) -> bool:
    """Whether an edit speaks of single points of tracks, so that no track is decided by it."""
    placed = kind is Kind.POINTS and edit.kind in (EditKind.MOVE, EditKind.ADD)
    return edit.of_rows or (placed and bool(edit.items))


def rows_in(labels: LabelSet, added: npt.NDArray[Any], frames: Sequence[int]) -> Rows:
    """Positions of the rows in some frames, whatever their track.

    Parameters
    ----------
    labels : LabelSet
        POINTS, whose rows stand in order of frames.
    added : ndarray of int64
        Frames of the rows that edits added; their positions follow those of the base.
    frames : sequence of int
    """
    base = labels.column("frame")
    wanted = np.unique(np.asarray(frames, np.int64))
    spans = zip(
        np.searchsorted(base, wanted).tolist(),
        np.searchsorted(base, wanted, side="right").tolist(),
        strict=True,
    )
    found = [np.arange(start, stop) for start, stop in spans if stop > start]
    return np.concatenate([*found, labels.n_rows + np.flatnonzero(np.isin(added, wanted))])
