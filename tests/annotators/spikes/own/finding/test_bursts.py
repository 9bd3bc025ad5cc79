"""Small spikes that follow large ones are of one unit; those of like units on their own are not."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.bursts import follows, n_after, rejoin_bursts
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
N = round(120 * RATE_HZ)


def train(rng, hz):
    return np.sort(rng.integers(0, N, rng.poisson(hz * 120)))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def burst(rng):
    """Large spikes, and small ones 3 to 8 ms after half of them."""
    large = train(rng, 6.0)
    chosen = large[rng.random(large.size) < 0.5]
    return large, np.sort(chosen + rng.integers(45, 120, chosen.size))


@pytest.mark.parametrize("seed", range(5))
def test_a_burst_is_told_by_its_order(seed):
    large, small = burst(np.random.default_rng(seed))
    assert follows(small, large, RATE_HZ, 6.0)
    assert not follows(large, small, RATE_HZ, 3.0)


@pytest.mark.parametrize("hz", [0.5, 5.0, 40.0])
def test_independent_units_do_not_follow(rng, hz):
    for _ in range(20):
        assert not follows(train(rng, 4.0), train(rng, hz), RATE_HZ, hz)


def test_units_that_fire_together_either_way_do_not_follow(rng):
    one = train(rng, 6.0)
    other = np.sort(one + rng.choice([-1, 1], one.size) * rng.integers(45, 120, one.size))
    assert not follows(other, one, RATE_HZ, 6.0)


def long_burst(rng):
    """One large spike, and ten small ones after it, 5 ms apart."""
    large = train(rng, 3.0)
    after = 75 * np.arange(1, 11) + rng.integers(-8, 9, (large.size, 10))
    return large, np.sort((large[:, None] + after).ravel())


def test_small_spikes_that_follow_small_ones_are_of_the_unit_if_they_have_its_shape(rng):
    large, small = long_burst(rng)
    assert n_after(small, large, RATE_HZ) < 0.3 * small.size
    assert not follows(small, large, RATE_HZ, 3.0)
    assert follows(small, large, RATE_HZ, 3.0, one_shape=True)


@pytest.mark.parametrize("hz", [0.5, 5.0, 40.0])
def test_units_of_one_shape_that_do_as_they_please_are_two(rng, hz):
    for _ in range(20):
        assert not follows(train(rng, 8.0), train(rng, hz), RATE_HZ, hz, one_shape=True)


def test_nothing_follows_nothing():
    none = np.empty(0, np.int64)
    assert n_after(none, none, RATE_HZ) == 0
    assert not follows(none, np.array([5]), RATE_HZ, 1.0)


def test_only_like_templates_become_one_unit(rng):
    windows = Windows.at(RATE_HZ)
    t = np.arange(windows.long) - windows.long_before
    shape = -np.exp(-0.5 * (t / 2.0) ** 2) + 0.4 * np.exp(-0.5 * ((t - 8) / 4.0) ** 2)
    sizes = np.array([[20, 8, 0], [12, 5, 0], [0, 5, 12]], float)
    waves = (shape[None, :, None] * sizes[:, None, :]).astype(np.float32)
    cut = shape[windows.lead : windows.lead + windows.scored]
    basis = (cut / np.linalg.norm(cut))[None].astype(np.float32)
    templates = Templates(waves, basis, np.array([6.0, 3.0, 3.0]), windows)
    large, small = burst(rng)
    at = np.concatenate([large, small, small + 3])
    unit = np.repeat([0, 1, 2], [large.size, small.size, small.size])
    order = np.argsort(at, kind="stable")
    one = np.ones(at.size, np.float32)
    spikes = Matched(at[order], 0 * one, unit[order], one, one, unit * 0 - 1, 0 * one)
    np.testing.assert_array_equal(rejoin_bursts(templates, spikes, RATE_HZ), [0, 0, 1])
