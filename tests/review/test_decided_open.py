"""Classes beyond a learner's own, for tasks with an open vocabulary."""

import numpy as np
import pytest

from nissl.annotators.celltypes.learner import LEARNER
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.review.decided import benches, combined, gather
from nissl.review.judging import out_of_fold
from nissl.review.loop import learn
from nissl.store import Store
from nissl.tasks import Examples
from nissl.testing.studies import unit_study


@pytest.fixture
def store(tmp_path):
    unit_study(tmp_path / "study", n_units=12, duration_s=2.0)
    with Store.open(tmp_path / "study") as opened:
        yield opened


def tagged(store, author, names, items=None):
    """Record a set of cell types over the first units of the study."""
    bench = next(iter(benches(store, "curation")))
    units = bench.labels.items[: len(names)] if items is None else np.asarray(items)
    vocabulary = tuple(dict.fromkeys(names))
    made = bench.labels.provenance
    labels = LabelSet.build(
        Kind.CLASSES,
        {
            "id": units,
            "item": units,
            "target": units,
            "label": np.asarray([vocabulary.index(n) for n in names], np.int32),
        },
        vocabulary,
        Provenance("celltypes", made.source, author, made.stream, targets=(bench.labels.digest,)),
    )
    store.record_labels(store.put_labels(labels))
    return labels


def test_measured_classes_count_as_decisions_and_bring_their_names(store):
    tagged(store, Author("model", "celltypes/optotagging", "1"), ["PV", "my type", "my type"])
    examples = gather(store, "celltypes", LEARNER)
    assert examples.classes[: len(LEARNER.vocabulary) - 1] == LEARNER.vocabulary.names[:-1]
    assert examples.classes[-2:] == ("my type", "unknown")
    assert [examples.classes[k] for k in examples.label] == ["PV", "my type", "my type"]


def test_proposals_of_a_model_are_no_decisions(store):
    tagged(store, Author("model", "celltypes/nissl", "1"), ["PV", "PV"])
    with pytest.raises(Exception, match="decisions on classes"):
        gather(store, "celltypes", LEARNER)


def test_unknown_claims_nothing(store):
    tagged(store, Author("person", "ana"), ["PV", "unknown", "PV"])
    assert len(gather(store, "celltypes", LEARNER)) == 2


def test_classes_of_two_origins_are_joined_by_name(store):
    tagged(store, Author("person", "ana"), ["PV", "B"])
    own = gather(store, "celltypes", LEARNER)
    more = Examples(own.features, np.asarray([0, 1]), np.ones(2), ("C", "PV", "unknown"), True)
    both = combined(own, more)
    assert [both.classes[k] for k in both.label] == ["PV", "B", "C", "PV"]
    assert both.classes[-1] == "unknown"
    assert both.afresh


def test_curation_takes_no_examples_from_elsewhere(store):
    more = Examples(gather_features(store), np.zeros(12, np.int64), np.ones(12), ("a", "unknown"))
    with pytest.raises(BadArgumentError, match="open vocabulary"):
        learn(store, "curation", more=more)


def test_a_class_too_rare_for_a_fold_gets_no_probability(store):
    table = gather_features(store)
    names = ("A", "B", "rare", "unknown")
    label = np.asarray([0, 1] * 5 + [2, 0])
    examples = Examples(table, label, np.ones(12), names, True)
    p = out_of_fold(LEARNER, examples, np.asarray([0, 0, 1, 1] * 3), 0)
    assert p.shape == (12, 4)
    assert np.isfinite(p).all()


def gather_features(store):
    bench = next(iter(benches(store, "curation")))
    return bench.features(LEARNER)
