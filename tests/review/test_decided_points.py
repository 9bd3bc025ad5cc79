"""What is decided of tracks: a track as a whole, or by every one of its points."""

import time
from uuid import uuid4

import numpy as np
import pytest

from nissl.labels import Edit, EditKind
from nissl.review.progress import answers, everybody
from nissl.review.queue import build
from nissl.review.readers import answers_of
from nissl.review.room import Room
from nissl.testing.worms import tracked_worm

N, T = 4, 12


@pytest.fixture
def room(tmp_path):
    made = tracked_worm(
        tmp_path, np.random.default_rng(3), n_neurons=N, n_frames=T, shape=(4, 24, 32)
    )
    yield Room(made.project.store, made.raw)
    made.project.close()


def said(room, kind, items, reader="Ana", **payload):
    (desk,) = room.desks
    edit = Edit(uuid4(), EditKind(kind), desk.key, tuple(items), reader, time.time(), payload)
    room.decide([edit])
    return edit.uuid


def rows(room, item):
    labels = room.desks[0].labels
    return labels.column("id")[labels.rows_of(item)].tolist()


def left(room):
    queue = build(room, "Ana", np.random.default_rng(0))
    return {entry.item for entry in queue.entries}, queue.done


def test_a_point_that_is_moved_or_added_decides_no_track(room):
    said(room, "move", [1], row=rows(room, 1)[0], x=1.0, y=2.0, z=3.0)
    said(room, "add", [2], rows=[{"frame": 0, "x": 1.0, "y": 2.0, "z": 3.0, "visible": True}])
    (desk,) = room.desks
    assert everybody(room, desk) == {}
    assert left(room) == ({0, 1, 2, 3}, 0)
    edits = room.edits(base=desk.key)
    assert answers_of(desk.labels, edits) == ()
    assert answers(desk, {desk.key: edits}) == {}


def test_a_track_is_decided_as_a_whole_or_by_all_of_its_points(room):
    (desk,) = room.desks
    first, *others = rows(room, 1)
    said(room, "move", [1], row=first, visible=False)
    said(room, "accept", [1], rows=others[:-1])
    assert 1 not in everybody(room, desk)
    undone = said(room, "accept", [1], rows=others[-1:])
    said(room, "accept", [3], reader="Ben")
    assert everybody(room, desk) == {1: {"Ana"}, 3: {"Ben"}}
    assert left(room) == ({0, 2}, 2)
    edit = Edit(uuid4(), EditKind.UNDO, desk.key, (), "Ana", time.time(), {"target": str(undone)})
    room.decide([edit])
    assert everybody(room, desk) == {3: {"Ben"}}


def test_the_confidence_of_a_track_is_the_mean_of_its_points(room):
    (desk,) = room.desks
    labels, proposals = desk.labels, desk.proposals
    for item, told in zip(proposals.items.tolist(), proposals.confidence.tolist(), strict=True):
        mine = labels.column("confidence")[labels.rows_of(item)]
        assert told == pytest.approx(float(np.mean(mine, dtype=float)))
