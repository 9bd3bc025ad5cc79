"""Artifacts by rule: finite, of their level, reproducible."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.screen.contaminating import (
    KINDS,
    LEVEL_UV,
    RAIL_UV,
    contamination,
    saturated,
)

PLACES = np.stack([np.zeros(8), 20.0 * np.arange(8)], axis=1)


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize("rate_hz", [10_000.0, 30_000.0])
def test_courses_are_finite_and_about_one(name, rate_hz):
    for seed in range(20):
        course = KINDS[name](rate_hz, np.random.default_rng(seed))
        assert course.ndim == 1
        assert np.all(np.isfinite(course))
        assert 0 < np.abs(course).max() < 6


def test_contamination_follows_its_seed_and_covers_channels():
    made = [contamination(30_000, PLACES, 30_000.0, np.random.default_rng(s)) for s in (1, 1, 2)]
    np.testing.assert_array_equal(made[0], made[1])
    assert np.any(made[0] != made[2])
    assert made[0].shape == (30_000, 8)
    assert np.all(np.isfinite(made[0]))
    assert LEVEL_UV[0] / 10 < np.abs(made[0]).max() < 20 * LEVEL_UV[1]


def test_none_asked_for_is_none():
    rng = np.random.default_rng(0)
    assert not contamination(3000, PLACES, 30_000.0, rng, per_s=0.0).any()


def test_unknown_places_and_one_channel_do():
    rng = np.random.default_rng(3)
    assert np.all(np.isfinite(contamination(30_000, np.full((4, 2), np.nan), 30_000.0, rng)))
    assert contamination(30_000, PLACES[:1], 30_000.0, rng).shape == (30_000, 1)


def test_rails_cut():
    given = np.asarray([[-1e5, 10.0], [1e5, -10.0]], np.float32)
    cut = saturated(given, np.random.default_rng(0))
    assert RAIL_UV[0] <= cut[1, 0] == -cut[0, 0] <= RAIL_UV[1]
    assert cut[0, 1] == 10.0
