"""Intervals learnt from what was left out, and single spikes."""

import numpy as np
import pytest

from nissl.annotators.rates.discrete import discrete
from nissl.annotators.rates.resampling import true_rate
from nissl.annotators.rates.spread import Spread, fit_spread
from nissl.errors import MissingInputError


def pair(seed, n=6000):
    rng = np.random.default_rng(seed)
    active = rng.random(n) < 0.3
    true = np.where(active, rng.gamma(2.0, 2.0, n), 0.0)
    return true * rng.lognormal(0, 0.4, n) + np.abs(rng.normal(0, 0.1, n)), true


def test_nine_in_ten_lie_within_on_another_set():
    sets = [pair(seed) for seed in range(4)]
    spread = fit_spread([p for p, _ in sets], [t for _, t in sets])
    predicted, true = pair(9)
    predicted = spread.scale * predicted
    low, high = spread(predicted)
    within = (true >= low) & (true <= high)
    assert within.mean() > 0.87  # silence is exact here, and all of it lies within
    assert 0.85 < within[predicted > 1].mean() < 0.95
    assert np.all(low <= predicted)
    assert np.all(high >= predicted)


def test_what_is_said_too_low_is_scaled():
    sets = [pair(seed) for seed in range(4)]
    plain = fit_spread([p for p, _ in sets], [t for _, t in sets])
    low = fit_spread([p / 4 for p, _ in sets], [t for _, t in sets])
    assert low.scale == pytest.approx(4 * plain.scale)
    np.testing.assert_allclose(low(np.ones(3)), plain(np.ones(3)), rtol=1e-6)


def test_sets_count_alike_however_long():
    (p, t), (q, u) = pair(0, 6000), pair(1, 6000)
    once = fit_spread([p, q], [t, u])
    longer = fit_spread([np.tile(p, 3), q], [np.tile(t, 3), u])
    x = np.array([0.1, 1.0, 5.0])
    np.testing.assert_allclose(once(x)[1], longer(x)[1], rtol=0.15)


def test_a_round_trip_and_too_little():
    spread = fit_spread([pair(0)[0]], [pair(0)[1]])
    again = Spread.from_json(spread.to_json())
    x = np.linspace(0, 40, 50)
    np.testing.assert_array_equal(spread(x), again(x))
    with pytest.raises(MissingInputError):
        fit_spread([np.zeros(10)], [np.zeros(10)])


def test_single_spikes_of_a_perfect_rate():
    edges = np.arange(0, 60, 1 / 30)
    spikes = np.array([3.0, 10.0, 10.5, 20.0, 20.05, 20.1])
    rate = true_rate(spikes, edges, 0.05)
    frames, sizes = discrete(rate, rate, 30.0, 0.05)
    assert frames.size == spikes.size
    np.testing.assert_allclose((frames + 0.5) / 30, spikes, atol=0.06)
    np.testing.assert_allclose(sizes, 1.0, atol=0.1)


def test_what_may_be_silence_gives_no_spikes():
    edges = np.arange(0, 20, 1 / 30)
    rate = true_rate(np.array([5.0, 10.0]), edges, 0.05)
    for low in (np.zeros_like(rate), np.full_like(rate, np.nan)):
        assert discrete(rate, low, 30.0, 0.05)[0].size == 0
