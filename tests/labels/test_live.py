"""Live replay: after every step it is what replaying the whole journal gives."""

from uuid import uuid4

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nissl.errors import BadEditError
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.labels.replay import Live, by_reviewer, replay
from nissl.testing.strategies import journals, label_sets

quick = settings(deadline=None, max_examples=80)


def summary(live):
    """State, class, rows and remarks of all items, for comparison."""
    draft = live.draft
    items = live.items.tolist()
    return {
        "items": items,
        "state": {i: live.state(i) for i in items},
        "rows": {i: sorted(draft.values("id", live.rows(i)).tolist()) for i in items},
        "label": {i: live.label(i) for i in items},
        "said": {i: said_of(live, i) for i in items},
        "notes": sorted((str(n.item), n.text, str(n.edit)) for n in live.notes),
    }


def said_of(live, item):
    rows = live.rows(item)
    return dict(zip(live.draft.values("id", rows).tolist(), live.said(rows).tolist(), strict=True))


def expected(labels, edits, name):
    # through the same function only where nobody decided; else by the whole replay
    reviewed = replay(labels, edits, resolve=by_reviewer(name))
    table = reviewed.labels
    items = table.items.tolist()
    points = np.zeros(table.n_rows, np.int8) if reviewed.points is None else reviewed.points
    ids = table.column("id")
    said = {i: {int(ids[r]): int(points[r]) for r in table.rows_of(i)} for i in items}
    return {
        "items": items,
        "state": {i: reviewed.state[i] for i in items},
        "rows": {i: sorted(table.column("id")[table.rows_of(i)].tolist()) for i in items},
        "said": said,
        "notes": sorted(
            (str(n.item), n.text, str(n.edit)) for n in reviewed.notes if n.reviewer == name
        ),
    }


@st.composite
def histories(draw):
    """A set, its edits, whose reading it is, and at which edits it is tried and forgotten."""
    labels = draw(label_sets(draw(st.sampled_from([tuple(Kind), (Kind.POINTS,)]))))
    edits = draw(journals(labels, reviewers=("ana", "ben"), max_edits=14))
    name = draw(st.sampled_from(sorted({e.reviewer for e in edits}) or ["ana"]))
    turns = [(draw(st.booleans()), draw(st.booleans())) for _ in edits]
    return labels, edits, name, turns


def of_tracks(*told):
    """A history of three tracks, with these edits."""
    provenance = Provenance("tracks", "f" * 64, Author("model", "m", "1"))
    columns = {"frame": np.arange(6), "x": np.zeros(6), "y": np.zeros(6), "item": [1, 4, 7] * 2}
    labels = LabelSet.build(
        Kind.POINTS, {**columns, "visible": np.ones(6, bool)}, ("cell",), provenance
    )
    edits = [make(labels, kind, *items, **payload) for kind, *items, payload in told]
    return labels, edits, "ana", [(True, False)] * len(edits)


def make(labels, kind, *items, group=None, **payload):
    return Edit(uuid4(), EditKind(kind), labels.digest, items, "ana", 1.0, payload, group=group)


@quick
@given(histories())
@example(of_tracks(("merge", 1, 4, {}), ("reject", 1, {})))
@example(of_tracks(("split", 1, {"rows": [[0], [3]]}), ("reject", 8, {}), ("remove", 9, {})))
def test_live_is_replay_after_every_step(history):
    labels, edits, name, turns = history
    live = Live(labels, name)
    for index, (edit, (tried, forgotten)) in enumerate(zip(edits, turns, strict=True)):
        if edit.reviewer == name and tried:
            try:
                live.attempt([edit])
            except BadEditError:
                pass
            else:
                if forgotten:
                    live.forget()
        live.extend([edit])
        assert summary(live) == summary(Live(labels, name, edits[: index + 1]))
    own = [e for e in edits if e.reviewer == name]
    if own and len({e.reviewer for e in edits}) == 1:
        told = summary(live)
        assert {k: told[k] for k in ("items", "state", "rows", "said", "notes")} == expected(
            labels, edits, name
        )


@pytest.fixture
def spikes():
    provenance = Provenance("spikes", "f" * 64, Author("model", "m", "1"))
    columns = {"sample": np.arange(12), "item": [1, 4, 7] * 4}
    return LabelSet.build(Kind.EVENTS, columns, ("unit", "mua"), provenance)


def test_undo_and_redo_of_decisions_do_not_replay_everything(spikes, monkeypatch):
    live = Live(spikes, "ana")
    for item in (1, 4, 7):
        live.attempt([accept := make(spikes, "accept", item)])
        live.extend([accept])
    monkeypatch.setattr(live, "_play", None)  # would fail if it were called
    undo = make(spikes, "undo", target=str(accept.uuid))
    live.attempt([undo])
    live.extend([undo])
    assert [live.state(i) for i in (1, 4, 7)] == ["accepted", "accepted", "untouched"]
    redo = make(spikes, "undo", target=str(undo.uuid))
    live.attempt([redo])
    live.extend([redo])
    assert live.state(7) == "accepted"


def test_a_refused_edit_changes_nothing_and_a_group_goes_whole(spikes):
    live = Live(spikes, "ana")
    merge = make(spikes, "merge", 1, 4)
    with pytest.raises(BadEditError, match="99"):
        live.attempt([merge, make(spikes, "accept", 99)])
    assert live.items.tolist() == [1, 4, 7]
    live.attempt([merge])
    assert live.items.tolist() == [1, 7]
    live.forget()
    assert live.items.tolist() == [1, 4, 7]


def test_another_process_was_first_and_ids_follow_the_journal(spikes):
    live = Live(spikes, "ana")
    mine = make(spikes, "split", 1, rows=[[0, 3]])
    live.attempt([mine])
    assert live.items.tolist() == [1, 4, 7, 8]
    other = Edit(uuid4(), EditKind.SPLIT, spikes.digest, (4,), "ben", 1.0, {"rows": [[1], [4]]})
    live.extend([other, mine])  # the other came between: its two items have 8 and 9
    assert live.items.tolist() == [1, 4, 7, 10]
    assert sorted(live.draft.values("sample", live.rows(10)).tolist()) == [0, 3]


def test_an_edit_on_another_set_or_by_another_reader_is_refused(spikes):
    live = Live(spikes, "ben")
    with pytest.raises(BadEditError, match="ben"):
        live.attempt([make(spikes, "accept", 1)])
