"""Advice on stopping is made of what the journal holds, and of nothing that knew the answers."""

from itertools import pairwise

import numpy as np
import pytest

from nissl.review.advice import _asked, _history, _updates, advice
from nissl.review.auditing import choose_budget
from nissl.review.decided import benches
from nissl.review.loop import carry
from nissl.review.progress import decided
from nissl.review.queue import build
from nissl.testing.studies import proposed_classes


def read(room, truth, n, write, reader="Ada"):
    """Answer `n` questions of a policy as the truth is; returns what the method said before."""
    said = []
    rng = np.random.default_rng(n)
    while len(said) < n:
        entry = next(e for e in build(room, reader, rng, limit=20).entries if e.probability)
        desk = room.desk(entry.desk)
        right = truth[entry.item]
        kind = "accept" if right == entry.proposed else "relabel"
        payload = {} if kind == "accept" else {"label": right}
        row = {unit: item for item, unit in desk.targets.items()}[entry.item]
        room.decide(
            [write(desk.bases[-1], kind, row, reader=reader, **payload)], question=entry.question
        )
        said.append((entry.confidence, kind == "relabel", entry.probability))
    return said


@pytest.fixture
def study(open_study):
    room, truth = open_study(n_units=60, duration_s=5.0)
    (desk,) = room.desks
    return room, dict(zip(desk.item_ids.tolist(), truth[desk.key], strict=True))


def test_each_answer_is_a_test_of_what_was_proposed_before_it(study, write):
    room, truth = study
    said = read(room, truth, 12, write)
    asked = _asked(room, _history(room, room.desks))
    assert asked.confidence == pytest.approx([c for c, _, _ in said])
    assert asked.wrong.tolist() == [w for _, w, _ in said]
    assert asked.probability == pytest.approx([p for _, _, p in said])
    last = room.edits()[-1]
    room.decide([write(last.base, "undo", target=str(last.uuid))])
    assert len(_asked(room, _history(room, room.desks)).wrong) == 11, "what is undone tests nothing"


def test_advice_speaks_of_what_is_left_and_keeps_to_the_budget(study, write):
    room, truth = study
    first = advice(room, "spikes", "Ada")
    assert not first.by_numbers.stop
    assert "nobody has checked" in first.by_numbers.sentence
    assert first.to_json()["change"] is None, "no update has been seen"
    read(room, truth, 30, write)
    told = advice(room, "spikes", "Ada").by_numbers
    left = room.desks[0].proposals.confidence.size - 30
    assert left > 0
    assert 0 <= told.residual <= told.upper <= 1
    assert "effective answers" in told.sentence
    choose_budget(room.store, "spikes", 0.99, by="Ada")
    assert advice(room, "spikes", "Ada").by_numbers.stop
    choose_budget(room.store, "spikes", 0.001, by="Ada")
    assert not advice(room, "spikes", "Ada").by_numbers.stop


def test_nothing_is_advised_where_nothing_is_left(open_study, write):
    room, _ = open_study(n_units=3)
    desk = room.desks[0]
    room.decide([write(desk.bases[-1], "accept", *desk.targets)])
    assert advice(room, "spikes", "Ada") is None
    assert advice(room, "no such task", "Ada") is None


def test_updates_count_decisions_between_and_labels_that_nobody_gave(study, write):
    room, truth = study
    said, answered = [room.desks[0].proposals.label], 0
    for turn in range(3):
        read(room, truth, 8, write)
        answered += 8
        rng = np.random.default_rng(turn + 5)
        classes = proposed_classes(room.desks[0].labels, rng, accuracy=0.6)[1]
        (bench,) = benches(room.store, "curation")
        digest = room.store.put_labels(classes)
        room.store.append(carry(room.store, bench, classes)[0])
        room.store.record_labels(digest)
        room.refresh()
        room.sync()
        said.append(room.desks[0].proposals.label)
    by = decided(room.desks[0], {base: room.edits(base=base) for base in room.desks[0].bases})
    assert len(by) == answered
    left = ~np.isin(room.desks[0].item_ids, list(by))
    changed = [np.count_nonzero((a != b) & left) / 60 for a, b in pairwise(said)]
    assert all(changed)
    assert _updates(room, room.desks, _history(room, room.desks)) == [
        (8, share) for share in changed
    ]
    assert np.isfinite(advice(room, "spikes", "Ada").by_numbers.change)
    assert len(_asked(room, _history(room, room.desks)).wrong) == answered, (
        "each on the set it was given on"
    )
