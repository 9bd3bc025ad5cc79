"""Which span lies over which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.labels import Author, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.overlap import lying_over

NAMES = Vocabulary(("a", "b"))
MADE = Provenance("sleep", "f" * 64, Author("person", "kb", "1"))


def spans(start: list[int], stop: list[int], channel: list[int | None] | None = None) -> LabelSet:
    columns: dict[str, object] = {"start": np.asarray(start), "stop": np.asarray(stop)}
    if channel is not None:
        columns["channel"] = channel
    return LabelSet.build(Kind.SPANS, columns, NAMES, MADE)


def test_a_long_span_lies_over_every_epoch_that_it_covers_for_the_most_part() -> None:
    epochs = spans([0, 10, 20, 30], [10, 20, 30, 40])
    runs = spans([0, 14, 36], [14, 36, 40])
    assert lying_over(epochs, runs) == {0: 0, 1: 1, 2: 1, 3: 1}


def test_half_is_not_most() -> None:
    assert lying_over(spans([0], [10]), spans([0, 5], [5, 10])) == {}
    assert lying_over(spans([0], [10]), spans([0], [6])) == {0: 0}


def test_other_channels_do_not_meet_and_none_meets_all() -> None:
    base = spans([0, 0], [10, 10], [1, 2])
    assert lying_over(base, spans([0], [10], [2])) == {1: 0}
    assert lying_over(base, spans([0], [10], [None])) == {0: 0, 1: 0}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8), st.data())
def test_as_a_plain_search_finds_it(
    given_spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    drawn = data.draw(
        st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=8)
    )
    base = spans([a for a, _ in drawn], [a + n for a, n in drawn])
    other = spans([a for a, _ in given_spans], [a + n for a, n in given_spans])
    found = lying_over(base, other)
    for item, a, b in zip(
        *(base.column(n).tolist() for n in ("item", "start", "stop")), strict=True
    ):
        covers = {
            i: min(b, d) - max(a, c)
            for i, c, d in zip(
                *(other.column(n).tolist() for n in ("item", "start", "stop")), strict=True
            )
        }
        most = max(covers.values(), default=0)
        if most <= 0.5 * (b - a):
            assert item not in found
        else:
            assert covers[found[item]] == most


def test_sets_that_are_not_spans_are_refused() -> None:
    points = LabelSet.build(Kind.EVENTS, {"sample": np.arange(2)}, NAMES, MADE)
    with pytest.raises(KeyError):
        lying_over(points, points)
