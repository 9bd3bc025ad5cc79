import json
from uuid import UUID

import numpy as np
import pytest

from nissl.errors import MissingInputError
from nissl.labels import Author, Edit, EditKind, Kind, LabelSet, Provenance
from nissl.review.readers import (
    REJECTED,
    agreement,
    answers_of,
    extent_agreement,
    latest,
    ratings,
    read_twice,
    reader_errors,
)

CLASSES = ("good", "mua", "noise")
AUTHOR = Author("model", "test/method", "1")


def classes(codes):
    columns = {"target": np.arange(len(codes)), "label": codes}
    provenance = Provenance("curation", "f" * 64, AUTHOR, targets=("a" * 64,))
    return LabelSet.build(Kind.CLASSES, columns, CLASSES, provenance)


class Journal:
    """Edits on one set, with times and uuids that count up."""

    def __init__(self, labels):
        self.labels, self.edits = labels, []

    def add(self, reader, kind, *items, role="reader", **payload):
        n = len(self.edits) + 1
        kind = EditKind(kind)
        self.edits.append(
            Edit(UUID(int=n), kind, self.labels.digest, items, reader, float(n), payload, role=role)
        )
        return self.edits[-1]

    def say(self, reader, item, label, **payload):
        claimed = CLASSES[int(self.labels.column("label")[item])]
        if label == claimed:
            return self.add(reader, "accept", item, **payload)
        return self.add(reader, "relabel", item, label=label, **payload)

    @property
    def answers(self):
        return answers_of(self.labels, self.edits)


def test_an_answer_is_what_the_standing_decision_says():
    journal = Journal(classes([0, 0, 1, 2, 0]))
    journal.add("ana", "accept", 0, 2, blind=True)
    journal.add("ana", "relabel", 1, label="noise")
    journal.add("ana", "reject", 3)
    journal.add("ana", "unsure", 4)
    journal.add("ana", "note", 0, text="a note is no answer")
    gone = journal.add("ana", "relabel", 0, label="mua")
    journal.add("ana", "undo", target=str(gone.uuid))
    journal.add("ben", "relabel", 1, label="mua")
    journal.add("ben", "adjudicate", 1, label="good", role="adjudicator")
    last = latest(journal.answers)
    said = {key: answer.label for key, answer in last.items()}
    assert said == {
        (0, "ana"): "good",
        (1, "ana"): "noise",
        (2, "ana"): "mua",
        (3, "ana"): REJECTED,
        (4, "ana"): None,
        (1, "ben"): "good",
    }
    assert last[0, "ana"].hidden
    assert last[1, "ben"].adjudicates
    assert not last[1, "ana"].hidden
    assert read_twice(journal.answers) == (1,)
    table = ratings(journal.answers, CLASSES)
    assert table.classes == (*CLASSES, REJECTED)
    row = table.items.tolist().index(1)
    assert table.codes[row].tolist() == [2.0, 1.0]  # first-hand answers alone


def test_edits_on_other_sets_and_sent_twice_do_not_count_again():
    journal = Journal(classes([0, 1]))
    journal.say("ana", 0, "good")
    other = Edit(UUID(int=99), EditKind.ACCEPT, "b" * 64, (1,), "ana", 9.0)
    assert len(answers_of(journal.labels, [*journal.edits, *journal.edits, other])) == 1


def simulated(accuracy, n=400, seed=0, shared=1.0):
    """Readers with a share of right answers each, wrong ones at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    journal = Journal(classes(rng.integers(0, 3, n).tolist()))
    for reader, share in accuracy.items():
        for item in range(n):
            if rng.random() <= shared:
                right = rng.random() < share
                code = truth[item] if right else (truth[item] + rng.integers(1, 3)) % 3
                journal.say(reader, item, CLASSES[code])
    return journal, truth


def test_agreement_of_two_and_of_three_readers_with_intervals():
    two, _ = simulated({"ana": 0.9, "ben": 0.9}, seed=3)
    found = agreement(two.answers, rng=np.random.default_rng(1), n_bootstrap=500)
    expected = 0.9**2 + 0.1**2 / 2
    assert found.readers == ("ana", "ben")
    assert found.percent.low < expected < found.percent.high
    kappa = (expected - 1 / 3) / (2 / 3)
    assert found.kappa.low < kappa < found.kappa.high
    assert abs(found.alpha.estimate - found.kappa.estimate) < 0.02
    assert found.kappa == found.pairs["ana", "ben"]
    three, _ = simulated({"ana": 0.9, "ben": 0.9, "eve": 0.4}, shared=0.8)
    found = agreement(three.answers, rng=np.random.default_rng(1), n_bootstrap=200)
    assert len(found.pairs) == 3
    assert found.pairs["ana", "ben"].low > found.pairs["ana", "eve"].high
    assert found.pairs["ana", "eve"].estimate < found.kappa.estimate
    json.dumps(found.to_json())


def test_agreement_of_subjects_is_resampled_by_subject_and_order_of_classes_counts():
    journal, _ = simulated({"ana": 0.9, "ben": 0.8}, n=120)
    groups = {item: f"mouse{item % 4}" for item in range(120)}
    found = agreement(journal.answers, rng=np.random.default_rng(0), groups=groups)
    assert found.kappa.n == 4
    near = Journal(classes([0] * 30))
    for item in range(30):
        near.say("ana", item, CLASSES[item % 3])
        near.say("ben", item, CLASSES[min(2, item % 3 + item % 2)])
    plain, ordered = (
        agreement(near.answers, rng=np.random.default_rng(0), classes=CLASSES, ordered=o)
        for o in (False, True)
    )
    assert ordered.kappa.estimate > plain.kappa.estimate
    assert ordered.alpha.estimate > plain.alpha.estimate


def test_nothing_read_twice_is_said():
    journal = Journal(classes([0, 1]))
    journal.say("ana", 0, "good")
    journal.say("ben", 1, "good")
    with pytest.raises(MissingInputError, match="second reader"):
        agreement(journal.answers, rng=np.random.default_rng(0))
    with pytest.raises(MissingInputError, match="two classes"):
        reader_errors([])


def test_reader_errors_and_the_consensus():
    journal, truth = simulated({"ana": 0.95, "ben": 0.85, "eve": 0.6}, n=1500)
    found = reader_errors(journal.answers, classes=CLASSES)
    assert found.readers == ("ana", "ben", "eve")
    np.testing.assert_allclose(found.model.accuracy, [0.95, 0.85, 0.6], atol=0.04)
    consensus = found.consensus()
    right = [consensus[item][0] == CLASSES[truth[item]] for item in range(truth.size)]
    ana = [a.label == CLASSES[truth[a.item]] for a in journal.answers if a.reader == "ana"]
    assert np.mean(right) >= np.mean(ana)
    json.dumps(found.to_json())


def test_two_readers_are_told_apart_by_gold_items():
    journal, truth = simulated({"ana": 0.95, "ben": 0.7}, n=1500)
    gold = {item: CLASSES[truth[item]] for item in range(0, 1500, 3)}
    alone = reader_errors(journal.answers, classes=CLASSES)
    assert not alone.model.identified.any()
    found = reader_errors(journal.answers, classes=CLASSES, gold=gold)
    assert found.model.identified.all()
    np.testing.assert_allclose(found.model.accuracy, [0.95, 0.7], atol=0.05)


def spans(rows):
    columns = {"start": [a for a, _ in rows], "stop": [b for _, b in rows]}
    provenance = Provenance("events", "f" * 64, AUTHOR)
    return LabelSet.build(Kind.SPANS, columns, ("spindle",), provenance)


def test_spans_are_compared_where_both_have_decided():
    journal = Journal(spans([(k * 100, k * 100 + 50) for k in range(10)]))
    for reader, rejected in (("ana", {2}), ("ben", {2, 3})):
        for item in range(6):  # 6 to 9 were left to the machine by both
            journal.add(reader, "reject" if item in rejected else "accept", item)
    journal.add("ana", "move", 0, start=5, stop=55)
    journal.add("ben", "add", rows=[{"start": 170, "stop": 190}])  # among them: counts
    journal.add("ben", "add", rows=[{"start": 5000, "stop": 5050}])  # where ana never looked
    ((pair, found),) = extent_agreement(
        journal.labels, journal.edits, rng=np.random.default_rng(0)
    ).items()
    assert pair == ("ana", "ben")
    # ana has 0 1 3 4 5, ben has 0 1 4 5 and an addition: 4 hits, 1 missed, 1 false
    assert found.metrics["f1"] == pytest.approx(2 * 4 / (2 * 4 + 1 + 1))
    assert found.intervals["f1"].low < found.metrics["f1"] <= found.intervals["f1"].high


def test_readers_without_a_common_item_are_not_compared():
    journal = Journal(spans([(0, 50), (100, 150)]))
    journal.add("ana", "accept", 0)
    journal.add("ben", "accept", 1)
    assert extent_agreement(journal.labels, journal.edits, rng=np.random.default_rng(0)) == {}


def test_units_are_compared_after_merges_and_splits():
    samples = np.arange(0, 3000, 30)
    columns = {"item": np.repeat([0, 1], 50), "sample": samples}
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), Provenance("spikes", "f" * 64, AUTHOR))
    journal = Journal(labels)
    journal.add("ana", "merge", 0, 1)
    journal.add("ben", "accept", 0)
    journal.add("ben", "accept", 1)
    (found,) = extent_agreement(labels, journal.edits, rng=np.random.default_rng(0)).values()
    assert found.items.num_rows == 1
    journal.add("ben", "merge", 0, 1)
    (again,) = extent_agreement(labels, journal.edits, rng=np.random.default_rng(0)).values()
    assert again.metrics["accuracy"] == 1.0 > found.metrics["accuracy"]
