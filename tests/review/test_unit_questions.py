"""Merges and splits that a sorter was in doubt of, as questions."""

import numpy as np
import pytest

from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.project.annotating import Draft, _keep
from nissl.review.unit_questions import ask_doubts, merge_questions, merges_of, split_questions
from nissl.store import Store

RATE_HZ, N_CHANNELS = 30_000.0, 8


def sorting(split=(0.05, 0.9, 0.4), apart=(), rng=None):
    """Units 0 and 1 have one template and disjoint halves of one neuron's train; 2 is another."""
    rng = rng or np.random.default_rng(0)
    trains = [
        (np.cumsum(rng.exponential(1 / 25, 3000) + 0.003) * RATE_HZ).astype(np.int64)
        for _ in range(2)
    ]
    mine = rng.random(3000) < 0.5
    trains = [trains[0][mine], trains[0][~mine], trains[1]]
    item = np.repeat(np.arange(3), [t.size for t in trains])
    made = Provenance("spikes", "f" * 64, Author("model", "spikes/made", "1"), "ap")
    labels = LabelSet.build(
        Kind.EVENTS, {"sample": np.concatenate(trains), "item": item}, ("unit",), made
    )
    shape = np.exp(-(((np.arange(90) - 30) / 5.0) ** 2))[None, :, None]
    fall = 0.5 ** np.abs(np.arange(N_CHANNELS) - np.asarray([2, 2, 5])[:, None])
    template = (-100 * shape * fall[:, None]).astype(np.float32)
    columns = {c.name: np.zeros(3) for c in SCHEMA}
    columns |= {"item": np.arange(3), "split_probability": np.asarray(split)}
    context = {"rate_hz": RATE_HZ, "n_before": 30, "apart": [list(pair) for pair in apart]}
    items = ItemTable(labels.digest, to_arrow(columns), {}, {"template": template}, context)
    return labels, items


def test_doubted_units_are_asked_about_the_likeliest_first():
    labels, items = sorting()
    asked = split_questions(labels.digest, items)
    assert [(row.item, row.policy, row.score) for row in asked] == [
        (1, "split", 0.9),
        (2, "split", 0.4),
    ]
    assert "Unit 1 may hold two neurons" in asked[0].body["reason"]
    assert "with a probability of 90%" in asked[0].body["reason"]
    assert split_questions(labels.digest, items)[0].uuid == asked[0].uuid
    assert split_questions(labels.digest, items, least=0.95) == []
    assert [row.item for row in split_questions(labels.digest, items, most=1)] == [1]


@pytest.mark.parametrize(("told", "heaps"), [(-2.0, "one heap"), (2.0, "two heaps")])
def test_what_the_sorter_saw_of_two_units_counts(told, heaps):
    labels, items = sorting(apart=[(0, 1, told)])
    (before,) = merges_of(labels, sorting()[1], RATE_HZ)
    (found,) = merges_of(labels, items, RATE_HZ)
    odds = [one.score / (1 - one.score) for one in (before, found)]
    assert np.log(odds[0] / odds[1]) == pytest.approx(told)
    assert found.sentence.startswith(before.sentence)
    (question,) = merge_questions(labels.digest, [found])
    assert f"make {heaps}." in question.body["reason"]
    assert merges_of(labels, items, RATE_HZ, least=found.score + 1e-6) == []


def test_annotating_asks_what_the_sorter_doubts_once(tmp_path):
    labels, items = sorting()
    with Store.open(tmp_path / "study") as store:
        store.start_run("job", {"what": "sorting"})
        _keep(store, "job", Draft(labels, items, (), {}))
        rows = store.questions(labels=labels.digest)
        assert sorted((row.policy, row.item) for row in rows) == [
            ("merge", 0),
            ("split", 1),
            ("split", 2),
        ]
        assert ask_doubts(store, labels.digest, labels, items) == 0


def test_sorters_that_doubt_nothing_are_not_asked_about(tmp_path):
    labels, items = sorting(split=[np.nan] * 3)
    with Store.open(tmp_path / "study") as store:
        assert ask_doubts(store, labels.digest, labels, items) == 0
        assert ask_doubts(store, labels.digest, labels, None) == 0
        assert store.questions(labels=labels.digest) == []
