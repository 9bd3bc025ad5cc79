"""Scores against plain sums; what is derived of templates is kept with those of some units."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.matching.scoring import BLOCK, FEW_CHANNELS, groups, scores_of
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise
from nissl.annotators.spikes.own.windows import Windows

WINDOWS = Windows.at(15_000.0)
DERIVED = ("weights", "norms", "scored", "main", "moved", "own", "overlaps", "echoes")


def make(n_units, n_channels, seed=0, width=6):
    """Templates on a few channels each, shuffled over the probe."""
    rng = np.random.default_rng(seed)
    waves = np.zeros((n_units, WINDOWS.long, n_channels), np.float32)
    for u, first in enumerate(rng.integers(0, n_channels - width + 1, n_units)):
        waves[u, :, first : first + width] = rng.standard_normal((WINDOWS.long, width))
    basis = np.linalg.qr(rng.standard_normal((WINDOWS.scored, 6)))[0].T.astype(np.float32)
    rates = rng.uniform(1, 20, n_units)
    return Templates(without_noise(waves), np.ascontiguousarray(basis), rates, WINDOWS)


@pytest.mark.parametrize("n_channels", [8, FEW_CHANNELS + 20])
def test_scores_are_inner_products_with_every_template(n_channels):
    templates = make(40, n_channels)
    n = 2 * BLOCK + 300
    z = np.random.default_rng(1).standard_normal((n, n_channels)).astype(np.float32)
    found = scores_of(z, templates)
    assert found.shape == (40, n - WINDOWS.scored + 1)
    for t in (0, 17, BLOCK - 1, BLOCK, found.shape[1] - 1):
        cut = z[t : t + WINDOWS.scored]
        expected = np.einsum("ujc,jc->u", templates.scored, cut)
        np.testing.assert_allclose(found[:, t], expected, atol=2e-3)


def test_groups_of_a_large_probe_are_narrow_and_have_every_unit_once():
    templates = make(200, 384, width=12)
    together = list(groups(templates.weights))
    units = np.concatenate([g[0] for g in together])
    np.testing.assert_array_equal(np.sort(units), np.arange(200))
    assert max(high - low for _, low, high, _ in together) < 80
    for own, low, high, _ in together:
        inside = np.zeros(384, bool)
        inside[low:high] = True
        assert not templates.weights[own][:, :, ~inside].any()


def test_samples_shorter_than_a_window_have_no_scores():
    assert scores_of(np.zeros((10, 8), np.float32), make(3, 8)).shape == (3, 0)


@pytest.mark.parametrize("which", [np.arange(12) % 3 != 1, np.asarray([7, 2, 5])])
def test_what_is_known_of_templates_is_known_of_some_of_them(which):
    whole = make(12, 20)
    for name in DERIVED:
        getattr(whole, name)
    some = whole.kept(which)
    anew = Templates(whole.waveforms[which], whole.basis, whole.rate_hz[which], WINDOWS)
    assert "echoes" in some.__dict__  # otherwise nothing is tested here
    for name in DERIVED:
        np.testing.assert_allclose(getattr(some, name), getattr(anew, name), atol=1e-5)
    np.testing.assert_array_equal(some.pairs[1], anew.pairs[1])
