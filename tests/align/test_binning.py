"""Bins of windows: whole, from the window's beginning, and counted right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nissl.align.binning import averaged, bins_of, counted, width_of
from nissl.clock import Clock
from nissl.errors import BadArgumentError


def test_bins_begin_with_their_window() -> None:
    left, window = bins_of(np.array([5, 40, 60]), np.array([26, 45, 90]), 10)
    assert_array_equal(left, [5, 15, 60, 70, 80])
    assert_array_equal(window, [0, 0, 2, 2, 2])


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 3)), max_size=60))
@settings(deadline=None)
def test_counts_are_those_of_a_loop(events: list[tuple[int, int]]) -> None:
    sample, unit = (np.array([e[k] for e in events], np.int64) for k in (0, 1))
    left = np.array([0, 7, 5, 90])
    found = counted(sample, unit, np.array([0, 1, 2, 3]), left, 10)
    for i, start in enumerate(left):
        for u in range(4):
            assert found[i, u] == ((unit == u) & (sample >= start) & (sample < start + 10)).sum()


def test_means_and_what_lies_outside() -> None:
    values = np.arange(12.0).reshape(6, 2)
    assert_allclose(averaged(values, np.array([0, 3]), 3), [[2, 3], [8, 9]])
    with pytest.raises(BadArgumentError, match="not recorded"):
        averaged(values, np.array([4]), 3)


def test_a_bin_holds_a_sample() -> None:
    assert width_of(Clock.regular(1000.0, 5000), 0.05) == 50
    with pytest.raises(BadArgumentError, match="longer bins"):
        width_of(Clock.regular(5.0, 100), 0.05)
