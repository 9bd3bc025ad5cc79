"""The pretraining benchmark draws labels as it says and never learns from whom it scores."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def data(n=60, seed=0):
    from _pretraining_work import Data
    from nissl.nets.windows import Grid

    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    t = np.arange(384) / 128
    x = np.sin(2 * np.pi * (13 + 4 * y[:, None, None]) * t) + 0.3 * rng.standard_normal((n, 2, 384))
    who = np.array([f"s{k % 4}" for k in range(n)])
    x = x.astype(np.float32)
    return Data(x, y, who, x, who, Grid(128.0, 3.0, 3.0))


def test_every_subject_is_scored_once_and_never_learnt_from():
    from pretraining import cuts

    every = data()
    pairs = cuts(every, every, True, 0, False)
    for known, new in pairs:
        assert not set(known.subjects) & set(new.subjects)
        assert not set(known.bare_subject) & set(new.bare_subject)
    assert sorted(s for _, new in pairs for s in new.subjects) == every.subjects
    assert cuts(every, data(seed=1), False, 0, False)[0][0] is every


def test_labels_are_as_many_as_said_and_alike():
    from _pretraining_work import drawn

    every = data(300)
    rows = drawn(every, 1.0, np.random.default_rng(0))
    assert len(rows) == len(set(rows.tolist())) == 20
    assert np.bincount(every.y[rows]).tolist() in ([7, 7, 6], [7, 6, 7], [6, 7, 7])
    assert len(drawn(every, 0.01, np.random.default_rng(0))) == 3
    assert len(drawn(every, 1e9, np.random.default_rng(0))) == 300


def test_floors_find_what_is_there():
    from _pretraining_work import Scaled, by_subject, correlations, powers

    every = data()
    assert min(correlations(every).values()) > 0.9
    x = powers(every.x, 128.0)
    said = Scaled(x[:30], every.y[:30], 3).say(x)
    assert min(by_subject(said, every).values()) > 0.9


def test_the_conclusion_compares_within_subjects():
    from _pretraining_page import ROWS, conclusion, gain, pays

    def scores(value):
        subjects = {"a": value, "b": value + 0.1, "c": value}
        return {"estimate": value, "low": None, "high": None, "subjects": subjects}

    data = {"ways": {way: {"5": scores(0.5)} for way in ROWS}}
    assert pays(data) == []
    assert "does not pay" in conclusion({"data": {"x": data}})
    data["ways"]["cpc"]["5"] = scores(0.7)
    assert abs(gain(data, "cpc", "band powers", "5").estimate - 0.2) < 1e-9
    assert pays(data) == ["contrastive predictive at 5 min"]
