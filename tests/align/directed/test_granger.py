"""Granger causality by frequency agrees with that in time."""

import importlib.util

import numpy as np
import pytest

from nissl.align.directed.embedding import Past
from nissl.align.directed.granger import (
    autoregression_of,
    connectivity,
    factorised,
    spectral_granger,
)
from nissl.align.directed.series import stacked
from nissl.align.directed.transfer import transfer_entropy
from nissl.errors import BadArgumentError, MissingDependencyError


def chain(n=8000, seed=0):
    """0 drives 1, 1 drives 2; 1 rings at an eighth of the rate."""
    x = np.random.default_rng(seed).standard_normal((3, n))
    for t in range(2, n):
        x[0, t] += 0.3 * x[0, t - 1]
        x[1, t] += 1.2 * x[1, t - 1] - 0.7 * x[1, t - 2] + 0.5 * x[0, t - 1]
        x[2, t] += 0.4 * x[2, t - 1] + 0.5 * x[1, t - 1]
    return x


def test_mean_over_frequencies_is_the_measure_in_time():
    x = chain()
    _, by_frequency = spectral_granger(x, order=4, conditional=True)
    weight = np.r_[0.5, np.ones(254), 0.5] / 255
    mean = np.tensordot(weight, by_frequency, 1)
    past = Past(12)  # what is left without the source has a longer memory
    for source, target, other in ((0, 1, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1)):
        told = transfer_entropy(
            x[source],
            x[target],
            method="gaussian",
            target_past=past,
            source_past=past,
            given=[(x[other], past)],
        )
        assert mean[source, target] == pytest.approx(2 * told.value, abs=5e-3)


def test_pairs_by_themselves_see_what_goes_through_a_third():
    x = chain()
    _, pairs = spectral_granger(x, order=4, conditional=False)
    _, given = spectral_granger(x, order=4, conditional=True)
    assert pairs[:, 0, 2].mean() > 0.02 > 5 * given[:, 0, 2].mean()
    assert (pairs > -1e-9).all()


def test_two_series_need_nothing_to_be_given():
    x = chain()[:2]
    frequencies, a = spectral_granger(x, rate_hz=100.0, order=4, conditional=True)
    _, b = spectral_granger(x, order=4, conditional=False)
    np.testing.assert_allclose(a, b)
    assert frequencies[-1] == 50.0


def test_factors_give_the_spectrum_back():
    coefficients, noise = autoregression_of(stacked(chain()), 3)
    n = 512
    turn = np.exp(-2j * np.pi * np.outer(np.arange(n) / n, np.arange(1, 4)))
    h = np.linalg.inv(np.eye(3) - np.tensordot(turn, coefficients, axes=1))
    spectrum = h @ noise @ h.conj().transpose(0, 2, 1)
    found, innovations = factorised(spectrum)
    np.testing.assert_allclose(innovations, noise, atol=1e-6)
    np.testing.assert_allclose(found, h, atol=1e-5)


def test_drifting_series_are_refused():
    t = np.arange(300.0)
    with pytest.raises(BadArgumentError, match="stable"):
        autoregression_of(stacked([np.exp(t / 30), np.exp(t / 30) * (1 + 1e-3 * np.sin(t))]), 2)


def test_measures_of_mne_connectivity_say_what_is_missing():
    epochs = np.random.default_rng(0).standard_normal((8, 2, 200))
    if importlib.util.find_spec("mne_connectivity") is None:
        with pytest.raises(MissingDependencyError, match="pip install"):
            connectivity(epochs, 100.0, method="coh", low_hz=8, high_hz=12)
        return
    found = connectivity(epochs, 100.0, method="coh", low_hz=8, high_hz=12)
    np.testing.assert_allclose(found, found.T)
