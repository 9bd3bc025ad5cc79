"""What events are, told from truth that was made by hand."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.screen.examples import (
    ARTIFACT,
    NOISE,
    OVERLAP,
    SPIKE,
    UNSURE,
    Known,
    assigned,
    kinds,
    nearest_spike,
)
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)


@pytest.fixture(scope="module")
def made():
    """Two units on channels 1 and 3 of six, 40 um apart; contamination from sample 1000 on."""
    waves = np.zeros((2, WINDOWS.long, 6), np.float32)
    waves[0, WINDOWS.long_before, 1] = 9
    waves[1, WINDOWS.long_before, [3, 1]] = [8, 4]
    z = np.random.default_rng(0).standard_normal((2000, 6)).astype(np.float32)
    added = np.zeros_like(z)
    added[1200:1300] = 20
    z[1600:1700] = 0  # blanked
    at = np.asarray([100, 300, 305, 500, 1250, 1650])
    unit = np.asarray([0, 0, 1, 1, 0, 0])
    place = np.stack([np.zeros(6), 20.0 * np.arange(6)], axis=1)
    snr = np.asarray([9.0, 8.0])
    return Known(z, added, place, RATE_HZ, at, unit, waves, snr, 1000)


def test_units_have_their_channel_and_size(made):
    assert made.main.tolist() == [1, 3]
    np.testing.assert_allclose(made.norm, [9, np.sqrt(80)])


def test_each_kind_is_told(made):
    at = np.asarray([100, 300, 200, 1220, 1250, 1650, 500])
    channel = np.asarray([1, 1, 1, 1, 1, 1, 3])
    spike = nearest_spike(made, at, channel)
    assert spike.tolist() == [0, 1, -1, -1, 4, 5, 3]
    got = kinds(made, at, channel, spike).tolist()
    assert got == [SPIKE, OVERLAP, NOISE, ARTIFACT, UNSURE, UNSURE, SPIKE]


def test_a_spike_far_along_the_probe_is_not_this_one(made):
    assert nearest_spike(made, np.asarray([100, 100]), np.asarray([5, 2])).tolist() == [-1, 0]


def test_a_true_spike_is_found_once_by_the_largest_event(made):
    at, channel = np.asarray([98, 101, 103]), np.asarray([1, 1, 1])
    got = assigned(made, at, channel, np.asarray([5.0, 9.0, 7.0], np.float32))
    assert got.tolist() == [-1, 0, -1]


def test_events_out_of_reach_have_no_spike(made):
    got = assigned(made, np.asarray([110]), np.asarray([1]), np.ones(1, np.float32))
    assert got.tolist() == [-1]
