"""Components of event-related potentials against known amplitudes and latencies."""

import numpy as np
import pytest

from nissl.annotators.events.erp import Window, components, epochs
from nissl.data import ChannelTable, Signal
from nissl.errors import BadArgumentError, MissingInputError

P300 = Window("P300", "Pz", 0.25, 0.55)
RATE = 250.0


def planted(seed, n_trials, noise_uv):
    rng = np.random.default_rng(seed)
    onsets = 500 + 300 * np.arange(n_trials)
    x = noise_uv * rng.standard_normal(int(onsets[-1]) + 500)
    t = np.arange(250) / RATE
    for onset in onsets.tolist():
        x[onset : onset + 250] += 8 * np.exp(-((t - 0.4) ** 2) / (2 * 0.05**2))
    table = ChannelTable.plain(["Pz"], kind="eeg")
    return Signal.from_array(x[:, None].astype(np.float32), RATE, channels=table), onsets


def test_amplitude_and_latency_are_the_planted_ones():
    signal, onsets = planted(0, 60, 1.0)
    (found,) = components(signal, onsets, [P300], rng=np.random.default_rng(0))
    assert found.peak_uv == pytest.approx(8.0, abs=0.5)
    assert found.latency_s == pytest.approx(0.4, abs=0.01)
    assert found.n_trials == 60


def test_the_measurement_error_is_that_of_repetition():
    scores, errors = [], []
    for seed in range(40):
        signal, onsets = planted(seed, 25, 6.0)
        (found,) = components(signal, onsets, [P300], rng=np.random.default_rng(seed), n_draws=100)
        scores.append((found.mean_uv, found.latency_s))
        errors.append((found.mean_sme_uv, found.latency_sme_s))
    spread, told = np.std(scores, axis=0), np.mean(errors, axis=0)
    assert told[0] == pytest.approx(spread[0], rel=0.3)
    assert told[1] == pytest.approx(spread[1], rel=0.5)


def test_trials_too_large_or_outside_are_left_out_and_counted():
    signal, onsets = planted(0, 10, 1.0)
    trials, _, refused = epochs(signal, np.append(onsets, [5, signal.n_samples]), "Pz")
    assert len(trials) == 10
    assert refused == 2
    with pytest.raises(MissingInputError, match="left out"):
        epochs(signal, onsets, "Pz", most_uv=0.1)
    with pytest.raises(BadArgumentError, match="window"):
        components(signal, onsets, [Window("x", "Pz", 0.3, 0.3)], rng=np.random.default_rng(0))
