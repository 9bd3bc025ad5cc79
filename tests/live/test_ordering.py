"""Blocks that come late, twice or never."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.live.ordering import Ordered

RATE = 100.0


def stream(n):
    return np.arange(n, dtype=np.float32)[:, None]


def pushed(ordered, blocks):
    chunks = [c for first, x in blocks for c in ordered.push(first, x, 0.0)]
    return chunks + ordered.flush()


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    swaps=st.lists(st.integers(0, 28), max_size=8, unique=True),
    copies=st.lists(st.integers(0, 29), max_size=5),
    offset=st.integers(0, 10**9),
)
def test_any_chunking_with_swaps_and_copies_gives_the_same_samples(sizes, swaps, copies, offset):
    edges = np.concatenate([[0], np.cumsum(sizes)])
    x = stream(int(edges[-1]))
    order = list(range(len(sizes)))
    for k in swaps:
        if 1 <= k < len(order) - 1:
            order[k], order[k + 1] = order[k + 1], order[k]
    for k in copies:
        if k < len(order):
            order.insert(k + 1, order[k])
    blocks = [(offset + int(edges[k]), x[edges[k] : edges[k + 1]]) for k in order]
    chunks = pushed(Ordered(RATE, patience=40), blocks)
    assert np.array_equal(np.concatenate([c.samples for c in chunks]), x)
    assert all(c.lost_s is None for c in chunks)


def test_what_is_lost_is_a_gap_of_its_length():
    x = stream(100)
    blocks = [(a, x[a : a + 10]) for a in range(0, 100, 10) if a != 30]
    chunks = pushed(Ordered(RATE, patience=2), blocks)
    (gap,) = [c for c in chunks if c.lost_s is not None]
    assert (gap.first_sample, gap.lost_s) == (30, pytest.approx(0.1))
    assert gap.samples[0, 0] == 40
    firsts = [c.first_sample for c in chunks]
    assert firsts == list(np.cumsum([0, *[len(c.samples) for c in chunks]])[:-1])


def test_what_comes_too_late_is_dropped_and_what_overlaps_is_cut():
    x = stream(60)
    ordered = Ordered(RATE, patience=1)
    blocks = [(0, x[:10]), (5, x[5:20]), (30, x[30:40]), (40, x[40:50]), (20, x[20:30])]
    chunks = pushed(ordered, [*blocks, (50, x[50:60])])
    got = np.concatenate([c.samples for c in chunks])[:, 0]
    assert got.tolist() == [*range(20), *range(30, 60)]


def test_a_sender_that_begins_anew_begins_a_segment():
    x = stream(3000)
    chunks = pushed(Ordered(RATE), [(0, x), (0, x[:50]), (50, x[50:70])])
    assert [(c.first_sample, c.lost_s) for c in chunks] == [(0, None), (3000, 0.0), (3050, None)]
