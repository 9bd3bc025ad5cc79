"""Cell or not, and days: data are split as said, and pages tell what was found."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
quality = pytest.importorskip("_cells_quality")
days = pytest.importorskip("_cells_days")


def test_recordings_are_told_apart_by_their_unit():
    rng = np.random.default_rng(0)
    parts = [unit * rng.integers(5, 200, n) for unit, n in ((0.018, 120), (0.0057, 90))]
    assert quality._recordings(np.concatenate(parts), 0) == [(0, 120), (120, 210)]


@pytest.fixture
def curated():
    rng = np.random.default_rng(1)
    cell = rng.random(400) < 0.5
    values = np.stack(
        [
            np.where(cell, 2.5, 1.0) + rng.normal(0, 0.7, 400),
            rng.uniform(1, 1.3, 400),
            rng.lognormal(0, 0.3, 400),
        ],
        axis=1,
    )
    return quality.Curated(values, cell, (np.arange(400) // 100).astype(str))


@pytest.mark.parametrize("name", sorted(quality.METHODS))
def test_every_method_learns(curated, name):
    train = np.arange(300)
    p = quality.METHODS[name](curated, train, 0)(curated.values[300:])
    told = quality.scored(p, curated.cell[300:])
    assert told["auroc"] > 0.85
    assert np.allclose(p.sum(axis=1), 1)


def test_when_a_curve_stays_at_its_aim():
    sizes = (20, 40, 60, 80)
    curve = np.array([0.6, 0.9, 0.8, 0.95])
    assert quality._reached(sizes, curve, 0.85, falling=False) == 80
    assert quality._reached(sizes, -curve, -0.5, falling=True) == 20
    assert quality._reached(sizes, curve, 0.99, falling=False) is None


def test_a_page_without_data_says_so():
    assert "were not there" in " ".join(quality.section({}, "x.png"))


def test_a_turned_field_keeps_its_cells_and_a_page_tells_of_it():
    from nissl.testing.regions import example_footprints

    cells = example_footprints(np.random.default_rng(0), 20)
    assert days._truth(cells, cells).shape[0] >= 20
    turned = days._turned(cells, 0.0, np.array([3.0, 0.0]))
    moved = turned.centres() - cells.centres()
    inside = cells.centres()[:, 1] < 40
    assert np.allclose(moved[inside, 1], 3, atol=0.7)
    told = {"p": np.array([0.9, 0.1]), "right": np.array([True, False]), "chosen": np.array([0])}
    row = days._figures([told | {"n": 1, "cells": 2, "correlation": 0.5}])
    page = " ".join(days.section({"simulated": {"a": row}, "people": {"fields": 0}}))
    assert "0.0%" in page
