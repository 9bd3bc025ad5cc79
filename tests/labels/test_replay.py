"""Replaying edits: each kind by hand, then the laws that hold for any journal."""

from uuid import UUID, uuid4

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, BadEditError
from nissl.labels import Author, Edit, EditKind, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.replay import (
    Live,
    adjudicated,
    by_reviewer,
    majority,
    rebase,
    replay,
    retarget,
    single,
)
from nissl.testing.strategies import journals, label_sets

quick = settings(deadline=None, max_examples=60)


def build(kind, vocabulary=("unit", "mua"), **columns):
    provenance = Provenance("task", "f" * 64, Author("model", "m", "1"), stream="ap")
    return LabelSet.build(kind, columns, vocabulary, provenance)


@pytest.fixture
def spikes():
    """Units 1, 4 and 7 with samples 0..8 in turn; row ids equal the samples."""
    return build(
        Kind.EVENTS, sample=np.arange(9), item=[1, 4, 7] * 3, confidence=np.full(9, 0.5, "f4")
    )


class Pen:
    """Writes edits of one reviewer on one base."""

    def __init__(self, labels, reviewer="ana", role="reader"):
        self.labels, self.reviewer, self.role = labels, reviewer, role
        self.edits = []

    def __call__(self, kind, *items, group=None, **payload):
        edit = Edit(
            uuid4(),
            EditKind(kind),
            self.labels.digest,
            items,
            self.reviewer,
            float(len(self.edits)),
            payload,
            group=group,
            role=self.role,
        )
        self.edits.append(edit)
        return edit


def grouping(labels):
    """Rows of each item, as sorted ids."""
    return {i: sorted(labels.column("id")[labels.rows_of(i)].tolist()) for i in labels.items}


def test_no_edits_give_the_base_itself(spikes):
    reviewed = replay(spikes, [])
    assert reviewed.labels is spikes
    assert reviewed.state == {1: "untouched", 4: "untouched", 7: "untouched"}
    assert reviewed.decided == ()


def test_decisions_on_items(spikes):
    pen = Pen(spikes)
    pen("accept", 1)
    pen("unsure", 4)
    pen("relabel", 7, label="mua")
    reviewed = replay(spikes, pen.edits)
    assert reviewed.state == {1: "accepted", 4: "unsure", 7: "changed"}
    assert reviewed.reviewer == dict.fromkeys((1, 4, 7), ("ana",))
    assert set(reviewed.labels.column("label")[reviewed.labels.rows_of(7)]) == {1}
    assert set(reviewed.labels.column("confidence")) == {0.5}
    assert reviewed.labels.provenance.author == Author("person", "ana")
    assert reviewed.labels.provenance.made_from == (spikes.digest,)
    assert reviewed.labels.provenance.parameters["edits"]["n"] == 3
    assert reviewed.labels.provenance.stream == "ap"
    assert spikes.column("label").max() == 0


def test_relabel_to_the_same_class_accepts_it(spikes):
    pen = Pen(spikes)
    pen("unsure", 1)
    pen("relabel", 1, label="unit")
    assert replay(spikes, pen.edits).state[1] == "accepted"


def test_doubt_about_an_item_ends_with_its_merge(spikes):
    pen = Pen(spikes)
    pen("unsure", 4)
    pen("merge", 1, 4)
    for rule in (None, majority):
        assert grouping(replay(spikes, pen.edits, resolve=rule).labels) == {
            1: [0, 1, 3, 4, 6, 7],
            7: [2, 5, 8],
        }


@pytest.mark.parametrize("kind", ["reject", "remove"])
def test_rejected_items_are_gone(spikes, kind):
    pen = Pen(spikes)
    pen(kind, 4)
    pen("accept", 4)
    reviewed = replay(spikes, pen.edits)
    assert reviewed.labels.items.tolist() == [1, 7]
    assert reviewed.state[4] == "removed"
    assert reviewed.old_to_new == {1: (1,), 4: None, 7: (7,)}
    (question,) = reviewed.questions
    assert question.edit is pen.edits[1]
    assert "was removed by ana" in question.reason


def test_what_was_merged_goes_with_the_unit_that_is_rejected(spikes):
    pen = Pen(spikes)
    pen("merge", 1, 4)
    pen("reject", 1)
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == {7: [2, 5, 8]}
    assert reviewed.state == {1: "removed", 4: "removed", 7: "untouched"}
    assert reviewed.old_to_new == {1: None, 4: None, 7: (7,)}
    assert reviewed.reviewer == {1: ("ana",), 4: ("ana",)}
    ben = Pen(spikes, "ben")
    ben("accept", 4)  # says of unit 4 what does not go with ana's
    kept = replay(spikes, pen.edits + ben.edits, resolve=by_reviewer("ben"))
    assert kept.labels.items.tolist() == [1, 4, 7]


def test_a_unit_of_which_all_parts_are_rejected_is_gone(spikes):
    pen = Pen(spikes)
    pen("split", 1, rows=[[0, 3], [6]])
    pen("reject", 8)
    assert grouping(replay(spikes, pen.edits).labels) == {4: [1, 4, 7], 7: [2, 5, 8], 9: [6]}
    pen("reject", 9)
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == {4: [1, 4, 7], 7: [2, 5, 8]}
    assert reviewed.old_to_new[1] is None


def test_regions_that_were_merged_and_then_rejected_are_gone():
    regions = build(Kind.REGIONS, pixels=[[1, 2], [2, 3], [9]])
    pen = Pen(regions)
    pen("merge", 0, 1)
    pen("reject", 0)
    assert replay(regions, pen.edits).labels.items.tolist() == [2]


def test_merge_takes_the_lowest_id(spikes):
    pen = Pen(spikes)
    pen("note", 7, text="looks like 4")
    pen("merge", 7, 4)
    pen("accept", 7)
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == {1: [0, 3, 6], 4: [1, 2, 4, 5, 7, 8]}
    assert reviewed.old_to_new == {1: (1,), 4: (4,), 7: (4,)}
    assert reviewed.state == {1: "untouched", 4: "changed"}
    assert [n.item for n in reviewed.notes] == [4]
    assert "merged into 4" in reviewed.questions[0].reason


def test_split_makes_new_items_and_keeps_the_rest(spikes):
    pen = Pen(spikes)
    pen("flag", 1, text="two shapes")
    pen("split", 1, rows=[[0], [6]])
    pen("relabel", 9, label="mua")
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == {1: [3], 4: [1, 4, 7], 7: [2, 5, 8], 8: [0], 9: [6]}
    assert reviewed.old_to_new[1] == (1, 8, 9)
    assert reviewed.state[9] == "changed"
    assert sorted(f.item for f in reviewed.flags) == [1, 8, 9]
    assert reviewed.questions == ()


def test_split_of_all_rows_retires_the_item(spikes):
    pen = Pen(spikes)
    pen("split", 1, rows=[[0, 3], [6]])
    pen("accept", 1)
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == {4: [1, 4, 7], 7: [2, 5, 8], 8: [0, 3], 9: [6]}
    assert reviewed.old_to_new[1] == (8, 9)
    assert "was split" in reviewed.questions[0].reason


@pytest.mark.parametrize(
    "rows", [[], [[]], [[0, 3, 6]], [[0], [0]], [[1]], [[99]], ["ab"], [[True]], 3, [0]]
)
def test_splits_that_are_no_splits_are_questions(spikes, rows):
    pen = Pen(spikes)
    pen("split", 1, rows=rows)
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == grouping(spikes)
    assert [q.edit for q in reviewed.questions] == pen.edits
    assert reviewed.state[1] == "untouched"


def test_swap_exchanges_identity_from_there_on(spikes):
    pen = Pen(spikes)
    pen("swap", 1, 4, **{"from": 3})
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == {1: [0, 4, 7], 4: [1, 3, 6], 7: [2, 5, 8]}
    assert reviewed.old_to_new[1] == (1, 4)


def test_add_rows_to_a_unit_and_as_a_new_one(spikes):
    pen = Pen(spikes)
    pen("relabel", 4, label="mua")
    pen("add", 4, rows=[{"sample": 20}])
    pen("add", rows=[{"sample": 30, "label": "mua"}, {"sample": 1}])
    reviewed = replay(spikes, pen.edits)
    labels = reviewed.labels
    assert grouping(labels) == {1: [0, 3, 6], 4: [1, 4, 7, 9], 7: [2, 5, 8], 8: [10, 11]}
    assert reviewed.state[8] == "added"
    assert labels.column("sample")[labels.rows_of(8)].tolist() == [1, 30]
    assert labels.column("label")[labels.rows_of(4)].tolist() == [1, 1, 1, 1]
    assert labels.column("label")[labels.rows_of(8)].tolist() == [0, 1]


@pytest.mark.parametrize(
    "rows", [[{}], [{"sample": -1}], [{"sample": "x"}], [{"sample": 1, "label": "no"}], [3], [], 5]
)
def test_bad_rows_are_a_question(spikes, rows):
    pen = Pen(spikes)
    pen("add", rows=rows)
    reviewed = replay(spikes, pen.edits)
    assert grouping(reviewed.labels) == grouping(spikes)
    assert len(reviewed.questions) == 1


def test_rows_added_to_a_set_with_places_may_have_none():
    labels = build(Kind.EVENTS, sample=[1, 2], item=[0, 0], x_um=[5.0, 6.0], y_um=[7.0, 8.0])
    pen = Pen(labels)
    pen("add", 0, rows=[{"sample": 3, "y_um": 9.0}, {"sample": 4}])
    found = replay(labels, pen.edits).labels
    np.testing.assert_array_equal(found.column("x_um"), [5, 6, np.nan, np.nan])
    np.testing.assert_array_equal(found.column("y_um"), [7, 8, 9, np.nan])


def test_ids_do_not_shift_when_an_earlier_addition_is_undone(spikes):
    pen = Pen(spikes)
    first = pen("add", rows=[{"sample": 20}])
    pen("add", rows=[{"sample": 30}])
    before = grouping(replay(spikes, pen.edits).labels)
    pen("undo", target=str(first.uuid))
    after = grouping(replay(spikes, pen.edits).labels)
    assert before[9] == after[9] == [10]
    assert 8 in before
    assert 8 not in after


def test_spans_move_and_add():
    spans = build(Kind.SPANS, start=[0, 10], stop=[5, 20])
    pen = Pen(spans)
    pen("move", 0, start=12, stop=30)
    pen("move", 1, stop=10)
    pen("add", rows=[{"start": 40, "stop": 41}, {"start": 50, "stop": 60}])
    reviewed = replay(spans, pen.edits)
    rows = [reviewed.labels.column(c).tolist() for c in ("item", "start", "stop")]
    assert rows == [[1, 0, 2, 3], [10, 12, 40, 50], [20, 30, 41, 60]]
    assert reviewed.state == {0: "changed", 1: "untouched", 2: "added", 3: "added"}
    assert [q.edit for q in reviewed.questions] == [pen.edits[1]]


def test_points_move_one_row_of_a_track():
    points = build(
        Kind.POINTS, frame=[0, 1], item=[5, 5], x=[1.0, 2.0], y=[3.0, 4.0], visible=[True, True]
    )
    pen = Pen(points)
    pen("move", 5, x=9.5)
    pen("move", 5, row=1, x=9.5)
    pen("move", 5, row=1, x=1e300)
    reviewed = replay(points, pen.edits)
    assert reviewed.labels.column("x").tolist() == [1.0, 9.5]
    assert [q.edit for q in reviewed.questions] == [pen.edits[0], pen.edits[2]]


def test_regions_are_reshaped():
    regions = build(Kind.REGIONS, pixels=[[1, 2], [3]], weights=[[0.5, 1.0], None])
    pen = Pen(regions)
    pen("reshape", 0, pixels=[7, 8, 9])
    pen("reshape", 1, pixels=[4, 4])
    pen("reshape", 1, pixels=[4], weights=[2.0])
    reviewed = replay(regions, pen.edits)
    assert reviewed.labels.table.column("pixels").to_pylist() == [[7, 8, 9], [4]]
    assert reviewed.labels.table.column("weights").to_pylist() == [None, [2.0]]
    assert len(reviewed.questions) == 1


def test_merged_regions_are_one_row_of_all_their_pixels():
    pixels, weights = [[1, 2], [2, 5], [9], [4]], [[0.5, 1.0], [2.0, 0.25], None, None]
    regions = build(Kind.REGIONS, pixels=pixels, weights=weights)
    pen = Pen(regions)
    pen("merge", 0, 1)
    pen("merge", 0, 2)
    pen("merge", 0, 3)
    pen("undo", target=str(pen.edits[-1].uuid))
    pen("reshape", 0, pixels=[1, 2, 3])
    live = Live(regions, "ana", pen.edits[:2])
    assert live.rows(0).size == 1
    assert live.draft.columns_at(live.rows(0)).to_pylist()[0]["pixels"] == [1, 2, 5, 9]
    weights = replay(regions, pen.edits[:2]).labels.table.column("weights").to_pylist()
    assert weights == [[0.5, 2.0, 0.25, 1.0], None]
    reviewed = replay(regions, pen.edits)
    assert reviewed.labels.table.column("pixels").to_pylist() == [[1, 2, 3], [4]]
    assert reviewed.old_to_new == {0: (0,), 1: (0,), 2: (0,), 3: (3,)}
    assert reviewed.state == {0: "changed", 3: "untouched"}
    assert not reviewed.questions


def test_merged_spans_lose_their_probabilities_and_no_others_do():
    columns = {"start": [0, 5, 9], "stop": [1, 6, 10], "probabilities": np.full((3, 2), 0.5)}
    spans = build(Kind.SPANS, **columns)
    pen = Pen(spans)
    pen("merge", 0, 1)
    table = replay(spans, pen.edits).labels.table
    assert table.column("item").to_pylist() == [0, 0, 2]
    assert table.column("probabilities").to_pylist() == [None, None, [0.5, 0.5]]


def test_merged_regions_keep_a_row_for_every_frame():
    columns = {"item": [0, 0, 1, 1], "frame": [0, 1, 1, 2], "pixels": [[1], [2], [3], [4]]}
    regions = build(Kind.REGIONS, **columns)
    pen = Pen(regions)
    pen("merge", 1, 0)
    table = replay(regions, pen.edits).labels.table
    assert table.column("frame").to_pylist() == [0, 1, 2]
    assert table.column("pixels").to_pylist() == [[1], [2, 3], [4]]
    assert table.column("weights").to_pylist() == [None] * 3


def test_links_notes_and_flags(spikes):
    pen = Pen(spikes)
    pen("link", 1, to=["a" * 64, 12])
    pen("note", text="about all")
    pen("link", 1, to="x")
    pen("note", 1)
    reviewed = replay(spikes, pen.edits)
    assert [(k.item, k.digest, k.to) for k in reviewed.links] == [(1, "a" * 64, 12)]
    assert [(n.item, n.text, n.reviewer) for n in reviewed.notes] == [(None, "about all", "ana")]
    assert len(reviewed.questions) == 2
    assert reviewed.decided == ()


@pytest.mark.parametrize(
    ("kind", "items", "payload"),
    [
        ("accept", (), {}),
        ("accept", (1, 99), {}),
        ("merge", (1,), {}),
        ("merge", (1, 1), {}),
        ("relabel", (1,), {"label": "sleep"}),
        ("relabel", (1,), {}),
        ("move", (1,), {"sample": 3}),
        ("move", (1,), {"row": 0, "frame": 3}),
        ("move", (1,), {"row": 0, "sample": -3}),
        ("move", (1,), {"row": 0, "sample": 2.5}),
        ("move", (1,), {"row": 0, "sample": 2**70}),
        ("reshape", (1,), {"pixels": [1]}),
        ("swap", (1, 4), {"from": 100}),
        ("swap", (1, 4), {}),
        ("undo", (), {"target": str(UUID(int=9))}),
        ("undo", (), {}),
    ],
)
def test_what_cannot_be_applied_is_a_question_and_changes_nothing(spikes, kind, items, payload):
    pen = Pen(spikes)
    pen(kind, *items, **payload)
    reviewed = replay(spikes, pen.edits)
    assert reviewed.labels.table.equals(spikes.table)
    assert set(reviewed.state.values()) == {"untouched"}
    assert [q.edit for q in reviewed.questions] == pen.edits
    assert reviewed.questions[0].reason.startswith(("Expected", "it takes back"))


def test_undo_of_an_undo_does_it_again(spikes):
    pen = Pen(spikes)
    merge = pen("merge", 1, 4)
    undo = pen("undo", target=str(merge.uuid))
    assert replay(spikes, pen.edits).labels.items.tolist() == [1, 4, 7]
    pen("undo", target=str(undo.uuid))
    assert replay(spikes, pen.edits).labels.items.tolist() == [1, 7]


def test_undo_of_a_group(spikes):
    pen = Pen(spikes)
    group = uuid4()
    pen("merge", 1, 4, group=group)
    pen("remove", 7, group=group)
    pen("undo", target=str(group))
    reviewed = replay(spikes, pen.edits)
    assert reviewed.labels.table.equals(spikes.table)
    assert reviewed.questions == ()


def test_nobody_undoes_another_reviewer(spikes):
    ana, ben = Pen(spikes), Pen(spikes, "ben")
    merge = ana("merge", 1, 4)
    ben("undo", target=str(merge.uuid))
    reviewed = replay(spikes, ana.edits + ben.edits)
    assert reviewed.labels.items.tolist() == [1, 7]
    assert [q.edit for q in reviewed.questions] == ben.edits


def test_edits_of_another_set_are_refused(spikes):
    pen = Pen(build(Kind.EVENTS, sample=[1]))
    pen("accept", 0)
    with pytest.raises(BadEditError, match="rebase"):
        replay(spikes, pen.edits)


def test_several_reviewers_need_a_rule(spikes):
    ana, ben = Pen(spikes), Pen(spikes, "ben")
    ana("accept", 1)
    ben("note", 1, text="fine")
    assert replay(spikes, ana.edits + ben.edits).state[1] == "accepted"
    ben("remove", 1)
    with pytest.raises(BadEditError, match="majority"):
        replay(spikes, ana.edits + ben.edits)
    with pytest.raises(BadEditError, match="one reviewer each"):
        replay(spikes, ana.edits + ben.edits, resolve=single)


def test_majority_and_its_tie(spikes):
    pens = [Pen(spikes, name) for name in ("ana", "ben", "eva")]
    for pen in pens[:2]:
        pen("merge", 1, 4)
        pen("accept", 7)
    pens[2]("remove", 1)
    pens[2]("relabel", 7, label="mua")
    edits = [e for pen in pens for e in pen.edits]
    reviewed = replay(spikes, edits, resolve=majority)
    assert grouping(reviewed.labels) == {1: [0, 1, 3, 4, 6, 7], 7: [2, 5, 8]}
    assert reviewed.reviewer == {1: ("ana", "ben"), 7: ("ana", "ben")}
    assert reviewed.labels.provenance.parameters["resolve"] == "majority"
    tie = replay(spikes, pens[1].edits + pens[2].edits, resolve=majority)
    assert tie.labels.items.tolist() == [1, 4, 7]
    assert tie.state == {1: "unsure", 4: "unsure", 7: "unsure"}
    assert {q.items for q in tie.questions} == {(1, 4), (7,)}


def test_adjudicator_has_the_last_word(spikes):
    ana, ben, eva = Pen(spikes), Pen(spikes, "ben"), Pen(spikes, "eva", role="adjudicator")
    ana("relabel", 1, label="mua")
    ben("accept", 1)
    edits = ana.edits + ben.edits
    assert replay(spikes, edits, resolve=adjudicated).state[1] == "unsure"
    eva("adjudicate", 1, label="mua")
    reviewed = replay(spikes, edits + eva.edits, resolve=adjudicated)
    assert reviewed.state[1] == "changed"
    assert reviewed.reviewer[1] == ("ana", "eva")


def test_one_reviewer_chosen_by_name(spikes):
    ana, ben = Pen(spikes), Pen(spikes, "ben")
    ana("remove", 1)
    ben("merge", 4, 7)
    reviewed = replay(spikes, ana.edits + ben.edits, resolve=by_reviewer("ana"))
    assert reviewed.labels.items.tolist() == [4, 7]
    assert reviewed.questions[0].items == (4, 7)
    assert reviewed.labels.provenance.parameters["resolve"] == "by_reviewer('ana')"


def test_the_same_addition_by_two_is_one():
    spans = build(Kind.SPANS, start=[0], stop=[5])
    ana, ben = Pen(spans), Pen(spans, "ben")
    ana("add", rows=[{"start": 7, "stop": 9}])
    ben("add", rows=[{"start": 7, "stop": 9}])
    reviewed = replay(spans, ana.edits + ben.edits, resolve=majority)
    assert reviewed.labels.column("start").tolist() == [0, 7]
    assert reviewed.reviewer == {1: ("ana", "ben")}


def test_facts_of_unchanged_items_are_handed_on(spikes):
    items = ItemTable(
        spikes.digest,
        pa.table({"item": pa.array([1, 4, 7], pa.int64()), "snr": [1.0, 2.0, 3.0]}),
        {"snr": ""},
        {"acg": np.arange(6.0).reshape(3, 2)},
    )
    pen = Pen(spikes)
    pen("split", 1, rows=[[0]])
    pen("relabel", 7, label="mua")
    reviewed = replay(spikes, pen.edits, items=items)
    assert reviewed.items.of == reviewed.labels.digest
    assert reviewed.items.items.tolist() == [4, 7]
    assert reviewed.items.arrays["acg"].tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_merging_drops_probabilities_of_single_rows():
    spans = build(
        Kind.SPANS, start=[0, 9], stop=[5, 12], probabilities=np.array([[0.25, 0.75], [0.5, 0.5]])
    )
    pen = Pen(spans)
    pen("merge", 0, 1)
    assert replay(spans, pen.edits).labels.table.column("probabilities").null_count == 2


@st.composite
def base_and_journal(draw, reviewers=("ana",)):
    labels = draw(label_sets())
    assume(labels.n_rows)
    return labels, draw(journals(labels, reviewers=reviewers))


@quick
@given(base_and_journal())
def test_replay_is_deterministic_and_leaves_the_base_alone(case):
    labels, edits = case
    before = labels.table.to_pydict() if labels.kind is Kind.REGIONS else labels.digest
    a, b = replay(labels, edits), replay(labels, edits)
    assert a.labels.digest == b.labels.digest
    assert (a.state, a.old_to_new, a.questions) == (b.state, b.old_to_new, b.questions)
    after = labels.table.to_pydict() if labels.kind is Kind.REGIONS else labels.digest
    assert str(before) == str(after)


@quick
@given(base_and_journal(), st.randoms(use_true_random=False))
def test_duplicates_do_nothing_twice(case, random):
    labels, edits = case
    again = list(edits)
    for edit in edits:
        if random.random() < 0.5:
            again.insert(random.randint(again.index(edit) + 1, len(again)), edit)
    assert replay(labels, again).labels.digest == replay(labels, edits).labels.digest


@quick
@given(base_and_journal())
def test_undoing_everything_restores_all_rows(case):
    labels, edits = case
    undos = [
        Edit(UUID(int=1000 + i), EditKind.UNDO, labels.digest, (), "ana", 0.0, {"target": str(e)})
        for i, e in enumerate(x.uuid for x in edits if x.kind is not EditKind.UNDO)
    ]
    # what undos of the journal took back stays taken back: these target each edit itself
    reviewed = replay(labels, edits + undos)
    assert rows_of(reviewed.labels) == rows_of(labels)
    assert reviewed.old_to_new == {i: (i,) for i in labels.items.tolist()}
    assert set(reviewed.state.values()) == {"untouched"}


def rows_of(labels):
    return str(sorted(labels.table.to_pylist(), key=lambda row: row["id"]))


@quick
@given(base_and_journal())
def test_no_row_is_lost_or_doubled(case):
    labels, edits = case
    reviewed = replay(labels, edits)
    new = reviewed.labels
    assert np.unique(new.column("id")).size == new.n_rows
    survivors = dict(zip(new.column("id").tolist(), new.column("item").tolist(), strict=True))
    for item, images in reviewed.old_to_new.items():
        ids = labels.column("id")[labels.rows_of(item)].tolist()
        found = {survivors[i] for i in ids if i in survivors}
        assert found == set(images or ())
        if images is not None:
            assert all(i in survivors for i in ids)
    removed = {i for i, state in reviewed.state.items() if state == "removed"}
    assert removed == {i for i, images in reviewed.old_to_new.items() if images is None}
    assert set(reviewed.state) == set(new.items.tolist()) | removed
    assert set(reviewed.reviewer) == set(reviewed.decided)


@quick
@given(base_and_journal(), base_and_journal(reviewers=("ana", "ben", "eva")))
def test_a_rule_over_one_reviewer_is_that_reviewer(case, several):
    labels, edits = case
    alone, ruled = (replay(labels, edits, resolve=r) for r in (None, majority))
    unsure = {i for i, s in alone.state.items() if s == "unsure"}
    assert unsure <= {i for i, s in ruled.state.items() if s == "unsure"}
    if not unsure:
        assert rows_of(alone.labels) == rows_of(ruled.labels)
    labels, edits = several
    for rule in (majority, adjudicated, by_reviewer("ana")):
        result = replay(labels, edits, resolve=rule)
        assert np.unique(result.labels.column("id")).size == result.labels.n_rows
        assert replay(labels, edits, resolve=rule).labels.digest == result.labels.digest
    own = [e for e in edits if e.reviewer == "ana"]
    # ids of new items are reserved over all readers, so only who is together must agree
    both = (replay(labels, edits, resolve=by_reviewer("ana")), replay(labels, own))
    assert sorted(grouping(both[0].labels).values()) == sorted(grouping(both[1].labels).values())


def rerun(spikes):
    """The same spikes a sample later, units numbered 10, 11, 12, one more unit."""
    sample, item = spikes.column("sample"), spikes.column("item")
    return build(
        Kind.EVENTS,
        sample=[*(sample + 1), 99],
        item=[*np.searchsorted([1, 4, 7], item) + 10, 13],
        id=np.arange(100, 110),
    )


def test_rebase_carries_what_fits_and_asks_about_the_rest(spikes):
    new = rerun(spikes)
    pen = Pen(spikes)
    undone = pen("remove", 4)
    pen("undo", target=str(undone.uuid))
    pen("split", 1, rows=[[0, 3]])
    pen("relabel", 8, label="mua")
    pen("merge", 1, 4)
    pen("accept", 7)
    carried = rebase(pen.edits, spikes, new, {1: 10, 4: 11}, tolerance=1)
    assert [q.edit for q in carried.questions] == [pen.edits[-1]]
    assert [e.parent for e in carried.edits] == [e.uuid for e in pen.edits[2:5]]
    reviewed = replay(new, carried.edits)
    assert reviewed.questions == ()
    assert grouping(reviewed.labels) == {
        10: [101, 104, 106, 107],
        12: [102, 105, 108],
        13: [109],
        14: [100, 103],
    }
    assert reviewed.labels.column("label")[reviewed.labels.rows_of(14)].tolist() == [1, 1]
    assert rebase(pen.edits, spikes, new, {1: 10, 4: 11}, tolerance=1) == carried
    exact = rebase(pen.edits, spikes, new, {1: 10, 4: 11})
    assert pen.edits[2] in [q.edit for q in exact.questions]


def test_an_acceptance_does_not_carry_to_another_class(spikes):
    new = build(Kind.EVENTS, sample=[1, 2], item=[0, 1], label=[0, 1])
    pen = Pen(spikes)
    pen("accept", 1)
    pen("accept", 4)
    carried = rebase(pen.edits, spikes, new, {1: 0, 4: 1})
    assert [e.items for e in carried.edits] == [(0,)]
    assert "another class" in carried.questions[0].reason


def test_rebase_refuses_a_matching_of_several_to_one(spikes):
    with pytest.raises(BadArgumentError):
        rebase([], spikes, spikes, {1: 1, 4: 1})


@quick
@given(base_and_journal())
def test_rebase_onto_the_same_set_says_the_same(case):
    labels, edits = case
    carried = rebase(edits, labels, labels, {i: i for i in labels.items.tolist()})
    fits = [q for q in replay(labels, edits).questions if q.edit.kind is not EditKind.UNDO]
    assume(not fits and not carried.questions)
    assume(labels.kind is not Kind.EVENTS or np.unique(labels.column("sample")).size == len(labels))
    assume(labels.kind is not Kind.POINTS)
    assert rows_of(replay(labels, carried.edits).labels) == rows_of(replay(labels, edits).labels)


def test_classes_follow_their_units(spikes):
    classes = LabelSet.build(
        Kind.CLASSES,
        {"target": [1, 4, 7], "label": [0, 1, 0]},
        ("good", "mua"),
        Provenance("curation", "", Author("person", "eva"), targets=(spikes.digest,)),
    )
    pen = Pen(spikes)
    pen("merge", 1, 7)
    pen("remove", 4)
    reviewed = replay(spikes, pen.edits)
    moved, questions = retarget(classes, reviewed)
    assert moved.column("target").tolist() == [1]
    assert moved.provenance.targets == (reviewed.labels.digest,)
    assert [q.items for q in questions] == [(4,)]
    pen("undo", target=str(pen.edits[1].uuid))
    pen("merge", 1, 4)
    moved, questions = retarget(classes, replay(spikes, pen.edits))
    assert moved.n_rows == 0
    assert "different classes" in questions[0].reason
    with pytest.raises(BadArgumentError):
        retarget(spikes, reviewed)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 2**66)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["x", ""])
)
ODD = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sample", "start", "stop", "pixels", "x", "a"]), inner)
    ),
    max_leaves=6,
)
FIELDS = (
    "label", "rows", "row", "from", "to", "text", "target",
    "pixels", "weights", "sample", "start", "stop", "channel", "x", "y",
)  # fmt: skip
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=4)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_payload_breaks_a_replay(data):
    labels = data.draw(label_sets(max_rows=4))
    pen = Pen(labels)
    items = st.lists(st.sampled_from(labels.items.tolist() or [0]) | st.integers(0, 9), max_size=2)
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(list(EditKind)))
        pen(kind, *data.draw(items), **data.draw(PAYLOADS))
    reviewed = replay(labels, pen.edits)
    done = {q.edit.uuid for q in reviewed.questions}
    assert len(done) <= len(pen.edits)
    if len(done) == len(pen.edits):
        assert rows_of(reviewed.labels) == rows_of(labels)
