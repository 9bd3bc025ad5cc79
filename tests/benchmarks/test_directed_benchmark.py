"""The benchmark of directed dependence counts right, and its page stands with parts missing."""

from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_arrows_are_counted():
    from _directed_work import _counts
    from nissl.align.directed.arrows import Arrow, judge

    tested = [Arrow(0, 1, 1.0, 1e-9), Arrow(1, 0, 0.0, 0.9), Arrow(2, 1, 1.0, 1e-9)]
    truth = np.zeros((3, 3), dtype=bool)
    truth[0, 1] = truth[1, 2] = True
    found = _counts(judge(tested, "abc", method="test"), truth)
    assert found["arrows"] == 2
    assert found["right"] == 1
    assert found["backwards"] == 1
    assert (found["true"], found["absent"]) == (2, 4)


def test_own_simulations_and_the_page(tmp_path):
    from _directed_page import markdown, plot
    from _directed_work import series

    row = series(tmp_path, kind="autoregression", seeds=2)
    assert row["verdicts"]["right"] <= row["verdicts"]["true"] == 10
    parts = dict.fromkeys(
        ("te", "lorenz", "netsim", "feedback", "spikes", "dcm", "rdcm", "voi"), ()
    )
    task = {"how": "series", "kind": "autoregression", "seeds": 2}
    parts["series"] = [{"task": task, "error": None, "result": row}]
    results = {"machine": {"cpu": "a", "cores": 2}, "nissl": "0", "parts": parts}
    text = markdown(results, "x.png")
    assert "Our own simulations" in text
    assert "was not run" in text
    plot(results, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000


def test_every_task_has_its_function():
    import _directed_work
    from directed import tasks

    for work in tasks(quick=True).values():
        for task in work:
            assert callable(getattr(_directed_work, task["how"]))
