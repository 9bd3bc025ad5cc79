"""The readers of a task together: agreement over desks, gold, training, adjudication."""

from uuid import uuid4

import numpy as np
import pytest

from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Edit, EditKind
from nissl.project.reviewing import open_room
from nissl.review import panel as of
from nissl.review.queue import build
from nissl.testing.kinds import CELLS, kinds_project

N = 24
TASK = "cell-kind"


@pytest.fixture
def room(tmp_path):
    with kinds_project(tmp_path, np.random.default_rng(0), n_items=N) as project:
        yield open_room(project.store)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def say(room, reader, labels, **more):
    desk = next(desk for desk in room.desks if desk.row.task == TASK)
    role = more.pop("role", "reader")
    kind = EditKind.ADJUDICATE if role == "adjudicator" else EditKind.RELABEL
    room.decide(
        [
            Edit(
                uuid4(),
                kind,
                desk.key,
                (item,),
                reader,
                float(k),
                {"label": label, **more},
                role=role,
            )
            for k, (item, label) in enumerate(labels.items())
        ]
    )
    return desk


def truth(item):
    return CELLS[item % 3]


def test_agreement_errors_and_what_is_to_settle(room, rng):
    nothing = of.gather(room, TASK)
    assert (nothing.answers, nothing.errors, nothing.agreement(rng)) == ((), None, None)
    say(room, "Ada", {i: truth(i) for i in range(N)})
    wrong = {i: truth(i + (i in (3, 7))) for i in range(N)}
    desk = say(room, "Bob", wrong, blind=True)
    panel = of.gather(room, TASK)
    assert panel.readers == ("Ada", "Bob")
    assert panel.agreement(rng).percent.estimate == pytest.approx(22 / 24)
    assert {ref for ref, _ in panel.disagreements()} == {(desk.key, 3), (desk.key, 7)}
    assert panel.errors.classes == CELLS
    assert panel.bias(rng).shown.estimate > 0
    assert len(panel.drifts(rng)) == 2
    say(room, "Cas", {3: truth(3)}, role="adjudicator")
    assert {ref for ref, _ in of.gather(room, TASK).disagreements()} == {(desk.key, 7)}
    with pytest.raises(BadArgumentError, match="a task among"):
        of.gather(room, "nothing")


def test_gold_is_asked_blind_of_a_new_reader_who_is_told_after(room, rng):
    with pytest.raises(MissingInputError, match="decisions of 'Ada'"):
        of.choose_gold(room, TASK, "Ada")
    desk = say(room, "Ada", {i: truth(i) for i in range(N)})
    assert of.choose_gold(room, TASK, "Ada") == N
    assert of.ask_gold(room, TASK, "Eve", 10, rng) == 10
    queue = build(room, "Eve", rng, task=TASK, limit=100)
    gold = [e for e in queue.entries if e.blind]
    assert len(gold) == 10, "though somebody has decided on them"
    assert all(e.to_json()["proposed"] is None for e in gold)
    assert "gold" not in str([e.to_json() for e in gold])
    assert not [e for e in build(room, "Bob", rng, task=TASK, limit=100).entries if e.blind]
    for entry in gold:
        edit = Edit(
            uuid4(),
            EditKind.RELABEL,
            desk.key,
            (entry.item,),
            "Eve",
            0.0,
            {"label": truth(entry.item)},
        )
        room.decide([edit], question=entry.question)
        room.decide(
            [Edit(uuid4(), EditKind.UNDO, desk.key, (), "Eve", 1.0, {"target": str(edit.uuid)})]
        )
    told, refs = of.training(room, TASK, "Eve")
    assert {ref for ref in refs} == {(desk.key, e.item) for e in gold}
    assert all(each.correct for each in told.feedback), "taken back after the feedback: it counts"
    assert len(told.looks) == 1
    assert of.training(room, TASK, "Bob")[0].feedback == ()
    of.ask_gold(room, TASK, "Eve", N, rng)
    with pytest.raises(MissingInputError, match="gold items that 'Eve' has not seen"):
        of.ask_gold(room, TASK, "Eve", 1, rng)


def test_double_reading_is_asked_of_both(room, rng):
    assert of.ask_second(room, TASK, ["Ada", "Bob"], 0.25, rng) == 12
    items = [
        {e.item for e in build(room, name, rng, task=TASK, limit=100).entries if e.blind}
        for name in ("Ada", "Bob")
    ]
    assert items[0] == items[1]
    assert len(items[0]) == 6
