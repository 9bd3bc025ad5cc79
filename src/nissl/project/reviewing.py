"""Review of a project: the room over its store, with raw data opened as `Source` does."""

from __future__ import annotations

from nissl.data import Recording
from nissl.project.source import Source
from nissl.review.room import Room
from nissl.store import SourceRow, Store


def open_room(store: Store) -> Room:
    """Room of an open project."""

    def raw(row: SourceRow) -> Recording:
        return Source(row, store).recording

    return Room(store, raw)
