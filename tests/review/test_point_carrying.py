"""One corrected volume puts the same error right in volumes like it, and decides nothing."""

import time
from uuid import uuid4

import numpy as np
import pytest

from nissl.labels import Edit, EditKind
from nissl.labels.edits import BY_METHOD
from nissl.labels.replay import decided_rows, majority, rebase, replay
from nissl.review.point_carrying import METHOD, carry_on
from nissl.review.progress import everybody
from nissl.review.room import Room
from nissl.testing.worms import SPACING_UM, tracked_worm

N, T = 16, 60


@pytest.fixture
def worm(tmp_path):
    made = tracked_worm(
        tmp_path, np.random.default_rng(8), n_neurons=N, n_frames=T, synthetic=False
    )
    yield made
    made.project.close()


class Reader:
    def __init__(self, worm):
        self.worm, self.room = worm, Room(worm.project.store, worm.raw)
        (self.desk,) = self.room.desks
        self.key = self.desk.key

    def says(self, kind, items=(), group=None, **payload):
        edit = Edit(
            uuid4(), EditKind(kind), self.key, tuple(items), "Ana", time.time(), payload, group
        )
        self.room.decide([edit])
        return edit.uuid

    def corrects(self, frame, items=(0, 1)):
        group = uuid4()
        for item in items:
            x, y, z = self.worm.truth.xyz[frame, item].tolist()
            row = self.rows(frame)[item]
            self.says("move", [item], group, row=row["id"], x=x, y=y, z=z, visible=True)
        return group

    def rows(self, frame):
        with self.room.reading(self.key, "Ana") as reading:
            draft = reading.base.draft
            table = draft.columns_at(draft.rows_at([frame], reading.items.tolist()))
        return {row["item"]: row for row in table.to_pylist()}

    def right(self, item, frame):
        row = self.rows(frame).get(item)
        if row is None:
            return None
        off = np.asarray([row[k] for k in "xyz"]) - self.worm.truth.xyz[frame, item]
        return bool(np.linalg.norm(off * SPACING_UM[::-1]) < 2.0)

    def share(self, frames):
        told = [self.right(i, f) for f in frames for i in (0, 1)]
        return float(np.mean([each for each in told if each is not None]))


def test_one_corrected_volume_puts_the_swap_right_elsewhere(worm):
    reader = Reader(worm)
    before, after = range(worm.swap), range(worm.swap, T)
    decided = after[3]
    reader.says("accept", [0, 1], frames=[decided])
    assert reader.share(after) < 0.1
    untouched = {frame: reader.rows(frame) for frame in (*before, decided)}
    group = reader.corrects(after[10])
    started = time.perf_counter()
    carried = carry_on(reader.room, reader.key, "Ana", after[10])
    assert time.perf_counter() - started < 2
    assert reader.share([f for f in after if f != decided]) > 0.8
    assert {frame: reader.rows(frame) for frame in (*before, decided)} == untouched
    assert set(carried.frames) <= set(after)
    assert carried.points >= len(carried.frames) > 0.7 * len(after)
    edits = [e for e in reader.room.edits(base=reader.key) if e.by_method]
    assert {e.payload["method"] for e in edits} == {METHOD}
    assert {e.group for e in edits} == {group}
    # nothing is decided by it, for the queue and for what learns
    assert everybody(reader.room, reader.desk) == {}
    reviewed = replay(reader.desk.labels, reader.room.edits(base=reader.key), resolve=majority)
    frames = reviewed.labels.column("frame")[decided_rows(reviewed)]
    assert set(frames.tolist()) == {decided, after[10]}
    moved = carried.frames[0]
    row = next(
        r for r in reviewed.labels.table.to_pylist() if (r["frame"], r["item"]) == (moved, 0)
    )
    assert np.isnan(row["confidence"])
    assert row["x"] == pytest.approx(reader.rows(moved)[0]["x"])
    # one step of undo takes all of it back
    reader.says("undo", target=str(group))
    assert reader.share(after) < 0.1
    live = reader.rows(moved)[0]
    assert not np.isnan(live["confidence"])


def test_a_second_correction_after_it_finds_nothing_to_do(worm):
    reader = Reader(worm)
    reader.corrects(worm.swap + 10)
    carry_on(reader.room, reader.key, "Ana", worm.swap + 10)
    again = carry_on(reader.room, reader.key, "Ana", worm.swap + 10)
    assert (again.points, again.looked_at > 0) == (0, True)


def test_a_volume_without_a_correction_says_nothing(worm):
    reader = Reader(worm)
    reader.says("accept", range(N), frames=[5])
    assert carry_on(reader.room, reader.key, "Ana", 5).points == 0
    assert carry_on(reader.room, reader.key, "Ana", 6).points == 0


def test_what_a_method_moved_is_said_anew_by_the_next_run(worm):
    reader = Reader(worm)
    reader.corrects(worm.swap + 10)
    carry_on(reader.room, reader.key, "Ana", worm.swap + 10)
    edits = reader.room.edits(base=reader.key)
    labels = reader.desk.labels
    carried = rebase(edits, labels, labels, {int(i): int(i) for i in labels.items})
    assert len(carried.edits) == 2
    assert not any(edit.role == BY_METHOD for edit in carried.edits)


def test_neurons_that_are_corrected_one_by_one_end_as_if_at_once(worm):
    reader = Reader(worm)
    frame, after = worm.swap + 10, range(worm.swap, T)
    for item in (0, 1):
        reader.corrects(frame, (item,))
        carry_on(reader.room, reader.key, "Ana", frame)
    assert reader.share(after) > 0.8
