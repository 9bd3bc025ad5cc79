"""Gaussian-process factor analysis: exact posteriors, likelihood that grows, and what it is for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from nissl.align.fragments import Fragment
from nissl.align.latent import gpfa
from nissl.align.latent.aligners import Settings, align
from nissl.align.latent.decoding import fitted, r2
from nissl.align.latent.gpfa import LONGEST, Process, kernel, learnt, roots
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.latent.smoothing import smoothed
from nissl.align.latent.spaces import factor_model, own_space

BIN_S = 0.02


PACES = (1.5, 5.0, 15.0)


def drawn(seed: int, n_windows: int = 40, n_bins: int = 30, n_units: int = 20) -> Fragment:
    """Poisson counts of units that read three smooth latents of 30, 100 and 300 ms."""
    rng = np.random.default_rng(seed)
    roots_of = [np.linalg.cholesky(kernel(n_bins, t)) for t in PACES]
    z = np.stack([r @ rng.standard_normal((n_bins, n_windows)) for r in roots_of], axis=-1)
    loading = rng.standard_normal((3, n_units)) * 0.5
    rate = np.exp(z @ loading + np.log(40.0 * BIN_S))
    counts = rng.poisson(rate).transpose(1, 0, 2).reshape(-1, n_units).astype(float)
    return Fragment("drawn", counts, BIN_S, np.repeat(np.arange(n_windows), n_bins))


def halves(seed: int) -> tuple[Fragment, Fragment]:
    whole = drawn(seed)
    return whole.in_windows(np.arange(20)), whole.in_windows(np.arange(20, 40))


def test_posterior_and_likelihood_are_those_of_one_large_gaussian() -> None:
    """Plain reference: the joint covariance of all bins of all units, nothing factored."""
    rng = np.random.default_rng(0)
    n, units, q = 5, 4, 2
    one = Process(
        rng.standard_normal(units),
        rng.standard_normal((units, q)),
        rng.uniform(0.2, 1.0, units),
        np.array([1.5, 3.0]),
    )
    x = rng.standard_normal((3 * n, units))
    windows = np.repeat([0, 1, 2], n)
    # Rows of the joint are bins, within a bin units.
    prior = np.zeros((n * q, n * q))
    for k in range(q):
        prior[k::q, k::q] = kernel(n, float(one.timescale[k]))
    reads = np.kron(np.eye(n), one.loading)
    joint = reads @ prior @ reads.T + np.kron(np.eye(n), np.diag(one.noise))
    for k in range(3):
        own = (x[k * n : (k + 1) * n] - one.mean).ravel()
        plain = (prior @ reads.T @ np.linalg.solve(joint, own)).reshape(n, q)
        assert_allclose(one.latents(x, windows)[k * n : (k + 1) * n], plain, atol=1e-8)


def test_the_likelihood_is_that_of_one_large_gaussian() -> None:
    rng = np.random.default_rng(1)
    n, units, q = 6, 4, 2
    loading, noise = rng.standard_normal((units, q)), rng.uniform(0.2, 1.0, units)
    x, windows = rng.standard_normal((3 * n, units)), np.repeat([0, 1, 2], n)
    begun = np.kron(kernel(n, 2.0), loading @ loading.T) + np.kron(np.eye(n), np.diag(noise))
    own = (x - x.mean(axis=0)).reshape(3, -1)
    plain = multivariate_normal(np.zeros(n * units), begun).logpdf(own).sum()
    assert_allclose(learnt(x, windows, loading, noise, 1)[1][0], plain, rtol=1e-9)


def test_each_round_is_more_likely_and_paces_are_found() -> None:
    part, _ = halves(3)
    x = roots(part)
    found, seen = learnt(x, part.windows, *factor_model(x - x.mean(axis=0), 3))
    assert (np.diff(seen) > -1e-6 * abs(seen[-1])).all()
    assert_allclose(np.sort(found.timescale), PACES, rtol=0.4)


def test_a_unit_is_predicted_from_the_others_better_than_by_smoothing_first() -> None:
    """Against factor analysis of smoothed counts, whose width is the best one in hindsight."""
    gains = []
    for seed in range(2):
        train, test = halves(seed)
        own = own_space(train, n_axes=3, space="gpfa").process
        assert own is not None
        truth = roots(test)
        ours = ((own.left_out(truth, test.windows) - truth) ** 2).mean()
        theirs = []
        for smooth_s in (0.01, 0.02, 0.03, 0.04):
            x = smoothed(train, smooth_s)
            loading, noise = factor_model(x - x.mean(axis=0), 3)
            static = Process(x.mean(axis=0), loading, noise, np.full(3, 1e-3))
            said = static.left_out(smoothed(test, smooth_s), test.windows)
            theirs.append(((said - truth) ** 2).mean())
        gains.append(1 - ours / min(theirs))
    assert min(gains) > 0


def test_long_windows_are_read_in_pieces_that_hardly_differ_from_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = drawn(1, n_windows=1, n_bins=150)
    x = roots(one)
    rng = np.random.default_rng(0)
    loading = 0.4 * rng.standard_normal((one.n_units, 3))
    own = Process(x.mean(axis=0), loading, np.full(one.n_units, 0.3), np.array([3.0, 5.0, 6.0]))
    assert one.n_bins > 2 * LONGEST
    monkeypatch.setattr(gpfa, "LONGEST", one.n_bins)
    whole = own.latents(x, one.windows)
    monkeypatch.undo()
    assert np.abs(own.latents(x, one.windows) - whole).max() < 0.05 * whole.std()


def test_days_are_aligned_in_spaces_of_processes() -> None:
    rng = np.random.default_rng(4)
    subject = simulate_subject(rng)
    first = simulate_day(rng, subject, name="a", n_units=60, n_trials=72).fragment
    second = simulate_day(rng, subject, name="b", n_units=50, n_trials=72).fragment
    calibration, test = second.in_windows(np.arange(48)), second.in_windows(np.arange(48, 72))
    settings = Settings(n_axes=6, space="gpfa")
    found = align((first, calibration), "procrustes", rng=rng, settings=settings)
    decoder = replace(fitted(found.maps[0], first, "velocity"), reads=found.maps[1])
    assert r2(test.behaviour["velocity"], decoder.predict(test)) > 0.25
    latents = found.maps[1].transform(test)
    back = found.maps[1].inverse(latents)
    assert_allclose((back - found.maps[1].mean) @ found.maps[1].weights, latents, atol=1e-8)
    assert_allclose(back, found.maps[1].prepared(test), atol=1e-8)
