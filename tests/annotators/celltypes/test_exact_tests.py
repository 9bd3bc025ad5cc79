"""Exact tests of counts: against direct computation, and their error rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from nissl.annotators.celltypes.exact_tests import (
    fewer_hits,
    less_after,
    more_hits,
    poisson_binomial,
)

chances = st.lists(st.sampled_from([0.0, 0.05, 0.3, 0.5, 1.0]), min_size=1, max_size=8)


@given(chances)
def test_distribution_equals_enumeration(values):
    expected = np.ones(1)
    for p in values:
        expected = np.convolve(expected, [1 - p, p])
    np.testing.assert_allclose(poisson_binomial(np.asarray(values)), expected, atol=1e-12)


def test_equal_chances_are_binomial():
    np.testing.assert_allclose(
        poisson_binomial(np.full(50, 0.2)), binom.pmf(np.arange(51), 50, 0.2), atol=1e-12
    )


def test_answered_windows_are_calibrated_under_a_rate_that_changes():
    rng = np.random.default_rng(0)
    chance = np.linspace(0.02, 0.5, 150)[:, None]
    more, fewer = [], []
    for _ in range(400):
        hits = rng.random((150, 41)) < chance
        more.append(more_hits(hits[:, 0], hits[:, 1:]))
        fewer.append(fewer_hits(hits[:, 0], hits[:, 1:]))
    for p in (more, fewer):
        assert 0.02 < np.mean(np.asarray(p) < 0.05) < 0.08
        assert np.mean(np.asarray(p) < 0.01) < 0.03


def test_windows_that_were_not_observed_do_not_count():
    hit = np.ones(20, bool)
    others = np.zeros((20, 10), bool)
    known = np.zeros((20, 10), bool)
    assert more_hits(hit, others, known) == pytest.approx(1.0)
    assert more_hits(hit, others) < 1e-10


def test_paired_test_sees_a_drop_and_not_its_absence():
    before, after = np.ones(40, bool), np.zeros(40, bool)
    assert less_after(before, after) == pytest.approx(2.0**-40)
    assert less_after(after, before) == 1.0
    assert less_after(before, before) == 1.0
