"""Runs found chunk by chunk are those of the whole."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nissl.run.runs import intervals, join, longest

masks = st.lists(st.booleans(), max_size=60).map(lambda v: np.asarray(v, dtype=bool))


def by_hand(mask):
    out, place = [], 0
    for value, group in itertools.groupby(mask.tolist()):
        n = len(list(group))
        if value:
            out.append((place, place + n))
        place += n
    return out


@given(masks)
def test_intervals(mask):
    assert [tuple(row) for row in intervals(mask).tolist()] == by_hand(mask)


@given(masks, st.integers(1, 20), st.integers(1, 5))
def test_joined_pieces_are_the_intervals_of_the_whole(mask, size, at_least):
    pieces = [intervals(mask[a : a + size]) + a for a in range(0, mask.size, size)]
    found = join(pieces, breaks=np.asarray([0]), at_least=at_least)
    assert found.dtype == np.int64
    expected = [run for run in by_hand(mask) if run[1] - run[0] >= at_least]
    assert [tuple(row) for row in found.tolist()] == expected


def test_nothing_is_joined_across_a_break():
    pieces = [np.asarray([[3, 10]]), np.asarray([[10, 12], [15, 20]])]
    assert join(pieces, breaks=np.asarray([0, 10]), at_least=3).tolist() == [[3, 10], [15, 20]]
    assert join(pieces, breaks=np.asarray([0]), at_least=3).tolist() == [[3, 12], [15, 20]]


@given(st.lists(st.lists(st.booleans(), min_size=7, max_size=7), min_size=1, max_size=5))
def test_longest_of_each_row(rows):
    mask = np.asarray(rows, dtype=bool)
    best, first, last = longest(mask)
    for index, row in enumerate(mask):
        runs = by_hand(row)
        assert best[index] == max((b - a for a, b in runs), default=0)
        assert first[index] == next((b for a, b in runs if a == 0), 0)
        assert last[index] == next((b - a for a, b in runs if b == row.size), 0)
