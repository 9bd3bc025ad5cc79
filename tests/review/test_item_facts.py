"""One item of any desk: rows as they stand, pictures, the most alike."""

from uuid import uuid4

import numpy as np
import pytest

from nissl.errors import MissingInputError
from nissl.labels import Edit, EditKind
from nissl.project.reviewing import open_room
from nissl.review.item_facts import array_of, neighbours, probabilities_of, rows_of
from nissl.review.overview import audit_answers, confidences, sessions, work
from nissl.store import Store
from nissl.testing.celltypes import celltypes_study
from nissl.testing.kinds import kinds_project

N = 12


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with kinds_project(
        tmp_path_factory.mktemp("kinds"), np.random.default_rng(0), n_items=N
    ) as project:
        yield open_room(project.store)


def desk_of(room, view):
    return next(desk for desk in room.desks if desk.view == view)


def write(base, kind, items, reader="Ada", when_s=0.0, **payload):
    return Edit(uuid4(), EditKind(kind), base, tuple(items), reader, when_s, payload, took_s=2.0)


def test_rows_follow_the_readers_own_edits(room):
    desk = desk_of(room, "points")
    with room.reading(desk.key, "Ada") as reading:
        before = rows_of(reading, [3, 1])
    assert before.num_rows == 2 * (desk.labels.n_rows // N)
    assert before.column("item")[0].as_py() == 3
    room.decide([write(desk.key, "reject", [3], reader="Eve")])
    with room.reading(desk.key, "Eve") as reading:
        assert set(rows_of(reading, [3, 1]).column("item").to_pylist()) == {1}
    with room.reading(desk.key, "Ada") as reading:
        columns = ["id", "item", "frame", "x", "y"]
        assert rows_of(reading, [3, 1]).select(columns).equals(before.select(columns))


def test_the_most_alike_are_of_the_same_half_and_blind_tells_no_class(room):
    desk = desk_of(room, "classes")
    with room.reading(desk.key, "Ada") as reading:
        for item in range(N):
            near = neighbours(reading, item, n=3)
            assert item not in {each.item for each in near}
            distances = [each.distance for each in near]
            assert distances == sorted(distances)
        near = neighbours(reading, 0, n=N)
        assert len(near) == N - 1
        same = np.mean([each.distance for each in near if each.item < N / 2])
        assert same < np.mean([each.distance for each in near if each.item >= N / 2])
        assert all(each.label for each in near)
        assert not any(each.label for each in neighbours(reading, 0, blind=True))
        assert neighbours(reading, 10_000) == ()


def test_arrays_are_those_of_the_items_asked(room):
    desk = desk_of(room, "classes")
    picked = array_of(desk, "trace", [4, 0])
    assert np.array_equal(picked, desk.items.arrays["trace"][[4, 0]])
    with pytest.raises(MissingInputError, match="an array among"):
        array_of(desk, "nothing", [0])
    with pytest.raises(MissingInputError, match="facts of item"):
        array_of(desk, "trace", [N])


def test_overview_counts_what_stands(room):
    desk = desk_of(room, "regions")
    first = write(desk.key, "accept", [0, 1], reader="Bob", when_s=100)
    second = write(desk.key, "relabel", [2], reader="Bob", when_s=130, label="no cell")
    undo = write(desk.key, "undo", [], reader="Bob", when_s=1000, target=str(second.uuid))
    for edit in (first, second, undo):
        room.decide([edit])
    row = next(each for each in sessions(room) if each.desk == desk.key)
    assert (row.n_decided, row.n_items, row.readers) == (2, N, {"Bob": 2})
    bob = next(each for each in work(room.edits()) if each.reader == "Bob")
    assert (bob.n_decisions, bob.n_undone, bob.median_s) == (1, 1, 2.0)
    assert bob.minutes == pytest.approx(0.5), "the pause before the undo is no work"
    spans = next(each for each in confidences(room) if each.task == "events")
    assert (
        spans.decided.sum() + spans.open.sum() + spans.n_without
        == desk_of(room, "spans").row.n_items
    )
    assert spans.open.sum() > 0
    assert audit_answers(room) == []


def test_probabilities_and_rows_of_a_blind_reader(tmp_path, write):
    celltypes_study(tmp_path / "study", n_units=10, seed=1)
    with Store.open(tmp_path / "study") as store:
        room = open_room(store)
        desk = next(each for each in room.desks if each.view == "celltypes")
        room.decide([write(desk.key, "relabel", 2, label="unknown")])
        with room.reading(desk.key, "Ada") as reading:
            told = probabilities_of(reading, [1, 2, 99])
            np.testing.assert_allclose(told[:2].sum(axis=1), 1, atol=1e-5)
            assert np.isnan(told[2]).all()
            hidden = probabilities_of(reading, [1, 2], blind=True)
            assert np.isnan(hidden[0]).all()
            np.testing.assert_array_equal(hidden[1], told[1])
            assert "probabilities" in rows_of(reading, [1, 2]).column_names
            assert not {"label", "confidence", "probabilities"} & set(
                rows_of(reading, [1, 2], blind=True).column_names
            )
            assert "label" in rows_of(reading, [2], blind=True).column_names
