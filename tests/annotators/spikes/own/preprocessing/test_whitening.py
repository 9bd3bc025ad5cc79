"""Noise made white: unit variance, no correlation in time or between near channels."""

import numpy as np
import pytest
from scipy.signal import lfilter

from nissl.annotators.spikes.own.preprocessing.filtering import (
    design,
    fresh_state,
    run_filter,
    taken_away,
)
from nissl.annotators.spikes.own.preprocessing.whitening import (
    BLOCK,
    DENSE,
    ORDER,
    Whitening,
    apply_whitening,
    fit_whitening,
    neighbours,
)

RATE_HZ = 15_000.0


def coloured(rng, n=60_000, channels=8):
    z = rng.standard_normal((n, channels))
    mixed = z + 0.3 * rng.standard_normal((n, 1))
    mixed[:, 1:] += 0.6 * z[:, :-1]
    return lfilter([1.0], [1, -0.7, 0.2], mixed, axis=0).astype(np.float32) * 9


def test_coloured_noise_becomes_white():
    rng = np.random.default_rng(0)
    x, position = coloured(rng), np.column_stack([np.zeros(8), 20.0 * np.arange(8)])
    found = fit_whitening([x[:30_000]], position, RATE_HZ)
    y = apply_whitening(x[30_000:], found)
    assert len(y) == 30_000 - found.order
    assert np.abs(np.cov(y.T) - np.eye(8)).max() < 0.08
    for lag in range(1, 5):
        assert abs(np.mean(y[lag:] * y[:-lag])) < 0.03


def test_spikes_do_not_count_as_noise():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((60_000, 4)).astype(np.float32) * 10
    plain = fit_whitening([x.copy()], np.full((4, 2), np.nan), RATE_HZ)
    for at in range(100, 59_000, 400):
        x[at : at + 12, 1] -= 200 * np.hanning(12).astype(np.float32)
    spiky = fit_whitening([x], np.full((4, 2), np.nan), RATE_HZ)
    np.testing.assert_allclose(spiky.matrix, plain.matrix, atol=0.02 * plain.matrix.max())
    np.testing.assert_allclose(spiky.prediction, plain.prediction, atol=0.06)


def test_dead_and_doubled_channels_stay_finite():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((20_000, 4)).astype(np.float32)
    x[:, 2], x[:, 3] = x[:, 1], 0
    position = np.column_stack([np.zeros(4), 20.0 * np.arange(4)])
    found = fit_whitening([x], position, RATE_HZ)
    y = apply_whitening(x, found)
    assert np.all(np.isfinite(y))
    assert y.std(axis=0)[:3].max() < 1.5


def test_what_the_band_took_is_not_whitened_back():
    rng = np.random.default_rng(3)
    band = design(30_000.0)
    raw = rng.standard_normal((240_000, 2)).astype(np.float32)
    x = run_filter(raw, band, fresh_state(band, 2))[0][1000:]
    position = np.column_stack([np.zeros(2), [0.0, 500.0]])
    lost = taken_away(band, ORDER + 1)
    plain, held = (fit_whitening([x], position, RATE_HZ, each) for each in (None, lost))
    assert np.abs(held.prediction[1:]).max() < 0.1
    assert np.abs(plain.prediction[1:]).max() > 0.15
    # the density within the band is that of white noise of unit variance
    power = np.abs(np.fft.rfft(apply_whitening(x, held)[:100_000], axis=0)) ** 2 / 100_000
    frequency = np.fft.rfftfreq(100_000, 1 / RATE_HZ)
    inside = (frequency > 800) & (frequency < 4500)
    assert power[inside].mean() == pytest.approx(1.0, abs=0.1)


def test_what_the_band_takes_is_what_it_does_not_leave():
    from scipy.signal import sosfreqz

    band = design(30_000.0)
    sos = np.insert(band.sections.astype(float), 3, 1.0, axis=1)
    turn = np.pi * (np.arange(4096) + 0.5) / 4096
    power = np.abs(sosfreqz(sos, turn / band.step)[1]) ** 2
    expected = np.mean(np.maximum(1 - power, 0)) / np.mean(power)
    assert taken_away(band, 3)[0] == pytest.approx(expected, rel=1e-2)


def test_on_many_channels_only_near_ones_are_read_with_the_same_result():
    rng, n = np.random.default_rng(3), DENSE + 20
    position = np.column_stack([np.zeros(n), 20.0 * np.arange(n)])
    matrix = np.where(neighbours(position, 100.0), rng.standard_normal((n, n)), 0)
    prediction = rng.standard_normal(7).astype(np.float32)
    whitening = Whitening(prediction, matrix.astype(np.float32), np.ones(n))
    x = rng.standard_normal((BLOCK + 300, n)).astype(np.float32)
    y = np.stack([np.convolve(x[:, c], prediction)[6 : len(x)] for c in range(n)], axis=1)
    found = apply_whitening(x, whitening)
    np.testing.assert_allclose(found, y @ matrix.T, atol=1e-3)
    some = whitening.matrix[10:40]
    np.testing.assert_allclose(apply_whitening(x, whitening, some), found[:, 10:40], atol=1e-3)
    x[:, 70] = 1e6  # farther than 100 um from channel 10
    np.testing.assert_array_equal(apply_whitening(x, whitening)[:, 10], found[:, 10])
