"""The classifier of cells: what it reads, what it learns, and that it claims nothing before."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.cells.learner import LEARNER, QualityLearner
from nissl.annotators.cells.quality import FACTS, NAMES, SAYS, featurise
from nissl.annotators.cells.quality_model import from_files, logistic, to_files
from nissl.annotators.cells.vocabulary import CELL, CELLS, NOT_CELL
from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import ItemTable
from nissl.labels.overlap import lying_over
from nissl.run.context import Context
from nissl.tasks import Examples, Inputs, Learner
from nissl.testing.annotators import AnnotatorContract
from nissl.testing.regions import example_facts, example_regions
from nissl.trust.reliability import reliability


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return LEARNER

    @pytest.fixture(scope="class")
    def inputs(self):
        rng = np.random.default_rng(0)
        labels = example_regions(rng, 20)
        facts = example_facts(labels, rng)
        movie = Movie.from_array(np.zeros((3, 48, 64), np.uint16), 10.0)
        recording = Recording(None, "memory", {}, fingerprint="f" * 64, movies={"movie": movie})
        return Inputs(recording, "movie", {"cells": labels}, {"cells": facts})


def taught(regions, seeds=(1, 2, 3), n=200):
    """Learner of several recordings of one subject each."""
    parts = []
    for seed in seeds:
        labels, items, cell = regions(seed, n)
        table = LEARNER.featurise(labels, items, subject=f"m{seed}", session=f"s{seed}")
        parts.append((table, np.where(cell, CELL, NOT_CELL)))
    from nissl.review.decided import stacked

    label = np.concatenate([p[1] for p in parts]).astype(np.int64)
    examples = Examples(stacked([p[0] for p in parts]), label, np.ones(label.size))
    return LEARNER.fit(examples, rng=np.random.default_rng(0)), examples


def test_facts_have_words_and_no_name_twice():
    assert isinstance(LEARNER, Learner)
    assert set(SAYS) == set(NAMES)
    assert all(text.format(1.0) for text in SAYS.values())
    every = [n for fact in FACTS for n in (fact.name, *fact.also, *fact.upside_down)]
    assert len(every) == len(set(every))


def test_features_are_found_under_the_names_of_others(regions):
    labels, items, _ = regions()
    table = featurise(labels, items, subject="m", session="s")
    assert table.names == NAMES
    at = {name: table.values[:, k] for k, name in enumerate(NAMES)}
    assert np.array_equal(at["skewness"], items.table.column("skew").to_numpy())
    assert np.isclose(np.median(at["n_pixels|field"]), 1)
    assert np.allclose(at["compactness"], 1 / items.table.column("compact").to_numpy())
    assert np.isnan(at["snr"]).all()


def test_without_facts_the_pixels_are_counted(regions):
    labels, items, _ = regions()
    size = featurise(labels, None).values[:, NAMES.index("n_pixels")]
    assert size.tolist() == [len(p) for p in labels.table.column("pixels")]
    some = replace(items, table=items.table.slice(0, 10))
    skew = featurise(labels, some).values[:, NAMES.index("skewness")]
    assert np.isfinite(skew).tolist() == [True] * 10 + [False] * 50
    words = ItemTable(labels.digest, pa.table({"item": labels.items, "skew": ["x"] * 60}))
    assert np.isnan(featurise(labels, words).values[:, NAMES.index("skewness")]).all()


def test_untaught_it_leaves_regions_as_they_were_called(regions, tmp_path):
    labels, items, _ = regions()
    movie = Movie.from_array(np.zeros((3, 64, 80), np.uint16), 10.0)
    recording = Recording(None, "memory", {}, fingerprint="f" * 64, movies={"movie": movie})
    inputs = Inputs(recording, "movie", {"cells": labels}, {"cells": items})
    result = LEARNER.annotate(inputs, LEARNER.defaults(), Context(tmp_path))
    found = result.labels[0]
    assert found.vocabulary == CELLS
    assert np.array_equal(found.column("label"), labels.column("label"))
    assert np.isnan(found.column("confidence")).all()
    assert found.table.column("pixels").equals(labels.table.column("pixels"))
    assert found.provenance.made_from == (labels.digest,)
    assert found.provenance.author.name == "cells/quality"
    assert result.items[0].of == found.digest
    assert [f.check for f in result.findings] == ["untaught"]
    assert np.all(LEARNER.predict(LEARNER.featurise(labels, items)).probabilities == 0.5)


def test_taught_it_tells_cells_of_a_new_recording_and_is_calibrated(regions):
    learner, _ = taught(regions)
    labels, items, cell = regions(9, 600)
    features = learner.featurise(labels, items)
    said = learner.predict(features)
    p = said.probabilities
    assert np.allclose(p.sum(axis=1), 1)
    assert said.votes.shape == (5, 600, 2)
    assert np.mean((p[:, CELL] > 0.5) == cell) > 0.9
    right = (p.argmax(axis=1) == NOT_CELL) != cell
    found = reliability(p.max(axis=1), right, groups=None, rng=np.random.default_rng(0))
    assert found.ece <= found.perfect[1] + 0.02
    proposed = learner.propose(labels, features)
    assert np.allclose(proposed.column("confidence"), p.max(axis=1), atol=1e-6)


def test_it_needs_decisions_of_both_kinds(regions):
    _, examples = taught(regions)
    for part in (examples.take(np.arange(5)), examples.take(examples.label == CELL)):
        with pytest.raises(MissingInputError, match="decided"):
            LEARNER.fit(part, rng=np.random.default_rng(0))
    few = np.concatenate([np.flatnonzero(examples.label == k)[:8] for k in (CELL, NOT_CELL)])
    small = LEARNER.fit(examples.take(few), rng=np.random.default_rng(0))
    assert "too few" in small.model.calibrated_on
    p = small.predict(examples.features).probabilities
    assert np.mean(p.argmax(axis=1) == examples.label) > 0.8


def test_the_same_decisions_give_the_same_bytes(regions):
    first, second = taught(regions)[0], taught(regions)[0]
    assert first.files() == second.files()
    assert first.weights == second.weights != LEARNER.weights


def test_files_are_the_learner(regions):
    learner, examples = taught(regions)
    back = LEARNER.restored(learner.files())
    given = (each.predict(examples.features).probabilities for each in (learner, back))
    assert np.array_equal(*given)
    assert LEARNER.restored(LEARNER.files()) == QualityLearner()
    files = to_files(learner.model)
    for broken in ({}, files | {"model.json": b"[]"}, {"model.json": b"{"}):
        with pytest.raises(BadArgumentError, match="cells/quality"):
            from_files(broken)


def test_contributions_add_up_to_the_score(regions):
    learner, examples = taught(regions)
    parts = learner.contributions(examples.features)
    raw = learner.model.raw(
        examples.features.values[:, [NAMES.index(n) for n in learner.model.frame.names]]
    )
    total = parts[:, :, CELL].sum(axis=1)
    gap = raw.mean(axis=0) - total
    assert np.allclose(gap, gap[0], atol=1e-6)  # the intercept is nobody's
    assert np.array_equal(parts[:, :, NOT_CELL], -parts[:, :, CELL])


def test_a_recording_without_known_facts_is_told(regions):
    learner, _ = taught(regions)
    labels, items, _ = regions(4)
    assert set(learner.unlike(learner.featurise(labels, items))[1]) == {""}
    bare = learner.featurise(labels, None)
    blank = replace(bare, values=np.full_like(bare.values, np.nan))
    assert all(learner.unlike(blank)[1])
    assert np.isfinite(learner.predict(blank).probabilities).all()
    assert np.isfinite(learner.embedded(blank)).all()
    assert np.isfinite(LEARNER.embedded(bare)).all()


def test_logistic_finds_the_weights_of_a_simulation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2))
    y = rng.random(20_000) < 1 / (1 + np.exp(-(x @ [1.5, -0.5] + 0.3)))
    w = logistic(x, y, np.ones(20_000))
    assert np.allclose(w, [1.5, -0.5, 0.3], atol=0.06)


def test_regions_meet_where_half_of_their_union_is_shared(regions):
    labels, _, _ = regions()
    assert lying_over(labels, labels) == {i: i for i in range(60)}
