"""Units of which nothing or next to nothing is known: never a confident class."""

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.curation.features import GROUPS, NAMES, featurise
from nissl.annotators.curation.learner import LEARNER
from nissl.errors import MissingInputError
from nissl.labels import Author, FeatureTable, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Examples


def table(values):
    n = len(values)
    return FeatureTable(np.arange(n), NAMES, values, ("",) * len(NAMES), ("m",) * n, ("s",) * n)


def sorting(samples):
    item = np.concatenate([np.full(len(s), k) for k, s in enumerate(samples)])
    order = np.argsort(np.concatenate(samples), kind="stable")
    return LabelSet.build(
        Kind.EVENTS,
        {"item": item[order], "sample": np.concatenate(samples)[order].astype(np.int64)},
        ("unit",),
        Provenance("spikes", "0" * 64, Author("model", "test")),
    )


def test_no_feature_no_class():
    p = LEARNER.predict(table(np.full((3, len(NAMES)), np.nan)))
    assert np.allclose(p.probabilities[:, :3], 1 / 3)
    assert np.allclose(p.votes[:, :, :3], 1 / 3)


@pytest.mark.parametrize("group", list(GROUPS))
def test_one_group_of_features_alone_makes_nobody_sure_of_a_neuron(group):
    values = np.full((1, len(NAMES)), np.nan)
    for name in GROUPS[group]:
        values[0, NAMES.index(name)] = LEARNER.known.seen.frame.centre[NAMES.index(name)]
    assert LEARNER.predict(table(values)).probabilities[0, :2].max() < 0.8


def test_three_spikes_and_a_flat_template():
    units = sorting([[100, 5_000, 90_000]])
    context = {"rate_hz": 30_000.0, "duration_s": 10.0}
    items = ItemTable(
        units.digest,
        pa.table({"item": [0]}),
        {"template": "uV"},
        {"template": np.zeros((1, 60, 4), np.float32)},
        context,
    )
    features = featurise(units, items)
    assert np.isnan(features.values[0, NAMES.index("half_width_ms")])
    p = LEARNER.predict(features).probabilities[0]
    assert p[:2].max() < 0.8


def test_an_empty_sorting_gets_an_empty_set():
    units = sorting([np.empty(0, np.int64)])
    labels = LEARNER.propose(units, featurise(units, None))
    assert labels.n_rows == 0


def test_a_class_with_one_example_is_learnt_without_harm():
    rng = np.random.default_rng(0)
    n = 30
    label = np.zeros(n, np.int64)
    label[0] = 2
    fitted = LEARNER.fit(
        Examples(table(rng.normal(size=(n, len(NAMES)))), label, np.ones(n)), rng=rng
    )
    p = fitted.predict(table(rng.normal(size=(5, len(NAMES))))).probabilities
    assert np.isfinite(p).all()
    assert np.allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_single_class_is_learnt_without_harm(code):
    n = 20
    values = np.random.default_rng(1).normal(size=(n, len(NAMES)))
    given = Examples(table(values), np.full(n, code, np.int64), np.ones(n))
    fitted = LEARNER.fit(given, rng=np.random.default_rng(0))
    assert np.isfinite(fitted.predict(table(values)).probabilities).all()


def test_too_few_are_refused():
    none = Examples(table(np.empty((0, len(NAMES)))), np.empty(0, np.int64), np.empty(0))
    with pytest.raises(MissingInputError, match="at least 10"):
        LEARNER.fit(none, rng=np.random.default_rng(0))
