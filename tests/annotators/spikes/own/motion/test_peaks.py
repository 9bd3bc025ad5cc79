"""Motion of a simulated recording is found in its samples, with any number of workers."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.motion import peaks
from nissl.annotators.spikes.own.motion.peaks import find_motion
from nissl.annotators.spikes.own.preprocessing.front import at_rest, fit_front, white
from nissl.annotators.spikes.simulate import simulate
from nissl.data import Signal

BAND_HZ = (300.0, 6000.0)


@pytest.fixture(scope="module")
def moving():
    return simulate(110, n_channels=20, duration_s=40, n_units=16, drift="rigid")[0].signal


@pytest.fixture(scope="module")
def found(moving):
    front = fit_front(moving, range(20), *BAND_HZ)
    return front, find_motion(moving, front)


def test_a_zigzag_of_30_um_is_found(found):
    motion = found[1]
    assert motion is not None
    assert motion.range_um == pytest.approx(30, abs=5)


def test_workers_do_not_change_it(moving, found):
    other = find_motion(moving, found[0], workers=3)
    np.testing.assert_array_equal(other.displacement_um, found[1].displacement_um)


def test_short_looks_find_it_too(moving, found, monkeypatch):
    monkeypatch.setattr(peaks, "MOST_VALUES", 15_000 * 20 * 20)
    motion = find_motion(moving, found[0])
    assert motion is not None
    time = np.linspace(2, 38, 50)
    apart = motion.at(time, 90.0) - found[1].at(time, 90.0)
    assert np.median(np.abs(apart - np.median(apart))) < 2


def test_still_tissue_is_left_alone():
    signal = simulate(111, n_channels=20, duration_s=20, n_units=10)[0].signal
    assert find_motion(signal, fit_front(signal, range(20), *BAND_HZ)) is None


def test_unknown_places_tell_nothing(moving):
    x = moving.read(0, 90_000)
    signal = Signal.from_array(x, moving.rate_hz)
    assert find_motion(signal, fit_front(signal, range(20), *BAND_HZ)) is None


def test_white_samples_at_rest_are_the_same_wherever_a_stretch_begins(moving, found):
    front = at_rest(moving, *found)
    segment, step = moving.clock.segments[0], front.band.step
    start = 12_000 * step
    whole = white(moving, front, segment, 300_000, 300_000 + 2 * start)
    part = white(moving, front, segment, 300_000 + start, 300_000 + 2 * start)
    np.testing.assert_allclose(part, whole[12_000:], atol=0.05)
    assert np.std(whole) == pytest.approx(1, abs=0.5)
