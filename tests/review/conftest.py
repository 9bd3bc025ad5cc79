"""A small project of units under review."""

import time
from uuid import uuid4

import pytest

from nissl.labels import Edit, EditKind
from nissl.project.reviewing import open_room
from nissl.store import Store
from nissl.testing.studies import unit_study


@pytest.fixture
def open_study(tmp_path):
    """``open_study(**size) -> (Room, truth)``; closed at the end."""
    stores = []

    def open_(**size):
        path = tmp_path / f"study-{len(stores)}"
        truth = unit_study(path, **size)
        stores.append(Store.open(path))
        return open_room(stores[-1]), truth

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def write():
    """``write(base, kind, *items, reader=, group=, **payload) -> Edit``."""

    def write_(base, kind, *items, reader="Ada", group=None, took_s=2.0, **payload):
        return Edit(
            uuid4(),
            EditKind(kind),
            base,
            items,
            reader,
            time.time(),
            payload,
            group=group,
            took_s=took_s,
        )

    return write_
