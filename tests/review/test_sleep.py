"""Epochs of sleep under review, from the first question to a model that has learnt from them."""

from __future__ import annotations

import time
from uuid import uuid4

import numpy as np
import pytest

from nissl.labels import Edit, EditKind
from nissl.project.reviewing import open_room
from nissl.review import loop
from nissl.review.auditing import reserve, sparing
from nissl.review.hypnodensity import hypnodensity
from nissl.review.lanes import epochs, lanes, spans
from nissl.review.queue import build
from nissl.review.why import why_at
from nissl.testing.nights import night_project

STAGES = ("W", "N1", "N2", "N3", "R")


def edit(base, kind, item, reader="Ann", **payload):
    return Edit(uuid4(), EditKind(kind), base, (item,), reader, time.time(), payload, took_s=1.0)


@pytest.fixture
def night(tmp_path):
    project, truth = night_project(tmp_path, np.random.default_rng(1), hours=1.0, expert=False)
    with project:
        yield project, open_room(project.store), [STAGES[c] for c in truth.column("label")]


def test_raters_are_lanes_and_epochs_are_known_as_such(tmp_path):
    project, _ = night_project(tmp_path, np.random.default_rng(2), hours=0.5, numbers=False)
    with project:
        room = open_room(project.store)
        (desk,) = room.desks
        room.decide([edit(desk.key, "relabel", 3, "Bo", label="R")])
        found = [(lane.name, lane.kind) for lane in lanes(room, desk.key, "Ann")]
        assert found == [
            ("Ann", "own"),
            ("sleep/simulated", "proposed"),
            ("Bo", "reader"),
            ("expert", "other"),
        ]
        assert epochs(desk.labels) == (0, 3000)
        bo = spans(room, desk.key, "Ann", only=frozenset({2})).to_pylist()
        assert [(row["item"], desk.vocabulary.names[row["label"]]) for row in bo] == [(3, "R")]


def test_the_chances_of_a_night_are_those_of_its_epochs(night):
    _, room, _ = night
    labels = room.desks[0].labels
    flat = labels.table.column("probabilities").combine_chunks().flatten()
    each = np.asarray(flat).reshape(labels.n_rows, -1)
    n = int(labels.column("stop").max())
    same = hypnodensity(labels, n, labels.n_rows)
    np.testing.assert_allclose(same, each.T, atol=1e-5)
    halves = hypnodensity(labels, n, labels.n_rows // 2)
    np.testing.assert_allclose(halves, (each[::2] + each[1::2]).T / 2, atol=1e-5)
    np.testing.assert_allclose(halves.sum(axis=0), 1, atol=1e-5)
    longer = hypnodensity(labels, 2 * n, 2 * labels.n_rows)
    assert np.all(longer[:, labels.n_rows :] == 0)


def test_questions_answers_undo_and_an_audit_that_is_read_blind(night):
    _, room, true = night
    (desk,) = room.desks
    rng = np.random.default_rng(0)
    first = build(room, "Ann", rng=rng)
    assert first.total == len(true)
    asked = first.entries[0]
    assert asked.proposed is not None
    decision = edit(desk.key, "relabel", asked.item, label=true[asked.item])
    room.decide([decision])
    assert build(room, "Ann", rng=rng).done == 1
    room.decide([edit(desk.key, "undo", asked.item, target=str(decision.uuid))])
    assert build(room, "Ann", rng=rng).done == 0
    audit = reserve(room, "sleep", sparing(desk.proposals.confidence, 0.05), rng, budget=0.3)
    assert audit is not None
    drawn = [entry for entry in build(room, "Ann", rng=rng).entries if entry.policy == "audit"]
    assert drawn
    assert all(entry.blind and entry.to_json()["proposed"] is None for entry in drawn)


def test_what_is_decided_is_learnt_and_proposed_again(night):
    project, room, true = night
    (desk,) = room.desks
    chosen = np.random.default_rng(5).permutation(len(true))[:60].tolist()
    room.decide([edit(desk.key, "relabel", item, label=true[item]) for item in chosen])
    told = why_at(desk, chosen[0])
    assert told.proposed in STAGES
    assert any(
        "power" in reason.sentence or "amplitude" in reason.sentence for reason in told.reasons
    )
    assert told.accepted or told.rejected
    learned = project.learn("sleep")
    loop.use(project.store, "sleep", learned.digest, by="Ann")
    room.refresh()
    (again,) = room.desks
    assert again.key != desk.key
    said = [again.vocabulary.names[code] for code in again.labels.column("label")]
    rest = [item for item in range(len(true)) if item not in chosen]
    right = np.mean([said[item] == true[item] for item in rest])
    assert right > 0.6, "it has learnt this simulated night"
    with room.reading(again.key, "Ann") as reading:
        left = {item: reading.label(item) for item in chosen}
    assert left == {item: true[item] for item in chosen}, "decisions are carried over"
    loop.use(project.store, "sleep", "", by="Ann")
    room.refresh()
    others = [lane.name for lane in lanes(room, room.desks[0].key, "Ann") if lane.kind == "other"]
    assert others == ["sleep/simulated"], "earlier sets of a method are superseded"
