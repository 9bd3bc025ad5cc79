"""Overlapping pairs: neighbours, as many spikes near each other's as asked for, none too near."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.overlapping import nearest_pairs, overlapping


def trains(seed, n=400, dead=20):
    rng = np.random.default_rng(seed)
    return [np.cumsum(dead + rng.integers(0, 2000, n)) for _ in range(2)]


def near(ticks, others, window):
    after = np.clip(np.searchsorted(others, ticks), 1, len(others) - 1)
    gap = np.minimum(np.abs(others[after] - ticks), np.abs(ticks - others[after - 1]))
    return np.mean(gap <= window)


def test_nearest_units_are_paired_and_each_once():
    place = np.asarray([[0.0, 0.0], [100.0, 0.0], [1.0, 0.0], [130.0, 0.0], [500.0, 0.0]])
    assert nearest_pairs(place) == [(0, 2), (1, 3)]
    assert nearest_pairs(place[:1]) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.floats(0, 0.5))
def test_a_share_of_spikes_is_moved_and_none_comes_too_near(seed, share):
    ticks, others = trains(seed)
    out = overlapping(ticks, others, share, 30, 20, np.random.default_rng(seed))
    assert np.all(np.diff(out) >= 20)
    assert 0.9 * len(ticks) <= len(out) <= len(ticks)
    assert near(out, others, 30) >= 0.9 * share


def test_no_share_changes_nothing_and_few_others_are_enough():
    ticks, others = trains(1)
    rng = np.random.default_rng(0)
    assert np.array_equal(overlapping(ticks, others, 0.0, 30, 20, rng), ticks)
    few = overlapping(ticks, others[:3], 0.5, 30, 20, rng)
    assert len(ticks) - len(few) <= 6
    assert len(overlapping(ticks[:0], others, 0.5, 30, 20, rng)) == 0
