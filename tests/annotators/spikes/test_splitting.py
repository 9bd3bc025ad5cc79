"""Lasso and threshold against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.spikes.splitting import beyond, inside_polygon
from nissl.errors import BadArgumentError

FINITE = st.floats(-100, 100, allow_nan=False)


@given(st.integers(3, 12), st.floats(0.1, 3), st.lists(st.tuples(FINITE, FINITE), min_size=1))
def test_a_regular_polygon_holds_its_inner_circle_and_nothing_beyond_its_outer(n, turn, points):
    angle = turn + 2 * np.pi * np.arange(n) / n
    corners = 50 * np.column_stack([np.cos(angle), np.sin(angle)])
    x, y = np.asarray(points, dtype=float).T
    inside = inside_polygon(x, y, corners)
    away = np.hypot(x, y)
    assert inside[away < 50 * np.cos(np.pi / n) - 1e-6].all()
    assert not inside[away > 50 + 1e-6].any()
    assert inside.tolist() == inside_polygon(x, y, corners[::-1]).tolist()


def test_what_is_drawn_twice_is_outside():
    bow = [(0, 0), (4, 4), (4, 0), (0, 4)]
    x, y = np.asarray([1.0, 3.5, 2.0, np.nan]), np.asarray([2.0, 2.0, 3.5, 2.0])
    assert inside_polygon(x, y, bow).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    "corners", [[], [(0, 0), (1, 1)], [(0, 0), (1, 1), (np.inf, 0)], [1, 2, 3], [(0,), (1,), (2,)]]
)
def test_no_polygon_is_told(corners):
    with pytest.raises(BadArgumentError, match="corners"):
        inside_polygon(np.zeros(2), np.zeros(2), corners)


@given(st.lists(st.floats(-5, 5), min_size=1), st.floats(-5, 5))
def test_a_threshold_has_two_sides(values, threshold):
    x = np.asarray(values)
    above, below = beyond(x, threshold, above=True), beyond(x, threshold, above=False)
    assert not (above & below).any()
    assert ((above | below) == (x != threshold)).all()
    assert not beyond(np.asarray([np.nan]), threshold, above=False).any()


def test_a_threshold_is_a_number():
    with pytest.raises(BadArgumentError, match="finite"):
        beyond(np.zeros(2), np.nan, above=True)
