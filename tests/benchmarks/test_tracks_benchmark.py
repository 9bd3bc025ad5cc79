"""The benchmark of tracks: scores, the reader and annotations needed, on tracks made up for it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from nissl.annotators.tracks.positions import Positions

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ONE = np.ones(3)


@pytest.fixture(scope="module")
def made() -> Iterator[SimpleNamespace]:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("_tracks_page", "_tracks_reader", "_tracks_scores")
        yield SimpleNamespace(
            **{k: v for name in names for k, v in vars(importlib.import_module(name)).items()}
        )
    finally:
        sys.path.remove(str(BENCHMARKS))


def grid(n: int = 12, frames: int = 4) -> Positions:
    xyz = np.stack(np.meshgrid(np.arange(n) * 10.0, [5.0], [3.0], indexing="ij"), -1)
    return Positions.build(np.arange(frames), np.repeat(xyz.reshape(1, n, 3), frames, 0))


def test_two_neurons_exchanged_are_found_but_not_right(made: SimpleNamespace) -> None:
    true = grid()
    swapped = true.xyz.copy()
    swapped[1, [0, 1]] = swapped[1, [1, 0]]
    said = Positions.build(true.frames, swapped)
    scores = made.judged(said, true, ONE, 3.0)
    assert scores["found"] == 1.0
    assert scores["right"] == pytest.approx(46 / 48)
    sure, right = made.confidence_of(said, true, ONE, 3.0)
    assert right.sum() == 46
    assert np.isnan(sure).all()


def test_a_place_of_nobody_and_a_missing_volume_are_wrong(made: SimpleNamespace) -> None:
    true = grid()
    absent = true.xyz.copy()
    absent[2, 5] = np.nan
    there = Positions.build(true.frames, absent)
    _, right = made.confidence_of(true, there, ONE, 3.0)
    assert right.sum() == 47
    assert made.judged(true.take(np.array([0, 1])), true, ONE, 3.0)["right"] == 0.5


def test_a_sure_and_right_method_is_calibrated_and_a_boastful_one_is_not(
    made: SimpleNamespace,
) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 20_000)
    right = rng.uniform(0, 1, p.size) < p
    assert made.reliability(p, right)["ece"] < 0.02
    assert made.reliability(np.full(p.size, 0.99), right)["ece"] > 0.4


def test_a_reader_pays_for_what_is_wrong_and_for_what_is_looked_at(made: SimpleNamespace) -> None:
    right = np.ones((10, 100), bool)
    right[0, :60] = False
    sure = np.full(right.shape, 0.9)
    sure[0, :60] = 0.1
    told = made.corrected(right, sure, 0, made.Times(place_s=4.0, look_s=1.0))
    assert told["corrections"] == 50
    assert told["looks"] == 50 + 300
    assert told["s_per_place"] == pytest.approx((50 * 5 + 300) / 990)
    blind = made.corrected(right, np.zeros(right.shape) + np.arange(100), 0, made.Times())
    assert blind["looks"] > told["looks"]
    assert (
        made.corrected(np.ones((2, 50), bool), np.ones((2, 50)), 10, made.Times())["looks"] == 300
    )


def test_annotations_needed_lie_between_counts(made: SimpleNamespace) -> None:
    assert made.needed({5: [0.9], 10: [1.0]}) == pytest.approx(np.sqrt(50))
    assert made.needed({5: [0.96], 10: [1.0]}) == 5
    assert made.needed({5: [0.5], 10: [0.6]}) is None
