"""Discovery in samples with pulses of stimulation: they are units only where nothing screens."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.discovery import discover
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
N = 16
PLACES = np.stack([20.0 * (np.arange(N) % 2), 20.0 * (np.arange(N) // 2)], axis=1)


@pytest.fixture(scope="module")
def z():
    """Six seconds of noise with two units, and pulses at 20 Hz on all channels."""
    rng, n = np.random.default_rng(0), round(6 * RATE_HZ)
    z = rng.standard_normal((n, N)).astype(np.float32)
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    spike = -np.exp(-0.5 * (t / 1.8) ** 2) + 0.35 * np.exp(-0.5 * ((t - 8) / 5) ** 2)
    pulse = 1.0 * ((t >= -3) & (t < 0)) - 1.0 * ((t >= 0) & (t < 3))
    pulse += np.where(t >= 3, 0.5 * np.exp(-(t - 3) / 12), 0)
    apart = np.linalg.norm(PLACES[:, None] - PLACES[None], axis=2)
    waves = [np.outer(spike, 18 * np.exp(-apart[c] / 18)) for c in (3, 10)]
    waves.append(np.outer(pulse, 25 * (1 + 0.1 * rng.standard_normal(N))))
    at = [rng.choice(np.arange(100, n - 100, 60), 90, replace=False) for _ in range(2)]
    at.append(np.arange(500, n - 200, 750))
    for wave, own in zip(waves, at, strict=True):
        for a in own:
            z[a - WINDOWS.long_before : a - WINDOWS.long_before + WINDOWS.long] += wave
    return z


def found(z, screened):
    """Main channels, and how much of the energy of each unit lies on its own."""
    units, _ = discover(z, PLACES, RATE_HZ, np.random.default_rng(1), screened=screened)
    energy = np.sum(units.waveforms**2, axis=1)
    return set(units.main.tolist()), energy.max(axis=1) / energy.sum(axis=1)


def test_units_of_neurons_are_found_and_none_of_pulses(z):
    main, on_one_channel = found(z, screened=True)
    assert {3, 10} <= main
    assert on_one_channel.min() > 0.25


def test_pulses_are_units_where_nothing_screens(z):
    assert found(z, screened=False)[1].min() < 0.15  # pulses are alike on all 16
