"""What people say of single points of tracks: replayed, undone, combined, carried to a re-run."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nissl.errors import BadEditError
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.labels.digest import digest_table
from nissl.labels.replay import (
    STATES,
    Live,
    adjudicated,
    by_reviewer,
    decided_rows,
    majority,
    rebase,
    replay,
)
from nissl.testing.strategies import journals, label_sets

quick = settings(deadline=None, max_examples=60)
CLASSES = ("neuron", "not neuron")


def tracks(n_frames=4, items=(1, 4, 7), shift=0.0):
    """Tracks with a point in every frame; row id = frame * 10 + item."""
    frame, item = np.meshgrid(np.arange(n_frames), items, indexing="ij")
    columns = {
        "id": (frame * 10 + item).ravel(),
        "item": item.ravel(),
        "frame": frame.ravel(),
        "x": (10.0 * item + frame).ravel() + shift,
        "y": np.full(frame.size, 5.0),
        "z": np.full(frame.size, 2.0),
        "visible": np.ones(frame.size, bool),
        "confidence": np.full(frame.size, 0.5),
    }
    provenance = Provenance("tracks", "f" * 64, Author("model", "m", str(shift)))
    return LabelSet.build(Kind.POINTS, columns, CLASSES, provenance)


class Pen:
    def __init__(self, labels, reviewer="ana"):
        self.labels, self.reviewer, self.edits = labels, reviewer, []

    def __call__(self, kind, *items, **payload):
        who, at = self.reviewer, float(len(self.edits))
        edit = Edit(uuid4(), EditKind(kind), self.labels.digest, items, who, at, payload)
        self.edits.append(edit)
        return edit


def said(reviewed):
    """State of each point of which something was said, by (item, frame)."""
    if reviewed.points is None:
        return {}
    columns = (reviewed.labels.column(name).tolist() for name in ("item", "frame"))
    states = [STATES[code] for code in reviewed.points]
    return {k: v for k, v in zip(zip(*columns, strict=True), states, strict=True) if v != STATES[0]}


def test_a_volume_is_right_and_its_tracks_stay_open():
    pen = Pen(labels := tracks())
    pen("accept", 1, 4, 7, frames=[2])
    pen("unsure", 4, rows=[14])
    reviewed = replay(labels, pen.edits)
    right = {(i, 2): "accepted" for i in (1, 4, 7)}
    assert said(reviewed) == right | {(4, 1): "unsure"}
    assert set(reviewed.state.values()) == {"untouched"}
    assert reviewed.decided == ()
    assert not reviewed.questions
    assert reviewed.labels.column("frame")[decided_rows(reviewed)].tolist() == [2, 2, 2]
    assert not decided_rows(replay(labels, [])).any()


def test_points_that_a_person_places_are_decided():
    pen = Pen(labels := tracks())
    pen("move", 4, row=14, x=41.5)
    pen("move", 7, row=7, visible=False)
    pen("remove", 1)
    pen("add", 4, rows=[{"frame": 9, "x": 1.0, "y": 2.0, "z": 3.0, "visible": True}])
    pen("accept", 4, 7, frames=[0, 1])
    reviewed = replay(labels, pen.edits)
    changed = {(4, 1): "changed", (7, 0): "changed", (4, 9): "added"}
    assert said(reviewed) == changed | {(4, 0): "accepted", (7, 1): "accepted"}
    assert reviewed.labels.column("item")[decided_rows(reviewed)].tolist() == [4, 7, 4, 7, 4]


def test_a_whole_track_is_right_until_it_is_doubted():
    pen = Pen(labels := tracks())
    pen("move", 1, row=11, x=0.0)
    pen("accept", 1)
    reviewed = replay(labels, pen.edits)
    assert said(reviewed) == {(1, f): "changed" if f == 1 else "accepted" for f in range(4)}
    pen("unsure", 1)
    assert said(replay(labels, pen.edits)) == {(1, 1): "changed"}


def test_a_swap_opens_what_it_gives_away_until_it_is_made_good():
    pen = Pen(labels := tracks())
    pen("accept", 1, 4, frames=[1, 3])
    pen("swap", 1, 4, **{"from": 2})
    here = {(1, 2): "changed", (4, 2): "changed"}
    assert said(replay(labels, pen.edits)) == here | {(1, 1): "accepted", (4, 1): "accepted"}
    pen("swap", 1, 4, **{"from": 3})
    assert said(replay(labels, pen.edits))[1, 3] == "changed"
    pen("undo", target=str(pen.edits[-1].uuid))
    pen("undo", target=str(pen.edits[1].uuid))
    assert said(replay(labels, pen.edits)) == {(i, f): "accepted" for i in (1, 4) for f in (1, 3)}


def test_claims_follow_merges_and_splits():
    pen = Pen(labels := tracks())
    pen("accept", 7, frames=[0])
    pen("split", 7, rows=[[7, 17]])
    pen("remove", 4)
    pen("merge", 1, 8)
    assert said(replay(labels, pen.edits)) == {(1, 0): "accepted"}


@pytest.mark.parametrize(
    ("items", "payload"),
    [
        ((1,), {"frames": [99]}),
        ((1,), {"frames": []}),
        ((1,), {"frames": [1.5]}),
        ((1,), {"frames": 1}),
        ((1, 99), {"frames": [1]}),
        ((1,), {"rows": [14]}),
        ((1,), {"rows": [11], "frames": [1]}),
        ((), {"frames": [1]}),
    ],
)
def test_points_that_are_not_there_are_a_question(items, payload):
    pen = Pen(labels := tracks())
    pen("accept", *items, **payload)
    reviewed = replay(labels, pen.edits)
    assert [q.edit for q in reviewed.questions] == pen.edits
    assert said(reviewed) == {}
    with pytest.raises(BadEditError):
        Live(labels, "ana").attempt(pen.edits)


def test_other_kinds_have_no_points():
    provenance = Provenance("spikes", "f" * 64, Author("model", "m", "1"))
    spikes = LabelSet.build(Kind.EVENTS, {"sample": [1, 2], "item": [0, 0]}, ("unit",), provenance)
    pen = Pen(spikes)
    pen("accept", 0, rows=[1])
    reviewed = replay(spikes, pen.edits)
    assert len(reviewed.questions) == 1
    assert reviewed.state == {0: "untouched"}
    assert reviewed.points is None


def test_readers_speak_together_where_the_rows_stand_as_they_left_them():
    labels = tracks()
    ana, ben = Pen(labels), Pen(labels, "ben")
    ana("accept", 1, 4, 7, frames=[0, 1])
    ben("move", 4, row=14, x=0.0)
    ben("unsure", 7, rows=[7])
    edits = ana.edits + ben.edits
    both = {(1, 0): "accepted", (1, 1): "accepted", (4, 0): "accepted", (7, 1): "accepted"}
    for rule in (majority, adjudicated):
        # ana's word on the point that ben moved is about another place
        found = said(replay(labels, edits, resolve=rule))
        assert found == both | {(4, 1): "changed", (7, 0): "unsure"}
    only = replay(labels, edits, resolve=by_reviewer("ben"))
    assert said(only) == {(4, 1): "changed", (7, 0): "unsure"}
    alone = said(replay(labels, ana.edits))
    assert alone == both | {(4, 1): "accepted", (7, 0): "accepted"}


def test_a_rerun_keeps_what_it_left_in_place():
    old, new = tracks(), tracks(shift=0.5)
    moved = new.column("x").copy()
    moved[(new.column("item") == 7) & (new.column("frame") == 1)] += 3
    columns = {name: new.column(name) for name in new.table.column_names if name != "probabilities"}
    columns |= {"x": moved, "id": new.column("id") + 1000, "item": new.column("item") + 100}
    new = LabelSet.build(Kind.POINTS, columns, CLASSES, new.provenance)
    pen = Pen(old)
    pen("swap", 1, 4, **{"from": 1})
    pen("add", 4, rows=[{"frame": 8, "x": 1.0, "y": 2.0, "z": 3.0, "visible": True}])
    pen("accept", 1, 4, 7, frames=[1, 3])
    pen("accept", 4, frames=[8])
    pen("unsure", 7, rows=[17])
    carried = rebase(pen.edits, old, new, {1: 101, 4: 104, 7: 107})
    assert [q.edit.kind for q in carried.questions] == ["accept", "unsure"]
    assert "1 of the 6 points" in carried.questions[0].reason
    reviewed = replay(new, carried.edits)
    assert not reviewed.questions
    before = {(i + 100, f): state for (i, f), state in said(replay(old, pen.edits)).items()}
    del before[107, 1]
    assert said(reviewed) == before


@st.composite
def points_and_journal(draw, reviewers=("ana",)):
    labels = draw(label_sets((Kind.POINTS,)))
    assume(labels.n_rows)
    return labels, draw(journals(labels, reviewers=reviewers, max_edits=12))


@quick
@given(points_and_journal())
def test_undoing_everything_leaves_nothing_said(case):
    labels, edits = case
    undos = [
        Edit(uuid4(), EditKind.UNDO, labels.digest, (), "ana", 0.0, {"target": str(e.uuid)})
        for e in edits
        if e.kind is not EditKind.UNDO
    ]
    assert replay(labels, edits + undos).points is None


@quick
@given(points_and_journal())
def test_claims_on_points_change_no_row_and_no_item(case):
    labels, edits = case
    # without those claims, and without what takes them back
    rowwise = {str(e.uuid) for e in edits if e.of_rows}
    for _ in edits:
        rowwise |= {str(e.uuid) for e in edits if e.payload.get("target") in rowwise}
    bare = [e for e in edits if str(e.uuid) not in rowwise]
    with_claims, without = replay(labels, edits), replay(labels, bare)
    assert with_claims.state == without.state
    assert with_claims.old_to_new == without.old_to_new
    assert digest_table(with_claims.labels.table) == digest_table(without.labels.table)


@quick
@given(points_and_journal())
def test_rebase_onto_the_same_points_says_the_same(case):
    labels, edits = case
    columns = [labels.column(name).tolist() for name in ("item", "frame", "keypoint")]
    assume(len(set(zip(*columns, strict=True))) == labels.n_rows)
    edits = [e for e in edits if e.kind not in (EditKind.SPLIT, EditKind.MOVE, EditKind.MERGE)]
    before = replay(labels, edits)
    carried = rebase(edits, labels, labels, {i: i for i in labels.items.tolist()})
    assume(not before.questions and not carried.questions)
    after = replay(labels, carried.edits)
    assert said(after) == said(before)


def test_a_volume_of_many_tracks_is_taken_back_at_once():
    labels = tracks(n_frames=300, items=tuple(range(1, 10)))
    live = Live(labels, "ana")
    pen = Pen(labels)
    for frame in range(50):
        edit = pen("accept", *range(1, 10), frames=[frame])
        live.attempt([edit])
        live.extend([edit])
    undo = pen("undo", target=str(edit.uuid))
    live.attempt([undo])
    live.extend([undo])
    rows = live.draft.rows_at(range(60), list(range(1, 10)))
    assert int(np.count_nonzero(live.said(rows))) == 49 * 9
    redo = replace(undo, uuid=uuid4(), payload={"target": str(undo.uuid)})
    live.attempt([redo])
    assert int(np.count_nonzero(live.said(rows))) == 50 * 9
