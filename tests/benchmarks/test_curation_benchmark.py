"""The curation benchmark never learns from the mouse it scores, and counts right."""

from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.curation.features import FEATURES, NAMES
from nissl.labels import FeatureTable
from nissl.tasks import Examples

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
EVERY = (*(f.unitrefine for f in FEATURES), "isolation_distance", "num_spikes")


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def data(n=90, seed=0):
    from _curation_work import Data

    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n).astype(np.int64)
    mouse = tuple(f"mouse{1 + k % 3}" for k in range(n))
    values = rng.normal(size=(n, len(EVERY))) + 2 * label[:, None]

    def examples(names, columns):
        table = FeatureTable(np.arange(n), names, columns, ("",) * len(names), mouse, mouse)
        return Examples(table, label, np.ones(n))

    return Data(examples(NAMES, values[:, : len(NAMES)]), examples(EVERY, values))


def test_each_mouse_is_left_out_once():
    from _curation_work import folds

    every = data()
    for name, known, held in folds(every, every, same=True):
        assert set(held.mouse) == {name}
        assert name not in set(known.mouse)
        assert len(known.mapped) + len(held.mapped) == 90
    other = data(seed=1)
    assert all(len(known.mapped) == 90 for _, known, _ in folds(every, other, same=False))


@pytest.mark.parametrize(
    "method",
    [
        "nissl",
        "gradient boosting",
        "random forest, all metrics",
        "thresholds",
        "Bombcell thresholds",
    ],
)
def test_methods_give_classes_without_seeing_their_truth(method):
    from _curation_work import METHODS, Data, folds

    if method.startswith("Bombcell"):
        pytest.importorskip("spikeinterface")
    every = data()
    _, known, held = folds(every, every, same=True)[0]
    p = METHODS[method](known, held, 0)
    assert p.shape == (30, 3)
    assert np.allclose(p.sum(axis=1), 1)
    blind = Data(*(Examples(e.features, 0 * e.label, e.weight) for e in (held.mapped, held.every)))
    assert np.array_equal(p, METHODS[method](known, blind, 0))


def test_acceptance_is_off_or_within_what_its_audit_shows():
    from _curation_work import _accepted

    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    sure = np.full((600, 3), 0.005)
    sure[np.arange(600), truth] = 0.99
    right = np.ones(600, bool)
    row = _accepted(sure, truth, sure.max(axis=1), right, 0.05, rng)
    assert row["on"]
    assert row["coverage"] == 1.0
    assert row["error"] == 0.0
    row = _accepted(sure, truth, sure.max(axis=1), rng.random(600) < 0.7, 0.05, rng)
    assert not row["on"]
    assert row["coverage"] == 0.0
    guess = np.full((600, 3), 1 / 3)
    assert not _accepted(guess, truth, guess.max(axis=1), right, 0.05, rng)["on"]


def test_missing_groups_are_missing_and_nothing_else():
    from _curation_robust import LACKING, without
    from nissl.annotators.curation.features import GROUPS

    held = data()
    for groups in LACKING.values():
        gone = {name for group in groups for name in GROUPS[group]}
        values = without(held, groups)
        for k, name in enumerate(NAMES):
            assert np.isnan(values[:, k]).all() == (name in gone)


def test_coverage_within_a_budget_is_the_largest():
    from _curation_work import _within

    p = np.asarray([[0.99, 0.01], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    assert _within(p, np.asarray([0, 0, 1, 0, 1]), 0.25) == 0.8
    assert _within(p, np.asarray([1, 1, 1, 1, 1]), 0.25) == 0
    assert _within(p, np.zeros(5, np.int64), 0.05) == 1
