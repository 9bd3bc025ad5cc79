"""The benchmark of cell types never learns from the animal it scores, and counts right."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.celltypes.features import featurise_units
from nissl.annotators.celltypes.learner import with_curves
from nissl.annotators.celltypes.model import shipped
from nissl.annotators.celltypes.simulate import simulate_units

DATA = Path(os.environ.get("NISSL_DATA", "../shared/data"))
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture(scope="module")
def simulated():
    made = simulate_units(2, n_units=60, duration_s=200.0)
    animals = [f"m{k // 15}" for k in range(60)]
    return with_curves(featurise_units(made.units, subject=animals, session=animals)), made.kind


@pytest.fixture
def cells(simulated):
    from _celltypes_data import Cells

    table, kind = simulated
    hand = np.random.default_rng(0).normal(size=(60, 13))
    lab = np.asarray(["x"] * 30 + ["y"] * 30)
    return Cells(table, np.asarray(kind), lab, hand)


def test_each_animal_is_left_out_once(cells):
    from _celltypes_work import folds

    cuts = folds(cells, cells, same=True)
    assert [name for name, _, _ in cuts] == ["m0", "m1", "m2", "m3"]
    for name, known, held in cuts:
        assert set(held.animal) == {name}
        assert name not in set(known.animal)
    assert all(len(known) == 60 for _, known, _ in folds(cells, cells, same=False))


@pytest.mark.parametrize(
    "name",
    [
        "nissl",
        "logistic regression, hand features",
        "gradient boosting, hand features",
        "PCA and logistic regression",
        "nearest template",
    ],
)
def test_methods_do_not_see_the_truth_of_what_they_classify(cells, name):
    from dataclasses import replace

    from _celltypes_data import CLASSES
    from _celltypes_work import folds, methods

    method = methods({"": shipped().frame.encoders})[name]
    _, known, held = folds(cells, cells, same=True)[0]
    p = method(known, held, 0)
    assert p.shape == (15, len(CLASSES))
    blind = replace(held, label=np.asarray(["PV"] * 15))
    assert np.array_equal(p, method(known, blind, 0))


def test_scores_of_a_perfect_and_of_a_constant_answer(cells):
    from _celltypes_data import CLASSES
    from _celltypes_work import scored, within_lab

    label, animal = cells.label, cells.animal
    right = np.eye(5)[[CLASSES.index(n) for n in label]]
    found = scored(right, label, animal, CLASSES)
    assert found["balanced_accuracy"] == 1
    assert found["coverage_at_95"] == 1
    assert set(within_lab(right, label, cells.lab)) == {"x", "y"}
    always = np.tile(np.eye(5)[0], (60, 1))
    assert scored(always, label, animal, CLASSES)["balanced_accuracy"] == pytest.approx(0.2)


def test_claims_and_few_labels(cells):
    from _celltypes_work import claimed, few_labels, folds

    encoders = shipped().frame.encoders
    cuts = folds(cells, cells, same=True)[:1]
    rows = claimed(cuts, encoders, 0)
    assert [r["budget"] for r in rows] == [0.05, 0.1, 0.2, 0.3]
    assert all(0 <= r["right"] <= r["claimed"] <= r["n"] for r in rows)
    told = few_labels(cuts, {"": encoders}, 1, ("PV", "SST"))
    assert [r["labels"] for r in told] == [20, 50, 100, None]


def test_a_waveform_comes_to_the_common_axis():
    from _celltypes_data import on_axis

    at = (np.arange(40) - 12.3) / 3.0
    wave = -np.exp(-0.5 * at**2)[None]
    out = on_axis(np.concatenate([wave, 3 * wave, 0 * wave]), 12, 30_000.0)
    assert np.allclose(out[0], out[1], equal_nan=True)
    assert out[0, 24] == pytest.approx(-1, abs=1e-6)
    assert np.isnan(out[2]).all()
    assert np.isnan(out[0, 0])


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "ephys" / "celltypes").is_dir(), reason="set NISSL_DATA")
def test_published_cells_are_read():
    from _celltypes_data import cellexplorer, lakunina, macaque

    cells = cellexplorer(DATA)
    assert np.sum(cells.label == "PV") > 100
    assert len(set(cells.animal)) >= 17
    assert np.sum(lakunina(DATA).label == "SST") > 100
    monkey, cluster = macaque(DATA)
    assert len(monkey) == len(cluster)
