"""From raw to numbers, on signals of known spectrum."""

import numpy as np
import pytest

from nissl.annotators.sleep.epochs import epochs_of
from nissl.annotators.sleep.powers import BANDS, NAMES, powers
from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError


def numbers(samples, rate_hz, epoch_s=30.0, clock=None):
    signal = Signal.from_array(np.asarray(samples, np.float32), rate_hz, clock=clock)
    start, stop = epochs_of(signal.clock, epoch_s)
    return powers(signal, range(signal.n_channels), start, stop)


def test_white_noise_has_its_density_in_every_band():
    rate, sd = 100.0, 20.0
    x = np.random.default_rng(0).normal(0, sd, (30_000, 1))
    got = numbers(x, rate)[:, 0]
    density = sd**2 / (rate / 2)  # one-sided, uV^2/Hz
    assert np.allclose(got[:, : len(BANDS)].mean(axis=0), np.log10(density), atol=0.05)
    assert np.allclose(got[:, len(BANDS)].mean(), np.log10(sd**2), atol=0.02)
    assert np.allclose(got[:, -1].mean(), np.sqrt(2), atol=0.02)


@pytest.mark.parametrize("hz", [2.0, 6.0, 10.0, 20.0, 40.0])
def test_a_sine_is_in_its_band_with_its_power_and_mobility(hz):
    rate, amplitude = 100.0, 30.0
    t = np.arange(int(120 * rate)) / rate
    got = numbers(amplitude * np.sin(2 * np.pi * hz * t)[:, None], rate)[1, 0]
    band = next(k for k, (low, high) in enumerate(BANDS.values()) if low <= hz < high)
    assert got[: len(BANDS)].argmax() == band
    width = next(high - low for low, high in [list(BANDS.values())[band]])
    assert np.isclose(10 ** got[band] * width, amplitude**2 / 2, rtol=0.15)
    assert np.isclose(got[-1], 2 * np.sin(np.pi * hz / rate), rtol=0.02)


@pytest.mark.parametrize("rate", [128.0, 173.61, 200.0, 256.0, 399.6, 512.0, 1000.0])
def test_other_rates_give_the_same_numbers(rate):
    rng = np.random.default_rng(1)
    t = np.arange(90 * 1000) / 1000
    parts = [(1.5, 40), (6, 15), (10, 20), (14, 8), (35, 3)]
    phase = rng.uniform(0, 6, len(parts))

    def wave(at):
        return sum(
            a * np.sin(2 * np.pi * f * at + p) for (f, a), p in zip(parts, phase, strict=True)
        )

    reference = numbers(wave(np.arange(9000) / 100)[:, None], 100.0)
    got = numbers(wave(np.arange(int(t[-1] * rate)) / rate)[:, None], rate)
    n = min(len(got), len(reference))
    assert np.allclose(got[:n], reference[:n], atol=0.05)


def test_scale_adds_a_constant_and_sign_changes_nothing():
    x = np.random.default_rng(2).normal(0, 10, (12_000, 2))
    base, louder, flipped = (numbers(f * x, 100.0) for f in (1.0, 1.5, -1.0))
    assert np.allclose(louder[..., :6] - base[..., :6], 2 * np.log10(1.5), atol=1e-5)
    assert np.allclose(louder[..., 6], base[..., 6], atol=1e-6)
    assert np.array_equal(flipped, base)


def test_no_signal_and_bands_that_were_not_recorded_are_missing():
    x = np.zeros((6000, 2))
    x[:, 1] = np.random.default_rng(3).normal(0, 10, 6000)
    x[3000:, 1] = np.nan
    got = numbers(x, 100.0)
    assert np.isnan(got[:, 0]).all()
    assert np.isfinite(got[0, 1]).all()
    assert np.isnan(got[1, 1]).all()
    slow = numbers(np.random.default_rng(4).normal(0, 10, (1800, 1)), 60.0)
    gamma = list(NAMES).index("log10_bp_gamma_30-50")
    assert np.isnan(slow[..., gamma]).all()
    assert np.isfinite(np.delete(slow, gamma, axis=-1)).all()


def test_epochs_begin_anew_after_a_gap_and_none_crosses_it():
    clock = Clock.from_segments(100.0, [7000, 5000], [0.0, 200.0])
    start, stop = epochs_of(clock, 30.0)
    assert start.tolist() == [0, 3000, 7000]
    assert stop.tolist() == [3000, 6000, 10000]
    x = np.random.default_rng(5).normal(0, 10, (12_000, 1))
    assert numbers(x, 100.0, clock=clock).shape == (3, 1, 7)


def test_rates_with_a_fraction_do_not_drift():
    clock = Clock.regular(173.61, int(173.61 * 3600 * 8))
    start, stop = epochs_of(clock, 30.0)
    assert np.array_equal(start[1:], stop[:-1])
    assert np.all(np.abs(start - np.arange(start.size) * 30 * 173.61) <= 0.5)


def test_short_epochs_are_measured_in_thirty_seconds():
    x = np.random.default_rng(6).normal(0, 10, (18_000, 1))
    short, long = numbers(x, 100.0, 10.0), numbers(x, 100.0, 30.0)
    assert len(short) == 18
    assert np.allclose(short[4], long[1])  # the 30 s around its middle


def test_impossible_lengths_are_refused():
    clock = Clock.regular(100.0, 1000)
    for epoch_s in (0.0, 100.0, 30.0):
        with pytest.raises(BadArgumentError):
            epochs_of(clock, epoch_s)
