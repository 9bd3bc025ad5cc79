"""Noise made white: unit variance, no correlation in time or between near channels."""

import numpy as np
from scipy.signal import lfilter

from nissl.annotators.spikes.own.whitening import apply_whitening, fit_whitening

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
