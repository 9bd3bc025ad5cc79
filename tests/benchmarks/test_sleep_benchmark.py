"""The benchmark of sleep: what it computes, on nights made of numbers."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.sleep.powers import NAMES
from nissl.annotators.sleep.simulate import hypnogram
from nissl.annotators.sleep.sleep_edf import Night, read_nights
from nissl.errors import CorruptSourceError, SourceNotFoundError

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
COLUMNS = tuple(f"{role}:{name}" for role in ("front", "back") for name in NAMES)


@pytest.fixture(scope="module")
def work():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("_sleep_work")
    finally:
        sys.path.remove(str(BENCHMARKS))


def night(seed, subject, n=160):
    rng = np.random.default_rng(seed)
    stage = hypnogram(n, rng)
    means = np.random.default_rng(0).normal(0, 1.0, (5, len(COLUMNS)))
    values = means[stage] + rng.normal(0, 0.8, (n, len(COLUMNS)))
    return Night(f"night{seed}", subject, values, COLUMNS, stage)


@pytest.fixture(scope="module")
def cuts(work, tmp_path_factory):
    nights = [night(k, subject) for k, subject in enumerate("abc")]
    kept = tmp_path_factory.mktemp("learners")
    found = work.folds(nights, nights, True, 0, kept)
    again = work.folds(nights, nights, True, 0, kept)
    assert [a.learner.weights for a in found] == [b.learner.weights for b in again]
    return found


def test_nobody_is_scored_by_a_learner_that_knows_them(cuts):
    for held in cuts:
        assert held.subject not in {n.subject for n in held.known}
        assert {n.subject for n in held.nights} == {held.subject}


def test_scores_and_coverage(work, cuts):
    got = work.scored([work.told(cuts, work.nissl)], calibrated=True)
    assert got["kappa"] > 0.5
    assert got["kappa_interval"][0] <= got["kappa"] <= got["kappa_interval"][1] + 1e-9
    assert set(got["by_subject"]) == {"a", "b", "c"}
    coverage = [got["coverage"][key]["coverage"] for key in ("0.05", "0.1", "0.2")]
    assert coverage == sorted(coverage)


def test_peers_say_all_stages(work, cuts):
    for name in work.PEERS:
        p = work.peer(name, cuts[0], cuts[0].nights)
        assert p.shape == (160, 5)
        assert np.allclose(p.sum(axis=1), 1)


def test_answers_and_labels_from_nothing(work, cuts):
    got = work.personal(cuts[:1], 1)
    assert set(got) == {"at random", "least sure"}
    curves = work.active(cuts[:1], 1, (30, 60))
    assert set(curves["kappa"]) == {"random", "least sure"}
    assert all(len(curve) == 2 for curve in curves["kappa"].values())


def test_the_threshold_keeps_the_budget_where_it_is_chosen(work):
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1.0, 2000)
    right = rng.random(2000) < confidence
    subject = np.repeat(["a", "b"], 1000)
    threshold = work._threshold(confidence, right, subject, 0.1)
    kept = confidence >= threshold
    errors = [np.mean(~right[kept & (subject == s)]) for s in ("a", "b")]
    assert 0 < kept.mean() < 1
    assert np.mean(errors) <= 0.1


def test_nights_are_cut_around_sleep_and_damage_is_told(tmp_path):
    stage = np.zeros(400, np.int8)
    stage[150:250] = 2
    names = np.asarray(["Fpz-Cz:log10_var", "Pz-Oz:log10_var"])
    np.savez(tmp_path / "SC4091E0.npz", X=np.zeros((400, 2)), y=stage, names=names)
    (found,) = read_nights(tmp_path)
    assert found.subject == "09"
    assert len(found.stage) == 220
    assert found.names == ("front:log10_var", "back:log10_var")
    np.savez(tmp_path / "SC4092E0.npz", X=np.zeros((4, 2)))
    with pytest.raises(CorruptSourceError, match="SC4092E0"):
        read_nights(tmp_path)
    with pytest.raises(SourceNotFoundError):
        read_nights(tmp_path / "none")
