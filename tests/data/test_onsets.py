import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import Signal
from nissl.data.onsets import Levels, detect_onsets, estimate_levels
from nissl.errors import BadArgumentError, BadSamplesError

RATE_HZ = 1000.0
LEVELS = Levels(400.0, 600.0, 20.0)


def ramps(true, n_samples, rise, *, high=400):
    """Rises of `rise` samples centred at `true`, from 0 to 1000, lasting `high` samples."""
    t = np.arange(n_samples)
    level = np.zeros(n_samples)
    for u in true:
        level += np.clip((t - u) / rise + 0.5, 0, 1) - np.clip((t - u - high) / rise + 0.5, 0, 1)
    return 1000 * level


def signal_of(values, clock=None):
    return Signal.from_array(np.asarray(values, np.float32)[:, None], RATE_HZ, clock=clock)


@pytest.mark.parametrize("rise", [8, 15, 25])
def test_noisy_ramps_are_found_to_a_fraction_of_a_sample_with_an_honest_jitter(rise):
    rng = np.random.default_rng(rise)
    true = np.arange(150) * 1000 + 300 + rng.uniform(0, 1, 150)
    noisy = ramps(true, 150_500, rise) + rng.normal(0, 20, 150_500)
    onsets = detect_onsets(signal_of(noisy), 0)
    error = onsets.samples[onsets.direction > 0] - true
    assert error.size == 150
    assert onsets.levels.noise == pytest.approx(20, rel=0.1)
    assert abs(error.mean()) < 0.1
    assert error.std() < 0.25
    jitter = onsets.jitter_s.mean() * RATE_HZ
    assert 0.6 < jitter / error.std() < 1.6
    fall = onsets.samples[onsets.direction < 0] - true - 400
    assert fall.size == 150
    assert abs(fall.mean()) < 0.1


def test_jitter_of_steep_edges_is_never_too_small():
    rng = np.random.default_rng(4)
    true = np.arange(150) * 1000 + 300 + rng.uniform(0, 1, 150)
    noisy = ramps(true, 150_500, 1.5) + rng.normal(0, 20, 150_500)
    onsets = detect_onsets(signal_of(noisy), 0)
    error = onsets.samples[onsets.direction > 0] - true
    assert error.std() < onsets.jitter_s.mean() * RATE_HZ < 0.35


def test_steps_between_two_samples_are_known_to_a_sample():
    values = np.where(np.arange(2000) % 1000 < 500, 0.0, 1000.0)
    onsets = detect_onsets(signal_of(values), 0, levels=Levels(400, 600, 0))
    assert onsets.samples.tolist() == [499.5, 999.5, 1499.5]
    np.testing.assert_allclose(onsets.jitter_s * RATE_HZ, 1 / np.sqrt(12))
    np.testing.assert_allclose(onsets.rising_s, [0.4995, 1.4995])
    np.testing.assert_allclose(onsets.falling_s, [0.9995])
    line = onsets.line("photodiode")
    assert line.rising.tolist() == [500, 1500]


@given(st.integers(0, 2**32 - 1), st.integers(1, 700))
@settings(max_examples=30, deadline=None)
def test_blocks_do_not_change_the_result(seed, block):
    rng = np.random.default_rng(seed)
    values = ramps([200, 900], 1500, rng.uniform(1, 40)) + rng.normal(0, 60, 1500)
    whole = detect_onsets(signal_of(values), 0, levels=LEVELS)
    pieces = detect_onsets(signal_of(values), 0, levels=LEVELS, block_samples=block)
    np.testing.assert_array_equal(whole.samples, pieces.samples)
    np.testing.assert_array_equal(whole.jitter_s, pieces.jitter_s)
    assert whole.n_slow == pieces.n_slow


def test_noise_between_the_thresholds_makes_no_edges():
    rng = np.random.default_rng(1)
    values = ramps([500], 2000, 200, high=800) + rng.uniform(-90, 90, 2000)
    onsets = detect_onsets(signal_of(values), 0, levels=LEVELS, max_rise_s=0.3)
    assert onsets.direction.tolist() == [1, -1]


def test_slow_passages_are_counted_not_reported():
    values = ramps([500], 2000, 400, high=800)
    onsets = detect_onsets(signal_of(values), 0, levels=LEVELS, max_rise_s=0.05, block_samples=33)
    assert onsets.samples.size == 0
    assert onsets.n_slow == 2


def test_no_edge_across_a_gap():
    clock = Clock.from_segments(RATE_HZ, [300, 300], [0.0, 10.0])
    values = np.concatenate([np.zeros(300), np.full(200, 1000.0), np.zeros(100)])
    onsets = detect_onsets(signal_of(values, clock), 0, levels=LEVELS)
    assert onsets.direction.tolist() == [-1]
    assert onsets.times_s[0] == pytest.approx(10.1995)


def test_levels_of_rare_flashes():
    rng = np.random.default_rng(2)
    values = ramps([5000, 15_000], 20_000, 1, high=50) + rng.normal(0, 10, 20_000)
    levels = estimate_levels(signal_of(values), 0, block_samples=999)
    assert levels.low == pytest.approx(400, abs=15)
    assert levels.high == pytest.approx(600, abs=15)
    assert levels.noise == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    "values", [np.full(500, 3.0), np.random.default_rng(3).normal(0, 1, 5000), np.zeros(0)]
)
def test_channels_without_two_levels_are_refused(values):
    with pytest.raises(BadSamplesError, match="two levels"):
        detect_onsets(signal_of(values), 0)


def test_samples_that_are_no_numbers_are_refused():
    values = np.zeros(500)
    values[321] = np.nan
    with pytest.raises(BadSamplesError, match="sample 321"):
        detect_onsets(signal_of(values), 0, levels=LEVELS, block_samples=100)


@pytest.mark.parametrize("levels", [(5, 5, 0), (6, 5, 0), (0, np.inf, 0), (0, 1, -1)])
def test_impossible_levels(levels):
    with pytest.raises(BadArgumentError):
        Levels(*levels)


def test_memory_is_bounded_by_the_block():
    """Reads ask for one channel and one block at a time."""
    asked = []

    class Reader:
        dtype = np.dtype(np.float32)

        def read(self, start, stop, channels):
            asked.append((stop - start, channels.size))
            return np.where(np.arange(start, stop) % 1000 < 500, 0, 1000)[:, None].astype("f4")

    plain = Signal.from_array(np.zeros((1, 3), np.float32), RATE_HZ)
    signal = Signal("aux", Reader(), plain.channels, Clock.regular(RATE_HZ, 50_000))
    assert detect_onsets(signal, "1", block_samples=4096).samples.size == 99
    assert max(asked) == (4096, 1)
