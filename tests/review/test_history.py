"""History: who changed what, the difference of two states, taking a range back."""

import time
from uuid import uuid4

import pytest

from nissl.errors import BadArgumentError
from nissl.review.history import difference, history, revert


@pytest.fixture
def busy(open_study, write):
    room, _ = open_study(n_units=6)
    desk = room.desks[0]
    group = uuid4()
    edits = [
        write(desk.classes.digest, "relabel", 0, label="noise"),
        write(desk.key, "merge", 1, 2, group=group),
        write(desk.classes.digest, "reject", 2, group=group),
        write(desk.classes.digest, "accept", 4),
    ]
    room.decide(edits[:1])
    room.decide(edits[1:3])
    room.decide(edits[3:])
    room.decide([write(desk.classes.digest, "accept", 5, reader="Ben")])
    return room, desk, edits


def test_the_newest_edit_comes_first_and_says_which_units_it_is_about(busy):
    room, desk, edits = busy
    told = history(room, desk)
    assert [r.position for r in told] == [5, 4, 3, 2, 1]
    assert [r.edit.uuid for r in told[1:]] == [e.uuid for e in edits[::-1]]
    assert told[3].items == (1, 2)
    assert all(r.stands for r in told)
    assert [r.edit.reviewer for r in history(room, desk, reader="Ben")] == ["Ben"]
    assert [r.position for r in history(room, desk, limit=2, before=4)] == [3, 2]


def test_the_difference_of_two_states(busy):
    room, desk, _ = busy
    changes = {c.item: c for c in difference(room, desk, "Ada", 0, 4)}
    assert set(changes) == {0, 1, 2, 4}
    assert changes[0].after["label"] == "noise"
    assert changes[2].after is None
    assert changes[1].after["n_rows"] == changes[1].before["n_rows"] + changes[2].before["n_rows"]
    assert difference(room, desk, "Ada", 4, 4) == []


def test_a_range_is_taken_back_in_one_step_and_once_more_undone(busy, write):
    room, desk, edits = busy
    undos = revert(
        room, desk, "Ada", [edits[1].uuid, edits[2].uuid, edits[3].uuid], now_s=time.time()
    )
    room.decide(undos)
    assert [c.item for c in difference(room, desk, "Ada", 0, room.position)] == [0]
    assert [
        r.stands
        for r in history(room, desk, reader="Ada")
        if r.edit.uuid in {e.uuid for e in edits}
    ] == [
        False,
        False,
        False,
        True,
    ]
    step = room.stacks("Ada")[1][-1]
    group = uuid4()
    room.decide([write(b, "undo", group=group, target=str(step.target)) for b in step.bases])
    assert 2 not in {i for i in room.desk(desk.key).item_ids} - {2}


def test_nobody_takes_back_what_another_decided(busy):
    room, desk, edits = busy
    with pytest.raises(BadArgumentError, match="own reader"):
        revert(room, desk, "Ben", [edits[0].uuid], now_s=1.0)
    with pytest.raises(BadArgumentError):
        revert(room, desk, "Ada", [uuid4()], now_s=1.0)
