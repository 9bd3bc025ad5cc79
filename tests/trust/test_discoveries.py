"""Adjusted P values keep their order, and are those of the published example."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nissl.trust.discoveries import benjamini_hochberg


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_values_are_ordered_and_not_smaller(values):
    p = np.asarray(values)
    q = benjamini_hochberg(p)
    assert np.all(q >= p - 1e-12)
    assert np.all(q <= 1)
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(q[order]) >= -1e-12)


def test_adjusted_values_of_the_known_example():
    q = benjamini_hochberg([0.01, 0.04, 0.03, np.nan])
    np.testing.assert_allclose(q, [0.03, 0.04, 0.04, np.nan])
