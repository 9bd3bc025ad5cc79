import json
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.review.training import STEP, training

CLASSES = ("good", "mua", "noise")


def classes(n):
    """A set in which the method calls everything good."""
    provenance = Provenance("curation", "f" * 64, Author("model", "test", "1"), targets=("a" * 64,))
    columns = {"target": np.arange(n), "label": np.zeros(n, dtype=int)}
    return LabelSet.build(Kind.CLASSES, columns, CLASSES, provenance)


class Journal:
    """Edits on one set, with times and uuids that count up."""

    def __init__(self, n):
        self.labels, self.edits = classes(n), []

    def add(self, reader, kind, *items, **payload):
        n = len(self.edits) + 1
        kind = EditKind(kind)
        self.edits.append(
            Edit(UUID(int=n), kind, self.labels.digest, items, reader, float(n), payload)
        )

    def say(self, reader, item, label):
        if label == "good":
            self.add(reader, "accept", item)
        else:
            self.add(reader, "relabel", item, label=label)


def trainee(right, n=None):
    """A journal in which ana answers gold items, right or wrong as given."""
    n = len(right) if n is None else n
    truth = [CLASSES[i % 3] for i in range(n)]
    journal = Journal(n)
    for item, is_right in enumerate(right):
        journal.say("ana", item, truth[item] if is_right else CLASSES[(item + 1) % 3])
    return journal, dict(enumerate(truth))


def progress(right, **options):
    journal, gold = trainee(right)
    return training(journal.labels, journal.edits, "ana", gold, **options)


def test_a_good_reader_passes_and_is_told_how_it_stands():
    found = progress([True] * 60)
    assert found.passed
    assert found.passed_after <= 40
    assert found.sentence == f"Passed after {found.passed_after} items."
    assert found.confused == {}
    assert all(f.correct for f in found.feedback)
    json.dumps(found.to_json())


def test_a_poor_reader_is_told_what_is_confused():
    found = progress([i % 3 != 0 for i in range(60)])
    assert not found.passed
    assert found.confused == {("good", "mua"): 20}
    assert "67 % right of the last 60" in found.sentence
    assert found.feedback[0].sentence == "You said mua; it is good."
    assert [look.n for look in found.looks] == list(range(STEP, 61, STEP))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), max_size=45), st.data())
def test_progress_follows_from_edits_and_their_order_alone(right, data):
    journal, gold = trainee(right)
    whole = training(journal.labels, journal.edits, "ana", gold)
    again = training(journal.labels, journal.edits + journal.edits, "ana", gold)
    assert again == whole
    n = data.draw(st.integers(0, len(right)))
    earlier = training(journal.labels, journal.edits[:n], "ana", gold)
    assert whole.feedback[:n] == earlier.feedback
    assert whole.looks[: len(earlier.looks)] == earlier.looks
    assert sum(whole.confused.values()) == right.count(False)


def test_what_is_answered_after_the_feedback_does_not_count():
    journal, gold = trainee([False] * 10)
    for item in range(10):
        journal.add("ana", "undo", target=str(journal.edits[item].uuid))
        journal.say("ana", item, gold[item])
        journal.say("ben", item, gold[item])
    found = training(journal.labels, journal.edits, "ana", gold)
    assert len(found.feedback) == 10
    assert not any(f.correct for f in found.feedback)


def test_one_who_is_no_better_than_the_threshold_rarely_ever_passes():
    rng = np.random.default_rng(0)
    passed = sum(progress(rng.random(400) < 0.8, threshold=0.8).passed for _ in range(60))
    assert passed / 60 <= 0.1
    good = sum(progress(rng.random(150) < 0.97, threshold=0.8).passed for _ in range(20))
    assert good >= 18


def test_unsure_is_wrong_and_bad_arguments_are_refused():
    journal, gold = trainee([])
    journal = Journal(1)
    labels = journal.labels
    journal.add("ana", "unsure", 0)
    found = training(labels, journal.edits, "ana", {0: "good"})
    assert found.confused == {("good", "unsure"): 1}
    assert found.feedback[0].sentence == "You were unsure; it is good."
    assert "first look is after" in found.sentence
    for options in ({"threshold": 1.2}, {"window": 3}, {"threshold": 0.97, "window": 60}):
        with pytest.raises(BadArgumentError):
            training(labels, journal.edits, "ana", gold, **options)
