"""Windows that recordings share are described, or refused with what would help."""

import numpy as np
import pytest

from nissl.align.fragments import About
from nissl.align.windows.overlap import Side, at_once, count_table, overlap_of
from nissl.errors import BadArgumentError


def side(name, n=3, conditions=(), n_units=5, about=None, confidence=None):
    start = np.arange(n) * 10.0
    sure = None if confidence is None else np.full(n, confidence)
    return Side(name, start, start + 4.0, about or About(), n_units, tuple(conditions), sure)


def test_conditions_that_all_have_are_kept_and_counted():
    a = side("a", 4, ["left", "right", "left", "up"], confidence=0.9)
    b = side("b", 3, ["left", "left", "right"], confidence=0.7)
    found = overlap_of("stimulus", [a, b], bin_s=0.5, told_by=["x.csv", "y.csv"])
    assert found.counts == {"left": (2, 2), "right": (1, 1)}
    assert count_table(found)["left"] == {"a": 2, "b": 2}
    assert found.state == "left, right"
    assert found.confidence == pytest.approx(0.7)
    rows = found.rows()
    assert [r["windows"] for r in rows] == [3, 3]
    assert [r["bins"] for r in rows] == [24, 24]
    assert [r["seconds"] for r in rows] == [12.0, 12.0]
    assert rows[0]["told_by"] == "x.csv"


def test_completeness_is_that_of_the_source_of_which_least_is_known():
    known = About("mouse", "m1", "monday", "CA1", "", "spikes")
    found = overlap_of("rest", [side("a", about=known), side("b")], bin_s=0.1)
    assert found.sides[0].about.completeness == 1.0
    assert found.completeness == pytest.approx(1 / 6)
    assert found.weakest == ("b", ("species", "subject", "session", "region", "modality"))
    assert np.isnan(found.confidence)


def test_bad_input_is_refused():
    with pytest.raises(BadArgumentError, match="two or more sources"):
        overlap_of("rest", [side("a")], bin_s=0.1)
    with pytest.raises(BadArgumentError, match=r"no overlap[\s\S]*record a standardised rest"):
        overlap_of("rest", [side("a"), side("b", 0)], bin_s=0.1)
    with pytest.raises(BadArgumentError, match=r"units of 'b' that fire[\s\S]*another session"):
        overlap_of("rest", [side("a"), side("b", n_units=0)], bin_s=0.1)
    with pytest.raises(BadArgumentError, match=r"no overlap[\s\S]*the same names"):
        overlap_of("stimulus", [side("a", 1, ["x"]), side("b", 1, ["y"])], bin_s=0.1)


def test_time_at_once():
    a = np.array([[0.0, 10.0], [20.0, 30.0]])
    b = np.array([[5.0, 22.0], [25.0, 26.0], [40.0, 50.0]])
    assert at_once(a, b).tolist() == [[5.0, 10.0], [20.0, 22.0], [25.0, 26.0]]
    assert at_once(a, b[:0]).shape == (0, 2)
