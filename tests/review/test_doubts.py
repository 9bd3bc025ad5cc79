"""Decisions that look wrong, and clusters of items that fit no class."""

import numpy as np
import pytest

from nissl.errors import BadArgumentError, MissingInputError
from nissl.project.reviewing import open_room
from nissl.review.doubts import NEEDED, RECHECK, ask_again, new_classes, suspects
from nissl.review.queue import build
from nissl.tasks import Finding

N_UNITS = 30
PLANTED = ({2: "good", 28: "noise"}, {5: "good", 25: "noise"}, {7: "good", 22: "noise"})
"""Units of each session that are decided wrongly: SNR and rate rise with the number."""


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def decided_study(open_study, write):
    """Three animals with every unit decided, two of each wrongly."""
    room, _ = open_study(n_units=N_UNITS, n_sessions=3, duration_s=0.5)
    for desk, wrong in zip(room.desks, PLANTED, strict=True):
        names = ["noise"] * 10 + ["mua"] * 10 + ["good"] * 10
        base = desk.classes.digest
        labels = [wrong.get(item, name) for item, name in enumerate(names)]
        room.decide([write(base, "relabel", i, label=label) for i, label in enumerate(labels)])
    return room


def test_planted_wrong_decisions_are_found_asked_once_and_settled(decided_study, write):
    room = decided_study
    found = suspects(room, "curation", rng=rng())
    pairs = zip(room.desks, PLANTED, strict=True)
    planted = {(d.key, item): label for d, wrong in pairs for item, label in wrong.items()}
    right = [each for each in found if (each.desk, each.item) in planted]
    assert len(right) >= 0.5 * len(planted)
    assert len(right) >= 0.7 * len(found)
    assert all(e.given == planted[e.desk, e.item] != e.suggested for e in right)
    assert [e.probability for e in found] == sorted((e.probability for e in found), reverse=True)

    assert ask_again(room.store, found) == len(found)
    assert ask_again(room.store, found) == 0
    entries = build(room, "Ben", rng()).entries
    assert {(e.desk, e.item) for e in entries} == {(e.desk, e.item) for e in found}
    assert {e.policy for e in entries} == {RECHECK}
    first = entries[0]
    assert "decided to be" in first.reason

    desk = room.desk(first.desk)
    same = next(e.given for e in found if (e.desk, e.item) == (first.desk, first.item))
    edit = write(desk.classes.digest, "relabel", first.item, reader="Ben", label=same)
    room.decide([edit], question=first.question)
    left = {(e.desk, e.item) for e in build(room, "Ben", rng()).entries}
    assert left == {(e.desk, e.item) for e in found} - {(first.desk, first.item)}
    again = suspects(room, "curation", rng=rng())
    assert (first.desk, first.item) not in {(e.desk, e.item) for e in again}


def test_what_is_asked_again_has_no_chance_that_learning_would_weigh(decided_study):
    found = suspects(decided_study, "curation", rng=rng())
    ask_again(decided_study.store, found)
    asked = decided_study.store.questions(policy=RECHECK)
    assert asked
    assert all("probability" not in row.body for row in asked)


def test_too_few_decisions_doubt_nothing(open_study, write):
    room, _ = open_study(n_units=12)
    with pytest.raises(MissingInputError, match=f"{NEEDED} decided items.*got 0"):
        suspects(room, "curation", rng=rng())
    base = room.desks[0].classes.digest
    room.decide([write(base, "relabel", item, label="good") for item in range(12)])
    with pytest.raises(MissingInputError, match=f"got 12.\nDecide on {NEEDED - 12} more"):
        suspects(room, "curation", rng=rng())


def test_a_task_that_does_not_learn(open_study):
    room, _ = open_study(n_units=3)
    for look in (suspects, new_classes):
        with pytest.raises(BadArgumentError, match="learns"):
            look(room, "spikes", rng=rng())


EVERY_SECOND, HIGHEST_SNR = np.arange(0, 24, 2), np.arange(12, 24)


def plant_novel(room, sessions, members=EVERY_SECOND):
    """Keep features in which some units of some sessions lie apart, and say so."""
    dice = np.random.default_rng(1)
    for index, desk in enumerate(room.desks):
        items, digest = desk.item_ids, desk.classes_row.digest
        x = dice.normal(size=(items.size, 3))
        if index in sessions:
            x[members] = [9.0, -9.0, 9.0] + 0.3 * dice.normal(size=(members.size, 3))
            unlike = [Finding("novelty", "note", "far", item=int(i)) for i in items[members]]
            room.store.record_findings(digest, [each.to_json() for each in unlike])
        votes = np.full((1, items.size, 3), 1 / 3)
        kept = {"votes": room.store.put_array(votes), "features": room.store.put_array(x)}
        room.store.set_setting(f"pool:{digest}", kept)
    return open_room(room.store)


@pytest.mark.parametrize(
    ("sessions", "members", "fault"),
    [
        ((0, 1), EVERY_SECOND, ""),
        ((0,), EVERY_SECOND, "1 animal, 2 needed"),
        ((0, 1), HIGHEST_SNR, "nothing but snr"),
    ],
)
def test_a_new_class_needs_two_animals_and_no_other_reason(open_study, sessions, members, fault):
    room, _ = open_study(n_units=24, n_sessions=3, duration_s=0.3)
    room = plant_novel(room, sessions, members)
    (found,) = new_classes(room, "curation", rng=rng())
    planted = {(room.desks[k].key, item) for k in sessions for item in members.tolist()}
    assert set(found.items) == planted
    assert set(found.exemplars) < planted
    assert found.animals == tuple(f"animal-{k}" for k in sessions)
    assert found.offered == (not fault)
    assert fault in found.reason


def test_nothing_novel_is_no_class(open_study):
    room, _ = open_study(n_units=6)
    assert new_classes(room, "curation", rng=rng()) == []
    assert new_classes(plant_novel(room, ()), "curation", rng=rng()) == []
