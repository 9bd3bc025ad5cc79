"""After a re-run: decisions are found on the matched units; the rest are questions."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.labels import Kind, LabelSet
from nissl.review.queue import build
from nissl.review.rerun import carry_forward
from nissl.testing.studies import proposed_classes


@pytest.fixture
def rerun(open_study, write):
    """A reviewed run, and another one in which units have other ids and unit 4 is not found."""
    room, _ = open_study(n_units=6, duration_s=3.0)
    desk = room.desks[0]
    room.decide([write(desk.key, "merge", 1, 2)])
    room.decide([write(desk.classes.digest, "relabel", 3, label="noise")])
    room.decide([write(desk.classes.digest, "relabel", 4, label="mua")])
    table = desk.labels.table
    item = table.column("item").to_numpy()
    keep = np.flatnonzero(item != 4)
    columns = {
        "sample": table.column("sample").to_numpy()[keep] + 1,
        "item": 50 - item[keep],
        "amplitude": table.column("amplitude").to_numpy()[keep],
        "channel": table.column("channel").to_numpy()[keep],
    }
    provenance = replace(desk.labels.provenance, seed=7)
    labels = LabelSet.build(Kind.EVENTS, columns, desk.labels.vocabulary, provenance)
    new = room.store.put_labels(labels)
    room.store.record_labels(new)
    classes = proposed_classes(labels, np.random.default_rng(1))[1]
    room.store.record_labels(room.store.put_labels(classes))
    return room, desk, new


def test_decisions_are_carried_and_what_does_not_fit_is_asked(rerun):
    room, old, new = rerun
    carried = carry_forward(room.store, new)
    assert (carried.old, carried.new) == (old.key, new)
    assert (carried.edits, carried.questions) == (2, 1)
    room.refresh()
    with room.reading(new, "Ada") as reading:
        assert reading.items.tolist() == [45, 47, 48, 50]
        assert reading.label(47) == "noise"
    rows = room.store.questions(labels=new, policy="rerun")
    assert len(rows) == 1
    assert "relabel by Ada" in rows[0].body["reason"]
    assert rows[0].body["old_items"] == [4]
    assert [e.base for e in room.edits(base=old.key)] == [old.key]  # the old ones stay


def test_carrying_again_changes_nothing_and_later_decisions_follow(rerun, write):
    room, old, new = rerun
    carry_forward(room.store, new)
    n = len(room.store.edits())
    assert carry_forward(room.store, new) is None
    room.decide([write(old.classes.digest, "accept", 5)])
    assert carry_forward(room.store, new).edits == 3
    assert len(room.store.edits()) == n + 2
    assert build(room, "Ada", np.random.default_rng(0)).done >= 1


def test_a_first_run_has_nothing_to_carry(open_study):
    room, _ = open_study()
    assert carry_forward(room.store, room.desks[0].key) is None
