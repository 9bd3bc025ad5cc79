"""Doubts about units: one that is two, two that are two, and numbers that go the right way."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.own.doubting.doubts import MOST, doubts, evidence, probability
from nissl.annotators.spikes.own.doubting.heaps import PIECES, Heaps, divided, together
from nissl.annotators.spikes.own.sorter import Fitted

N_SHAPES, N_NEAR = 3, 4


def spikes(rng, n, at):
    """Features of spikes of unit noise around a mean."""
    return (rng.normal(0, 1, (n, N_SHAPES, N_NEAR)) + at).astype(np.float32)


@pytest.mark.parametrize("apart_sd", [0.0, 8.0])
def test_two_heaps_are_told_from_one(apart_sd):
    rng = np.random.default_rng(0)
    line = np.zeros((N_SHAPES, N_NEAR))
    line[1, 2] = apart_sd
    usual = np.full((N_SHAPES, N_NEAR), 6.0)
    both = np.concatenate([spikes(rng, 200, usual), spikes(rng, 100, usual + line)])
    order = rng.permutation(len(both))
    found = divided(both[order], np.arange(len(both)) * PIECES // len(both), 20.0, rng)
    turns = np.where(np.arange(len(both)) < 200, 0, PIECES - 1)
    assert divided(both[order], turns[order], 20.0, rng).ratio < 5
    if apart_sd:
        assert found.share == pytest.approx(1 / 3, abs=0.02)
        assert probability(found) > 0.6
    else:
        assert probability(found) < 0.1


def test_trains_overlap_where_they_fire_together():
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, PIECES, 2000) for _ in range(2))
    assert together(one, other) > 0.85
    assert together(one, one) == pytest.approx(1)
    assert together(one % 10, 10 + other % 10) == 0


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_more_heaps_are_more_doubt(share):
    ratios = [0.0, 3.0, 10.0, 100.0, 1e6]
    p = [probability(Heaps(ratio, share)) for ratio in ratios]
    assert np.all(np.diff(p) > 0)
    assert 0 < p[0] < 0.05
    told = [evidence(Heaps(ratio, share)) for ratio in ratios]
    assert np.all(np.diff(told) >= 0)
    assert told[0] < 0 < told[-1] == MOST


@pytest.fixture(scope="module")
def two(known):
    return known(seconds=20)


def test_a_unit_of_two_neurons_is_doubted_and_each_alone_is_not(two):
    alone = doubts(two.signal, two.fitted, np.arange(2), 0)
    assert alone.split.max() < 0.2
    ((one, other, apart),) = alone.apart
    assert (one, other) == (0, 1)
    assert apart == MOST
    mixed = doubts(two.signal, replace(two.fitted, unit=np.asarray([0, 0])), np.asarray([1]), 0)
    assert mixed.split[0] > 0.8
    assert mixed.apart == ()


def test_a_unit_that_is_not_given_out_has_no_pairs(two):
    told = doubts(two.signal, two.fitted, np.asarray([1]), 0)
    assert told.split.shape == (1,)
    assert told.apart == ()


def test_without_units_nothing_is_doubted(two):
    told = doubts(two.signal, Fitted(two.fitted.front, None), np.empty(0, np.int64), 0)
    assert told.split.size == 0
