"""Fragments: what fits together, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from nissl.align.fragments import About, Fragment, conditions, runs, same_bins
from nissl.errors import BadArgumentError


def small(**changes: object) -> Fragment:
    given: dict[str, object] = {
        "name": "day",
        "activity": np.arange(12.0).reshape(6, 2),
        "bin_s": 0.1,
        "window": [0, 0, -1, 1, 1, 1],
        "condition": [4, 4, -1, 2, 2, 3],
        "behaviour": {"speed": np.arange(6.0)},
    }
    return Fragment(**{**given, **changes})  # type: ignore[arg-type]


def test_windows_are_runs_of_bins() -> None:
    number, start, stop = runs(small())
    assert_array_equal(number, [0, 1])
    assert_array_equal(start, [0, 3])
    assert_array_equal(stop, [2, 6])


def test_a_condition_that_changes_within_a_window_is_unknown() -> None:
    assert_array_equal(conditions(small()), [4, -1])


def test_bins_units_and_windows_are_taken() -> None:
    part = small().in_windows([1]).select(np.array([1]))
    assert_array_equal(part.activity[:, 0], [7, 9, 11])
    assert_array_equal(part.units, [1])
    assert_array_equal(part.behaviour["speed"][:, 0], [3, 4, 5])
    hidden = small().without_conditions()
    assert hidden.condition is None
    assert not hidden.behaviour


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"activity": np.zeros((0, 2))}, "empty"),
        ({"activity": np.ones((6, 2))}, "silent"),
        ({"activity": np.full((6, 2), np.nan)}, "not finite"),
        ({"window": [0, 1]}, "same clock"),
        ({"bin_s": 0.0}, "bin_s"),
    ],
)
def test_what_cannot_be_a_fragment_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(BadArgumentError, match=says):
        small(**changes)


def test_a_window_that_comes_again_is_refused() -> None:
    with pytest.raises(BadArgumentError, match="Number every trial"):
        runs(small(window=[0, 0, 1, 1, 0, 0]))


def test_bins_of_two_lengths_are_refused() -> None:
    with pytest.raises(BadArgumentError, match="one bin_s"):
        same_bins((small(), small(bin_s=0.05)))


def test_what_is_not_known_of_a_fragment_is_named() -> None:
    about = About(species="mouse", region="CA1", modality="calcium")
    assert about.missing == ("subject", "session", "state")
    assert about.completeness == pytest.approx(0.5)
