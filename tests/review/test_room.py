"""The room: decisions checked, on record before they are told, taken back to the start."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, BadEditError, DiskFullError, MissingInputError
from nissl.labels import Author
from nissl.labels.digest import digest_table
from nissl.labels.replay import by_reviewer, replay
from nissl.project import open_project
from nissl.project.reviewing import open_room
from nissl.review.names import reader_name
from nissl.review.room import Room
from nissl.review.stack import stacks
from nissl.store import Store
from nissl.testing.studies import proposed_classes


def undo(write, step, reader="Ada"):
    group = uuid4()
    return [
        write(base, "undo", reader=reader, group=group, target=str(step.target))
        for base in step.bases
    ]


def test_desks_stand_on_units_with_their_classes(open_study):
    room, truth = open_study(n_units=5, n_sessions=2)
    assert [desk.key for desk in room.desks] == list(truth)
    desk = room.desks[0]
    assert desk.view == "units"
    assert desk.vocabulary.names == ("good", "mua", "noise")
    assert desk.item_ids.tolist() == [0, 1, 2, 3, 4]
    assert not desk.has_raw
    assert desk.facts()["subject"] == "animal-0"


def test_a_decision_is_on_record_and_seen_by_another_room(open_study, write):
    room, _ = open_study()
    desk = room.desks[0]
    edit = write(desk.classes.digest, "relabel", 3, label="noise")
    uuids, position = room.decide([edit])
    assert uuids == [edit.uuid]
    assert position == 1
    with Store.open(room.store.path) as again:
        other = open_room(again)
        with other.reading(desk.key, "Ada") as reading:
            assert reading.label(3) == "noise"
            assert reading.state(3) in ("changed", "accepted")
        with other.reading(desk.key, "Ben") as reading:
            assert reading.state(3) == "untouched"


def test_a_retried_decision_does_nothing_twice(open_study, write):
    room, _ = open_study()
    edit = write(room.desks[0].key, "merge", 1, 2)
    assert room.decide([edit]) == room.decide([edit])
    assert len(room.store.edits()) == 1


def test_what_does_not_apply_is_refused_and_changes_nothing(open_study, write):
    room, _ = open_study()
    desk = room.desks[0]
    room.decide([write(desk.key, "merge", 1, 2)])
    with pytest.raises(BadEditError, match="merged into 1 by Ada"):
        room.decide([write(desk.key, "accept", 3), write(desk.key, "merge", 2, 4)])
    with room.reading(desk.key, "Ada") as reading:
        assert reading.base.state(3) == "untouched"
        assert 2 not in reading.items
    assert len(room.store.edits()) == 1


def test_an_edit_for_a_set_that_is_gone_or_of_another_desk(open_study, write):
    room, _ = open_study(n_sessions=2)
    with pytest.raises(MissingInputError, match="none in this project"):
        room.decide([write("e" * 64, "accept", 1)])
    a, b = (desk.key for desk in room.desks)
    with pytest.raises(BadEditError, match="one desk"):
        room.decide([write(a, "accept", 1), write(b, "accept", 1)])
    with pytest.raises(BadEditError, match="one reader"):
        room.decide([write(a, "accept", 1), write(a, "accept", 1, reader="Ben")])


def test_a_full_disk_keeps_nothing_of_the_decision(open_study, write, monkeypatch):
    room, _ = open_study()
    desk = room.desks[0]
    edit = write(desk.key, "merge", 1, 2)

    def full(*_args, **_options):
        raise DiskFullError("room", "none", "Free some space.")

    with monkeypatch.context() as patched:
        patched.setattr(room.store, "append", full)
        with pytest.raises(DiskFullError):
            room.decide([edit])
    with room.reading(desk.key, "Ada") as reading:
        assert 2 in reading.items
    room.decide([edit])  # the client sends it again
    with room.reading(desk.key, "Ada") as reading:
        assert 2 not in reading.items


def test_undo_and_redo_over_both_sets_and_a_restart(open_study, write):
    room, _ = open_study()
    desk = room.desks[0]
    group = uuid4()
    room.decide(
        [
            write(desk.key, "merge", 1, 2, group=group),
            write(desk.classes.digest, "reject", 2, group=group),
        ]
    )
    room.decide([write(desk.classes.digest, "accept", 1)])
    room = Room(room.store, room.raw)
    steps, again = room.stacks("Ada")
    assert [len(step.edits) for step in steps] == [2, 1]
    assert not again
    for _ in range(2):
        room.decide(undo(write, room.stacks("Ada")[0][-1]))
    with room.reading(desk.key, "Ada") as reading:
        assert reading.items.tolist() == desk.item_ids.tolist()
        assert set(reading.states().values()) == {"untouched"}
    steps, again = room.stacks("Ada")
    assert not steps
    assert len(again) == 2
    for _ in range(2):
        room.decide(undo(write, room.stacks("Ada")[1][-1]))
    with room.reading(desk.key, "Ada") as reading:
        assert 2 not in reading.items
        assert reading.state(1) == "accepted"
    steps, again = room.stacks("Ada")
    assert (len(steps), len(again)) == (2, 0)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["accept", "relabel", "unsure", "merge", "split", "undo", "redo", "reopen"]
        ),
        st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=25,
)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ACTIONS)
def test_undoing_everything_leads_back_to_the_byte_equal_start(open_study, write, actions):
    room, _ = open_study(n_units=6, duration_s=0.3)
    desk = room.desks[0]
    classes = desk.classes.digest
    before = {d: digest_table(room.store.get_labels(d).table) for d in desk.bases}
    for what, a, b in actions:
        try:
            if what == "reopen":
                room = Room(room.store, room.raw)
            elif what in ("undo", "redo"):
                steps = room.stacks("Ada")[what == "redo"]
                if steps:
                    room.decide(undo(write, steps[-1]))
            elif what == "merge":
                room.decide([write(desk.key, "merge", a, b)])
            elif what == "split":
                with room.reading(desk.key, "Ada") as reading:
                    ids = reading.base.draft.values("id", reading.base.rows(a)).tolist()
                room.decide([write(desk.key, "split", a, rows=[ids[: len(ids) // 2]])])
            else:
                payload = {"label": "mua"} if what == "relabel" else {}
                room.decide([write(classes, what, a, **payload)])
        except BadEditError:
            continue
    room = Room(room.store, room.raw)
    while room.stacks("Ada")[0]:
        room.decide(undo(write, room.stacks("Ada")[0][-1]))
    for digest, was in before.items():
        reviewed = replay(
            room.store.get_labels(digest), room.store.edits(base=digest), resolve=by_reviewer("Ada")
        )
        assert digest_table(reviewed.labels.table) == was
        assert not reviewed.decided
    with room.reading(desk.key, "Ada") as reading:
        assert np.array_equal(reading.items, desk.item_ids)
        assert set(reading.states().values()) <= {"untouched"}


def test_a_new_decision_empties_what_could_be_done_again(write):
    first, second = write("a" * 64, "accept", 1), write("a" * 64, "accept", 2)
    back = write("a" * 64, "undo", target=str(second.uuid))
    assert [len(s) for s in stacks([first, second, back])] == [1, 1]
    assert [len(s) for s in stacks([first, second, back, write("a" * 64, "accept", 3)])] == [2, 0]


def test_a_step_done_again_is_taken_back_by_either_of_its_names(write):
    a = write("a" * 64, "accept", 1)
    back = write("a" * 64, "undo", target=str(a.uuid))
    again = write("a" * 64, "undo", target=str(back.uuid))
    assert [len(s) for s in stacks([a, back, again])] == [1, 0]
    for name in (a.uuid, again.uuid):
        once_more = write("a" * 64, "undo", target=str(name))
        undo, redo = stacks([a, back, again, once_more])
        assert (len(undo), [step.target for step in redo]) == (0, [once_more.uuid])


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81, "\x00", "a\u2028b"])
def test_a_reader_has_a_printable_name(name):
    with pytest.raises(BadArgumentError):
        reader_name(name)


def test_a_name_with_markup_or_accents_is_a_name():
    assert reader_name(" <b>Åsa</b> ") == "<b>Åsa</b>"


def test_a_moved_head_is_another_desk(open_study, write):
    room, _ = open_study()
    desk = room.desks[0]
    other = replace(desk.labels.provenance, seed=99)
    labels = replace(desk.labels, provenance=other)
    room.store.record_labels(room.store.put_labels(labels))
    assert [d.key for d in room.refresh()] == [labels.digest]
    room.decide([write(desk.key, "accept", 1)])  # the old one still takes decisions
    assert room.desk(desk.key).key == desk.key
    room.store.set_head(desk.source.fingerprint, "spikes", desk.key, by="Ada")
    assert [d.key for d in room.refresh()] == [desk.key]


def test_classes_decided_in_review_reach_the_dossier(open_study, write):
    room, _ = open_study()
    desk = room.desks[0]
    group = uuid4()
    room.decide([write(desk.classes.digest, "relabel", 4, label="noise")])
    room.decide(
        [
            write(desk.key, "merge", 1, 2, group=group),
            write(desk.classes.digest, "reject", 2, group=group),
        ]
    )
    room.decide([write(desk.classes.digest, "relabel", 1, label="mua")])
    with room.reading(desk.key, "Ada") as reading:
        ids = reading.base.draft.values("id", reading.base.rows(3)).tolist()
    room.decide([write(desk.key, "split", 3, rows=[ids[:5]])])
    with room.reading(desk.key, "Ada") as reading:
        new = int(reading.items[-1])
    room.decide([write(desk.classes.digest, "add", rows=[{"target": new, "label": "noise"}])])
    with open_project(room.store.path) as project:
        dossier = project.dossier(desk.source.name, "spikes", draft=True)
    classes = dossier.classes[0]
    said = dict(
        zip(classes.column("target").tolist(), classes.column("label").tolist(), strict=True)
    )
    names = classes.vocabulary.names
    assert names[said[4]] == "noise"
    assert names[said[1]] == "mua"
    assert names[said[new]] == "noise"
    assert 3 not in said  # what is left of a split unit was not looked at again
    assert new in dossier.labels.items


def reproposed(desk, seed=5):
    """Other classes proposed for the same units by a newer model."""
    labels = proposed_classes(desk.labels, np.random.default_rng(seed))[1]
    provenance = replace(
        labels.provenance, author=Author("model", "curation/simulated", "2"), parameters={"use": 1}
    )
    return replace(labels, provenance=provenance)


def test_decisions_on_an_earlier_models_classes_hold_for_the_newer_ones(open_study, write):
    room, _ = open_study(n_units=6)
    old = room.desks[0]
    early = write(old.classes.digest, "relabel", 1, label="noise")
    room.decide([early])
    newer = reproposed(old)
    room.store.record_labels(room.store.put_labels(newer))
    (desk,) = room.refresh()
    assert desk.classes.digest == newer.digest
    claimed = {d: d.classes.column("label").tolist() for d in (old, desk)}
    other = next(i for i in range(6) if claimed[old][i] != claimed[desk][i])
    late = write(old.classes.digest, "accept", other)
    room.decide([late])
    again = room.decide([late, early])  # sent again by a browser that heard nothing
    assert again[0] == [late.uuid, early.uuid]
    with room.reading(desk.key, "Ada") as reading:
        assert reading.label(1) == "noise"
        assert reading.label(other) == old.vocabulary.names[claimed[old][other]]
        assert reading.state(other) == "changed"
    with pytest.raises(BadEditError, match="Reload"):
        room.decide([write(old.classes.digest, "undo", target=str(early.uuid))])
