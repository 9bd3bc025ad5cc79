"""The benchmark of wrong labels: planting, scoring, and a page that says what was found."""

import math
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def separable(n=300):
    """Features that give the class away, its code, and a group for each item."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    return np.eye(3)[y] * 6 + rng.normal(size=(n, 3)), y, np.arange(n) % 4


def searched(monkeypatch, change="any"):
    import label_errors

    def nearest(x, y, test):
        means = np.stack([x[y == k].mean(axis=0) for k in range(3)])
        p = np.exp(-0.5 * np.square(test[:, None] - means).sum(axis=2))
        return p / p.sum(axis=1, keepdims=True)

    monkeypatch.setattr(label_errors, "forest", nearest)
    return label_errors.search(*separable(), change, 3)


@pytest.mark.parametrize("change", ["any", "near"])
def test_a_twentieth_is_planted_and_only_as_said(change):
    import label_errors

    _, y, _ = separable()
    labels, bad = label_errors.planted(y, change, np.random.default_rng(1))
    assert bad.sum() == 15
    assert np.array_equal(labels != y, bad)
    if change == "near":
        assert set(y[bad]) | set(labels[bad]) == {0, 1}


def test_scores_are_those_of_the_planted_labels(monkeypatch):
    found = searched(monkeypatch)
    pick = found["summary"]["picks"]["nissl"]
    assert pick["precision"]["estimate"] > 0.8
    assert pick["recall"]["estimate"] > 0.8
    recall = found["summary"]["rankings"]["nissl"]["recall"]
    assert recall[0] == 0
    assert np.all(np.diff(recall) >= 0)
    assert math.isclose(found["tries"][0]["noise"], 0.05, abs_tol=0.02)


def test_the_page_says_what_was_found_missed_and_not_run(monkeypatch, tmp_path):
    import label_errors
    from _common import finite

    row = {"data": "simulated", "change": "any", "error": None} | searched(monkeypatch)
    failed = {"data": "real", "change": "any", "error": "timeout"}
    results = {
        "nissl": "0",
        "seeds": 3,
        "machine": {"cpu": "a cpu", "cores": 2},
        "fractions": list(label_errors.FRACTIONS),
        "changes": label_errors.CHANGES,
        "materials": {"simulated": {}, "real": {"error": "no such folder"}},
        "rows": [row, failed],
    }
    label_errors.write(finite(results), tmp_path / "out", tmp_path / "docs" / "label_errors.md")
    page = (tmp_path / "docs" / "label_errors.md").read_text()
    assert "met (" in page
    assert "Failed: timeout" in page
    assert "Not run: no such folder" in page
    assert (tmp_path / "docs" / "label_errors.png").stat().st_size > 5000
    assert "tries" not in (tmp_path / "docs" / "label_errors.results.json").read_text()
