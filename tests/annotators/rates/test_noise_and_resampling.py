"""Noise levels, and traces on other frame rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.rates.noise import PER_SD, noise_level, sd_of, with_level
from nissl.annotators.rates.resampling import at_rate, averaged, back, edges_of, true_rate
from nissl.errors import BadArgumentError


def test_level_of_white_noise():
    x = np.random.default_rng(0).normal(0, 0.1, 200_000)
    assert noise_level(x, 25.0) == pytest.approx(100 * 0.1 * PER_SD / 5, rel=0.02)
    assert sd_of(x) == pytest.approx(0.1, rel=0.02)


def test_level_leaves_missing_frames_out():
    x = np.random.default_rng(0).normal(0, 0.1, 20_000)
    holes = x.copy()
    holes[::50] = np.nan
    assert noise_level(holes, 25.0) == pytest.approx(noise_level(x, 25.0), rel=0.03)
    assert noise_level([0.1], 30.0) == 0


def test_noise_is_added_up_to_a_level_and_never_taken_off():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.05, 50_000).astype(np.float32)
    assert noise_level(with_level(x, 30.0, 4.0, rng), 30.0) == pytest.approx(4.0, rel=0.02)
    assert with_level(x, 30.0, 0.1, rng) is x


def test_averaging_keeps_the_level_of_white_noise():
    x = np.random.default_rng(0).normal(0, 0.1, 90_000)
    slow = at_rate(x, 30.0, 7.5)
    assert slow.size == 22_500
    assert noise_level(slow, 7.5) == pytest.approx(noise_level(x, 30.0), rel=0.1)


@given(st.floats(2.0, 80.0), st.floats(2.0, 80.0), st.integers(40, 400))
def test_a_ramp_stays_a_ramp(rate, target, n):
    t = (np.arange(n) + 0.5) / rate
    if n * target / rate < 4:
        return
    moved = at_rate(3 * t, rate, target)
    middle = (np.arange(moved.size) + 0.5) / target
    inside = (middle - 0.5 / target > t[0]) & (middle + 0.5 / target < t[-1])
    np.testing.assert_allclose(moved[inside], 3 * middle[inside], rtol=1e-9, atol=1e-9)
    assert back(moved, target, rate, n).shape == (n,)


def test_repeated_and_decreasing_times_are_left_out():
    t = np.array([0.0, 1.0, 1.0, 0.5, 2.0, 3.0])
    x = np.array([0.0, 1.0, 9.0, 9.0, 2.0, 3.0])
    np.testing.assert_allclose(averaged(t, x, np.array([0.0, 1.0, 2.0, 3.0])), [0.5, 1.5, 2.5])
    with pytest.raises(BadArgumentError):
        averaged(np.zeros(3), np.zeros(3), np.array([0.0, 1.0]))


def test_true_rate_counts_every_spike_once():
    edges = edges_of(np.linspace(0, 20, 201), 7.5)
    rate = true_rate(np.array([5.0, 5.1, 12.0]), edges, 0.2)
    assert rate.sum() / 7.5 == pytest.approx(3.0)
    assert abs(int(np.argmax(rate)) / 7.5 - 5.05) < 0.2
