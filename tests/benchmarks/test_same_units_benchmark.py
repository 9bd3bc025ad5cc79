"""Planted days of the benchmark are what they say, and its page tells what was found."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
work = pytest.importorskip("_same_units_work")
page = pytest.importorskip("_same_units_page")
UNIT = pytest.importorskip("nissl.annotators.spikes.hybrid_units").HybridUnit


def real(rng, n):
    """Units as a library of real ones holds them."""
    time = np.arange(48)
    made = []
    for k in range(n):
        own = -np.exp(-0.5 * ((time - 20) / rng.uniform(2, 5)) ** 2)
        own += rng.uniform(0.1, 0.6) * np.exp(-0.5 * ((time - 32) / 5) ** 2)
        wave = own[:, None] * 80 * np.exp(-np.arange(8) / rng.uniform(1, 4))
        made.append(UNIT(f"s/u{k}", f"a{k}", wave.astype(np.float32), 30_000.0, np.arange(9.0)))
    return tuple(made)


def test_a_turnover_is_planted_among_real_units():
    rng = np.random.default_rng(0)
    days = work.hybrid_days(
        real(rng, 40), rng, n_units=20, n_channels=32, turnover=0.4, drift_um=20.0
    )
    assert [len(day) for day in days.days] == [20, 20]
    assert len(days.pairs()) == 12
    told = work.ours(days)
    assert told["pairs"] == 12
    assert told["found"] >= 6
    assert work.unitmatch(days, 1.0) is None


def test_a_page_tells_what_misses_the_aim():
    good = {
        "units": [9, 9], "pairs": 9, "links": 8, "wrong": 0, "found": 8, "expected_wrong": 0.2,
        "probability": [0.99, 0.9, 0.1], "right": [1, 1, 0], "seconds": 1.0, "off_um": 0.5,
    }  # fmt: skip
    cell = {"nissl": good, "unitmatch": None, "itself": {"found": 0.9}}
    bad = cell | {"nissl": good | {"wrong": 2, "found": 6}}
    chain = {"agreed": 5, "clashing": 1, "dropped": 0, "links": 9, "wrong": 1, "pairs": 10}
    rows = [
        {"key": {"name": "good", "kind": "simulated"}, "result": cell},
        {"key": {"name": "good", "kind": "simulated"}, "error": "timeout"},
        {"key": {"name": "bad", "kind": "real"}, "result": bad},
        {"key": {"name": "days", "kind": "chained"}, "result": chain},
    ]
    found = page.gathered(rows)
    assert found["good"]["failed"] == 1
    assert found["bad"]["nissl"]["false"][0] == 0.25
    text = page.markdown({"settings": found}, "x.png")
    assert "missed for bad by 20.0 points (2 of 8 links)" in text
    assert "of 6 paths over a third day 1 are" in text
