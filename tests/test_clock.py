"""Samples to seconds and back, across gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.clock import Clock, Segment
from nissl.errors import BadMetadataError, GapError


@st.composite
def clocks(draw):
    rate = draw(st.sampled_from([1.0, 29.97, 250.0, 30000.0, 29999.6]))
    lengths = draw(st.lists(st.integers(2, 5000), min_size=1, max_size=4))
    gaps = [draw(st.floats(0.5, 100.0)) for _ in lengths]
    starts, t_s = [], draw(st.floats(-10, 1e4))
    for length, gap in zip(lengths, gaps, strict=True):
        starts.append(t_s)
        t_s += length / rate + gap
    return Clock.from_segments(rate, lengths, starts)


@given(clocks(), st.data())
def test_seconds_and_samples_are_inverse(clock, data):
    samples = np.asarray(data.draw(st.lists(st.integers(0, clock.n_samples - 1), min_size=1)))
    assert np.array_equal(clock.to_samples(clock.to_seconds(samples)), samples)


@given(clocks())
def test_seconds_increase_and_json_round_trips(clock):
    times = clock.to_seconds(np.arange(clock.n_samples))
    assert np.all(np.diff(times) > 0)
    assert Clock.from_json(clock.to_json()) == clock


@given(clocks(), st.integers(0, 20000), st.integers(0, 20000))
def test_split_covers_the_interval_and_crosses_no_gap(clock, a, b):
    start, stop = sorted((min(a, clock.n_samples), min(b, clock.n_samples)))
    pieces = list(clock.split(start, stop))
    assert sum(y - x for x, y in pieces) == stop - start
    for x, y in pieces:
        clock.check_contiguous(x, y)


def test_an_interval_never_silently_crosses_a_gap():
    clock = Clock.from_segments(100.0, [50, 50], [0.0, 10.0])
    clock.check_contiguous(0, 50)
    with pytest.raises(GapError, match="gap at sample 50"):
        clock.check_contiguous(49, 51)


def test_time_stamps_with_dropped_frames_become_segments():
    clock = Clock.from_times([0, 1, 2, 3, 10, 11, 12])
    assert [(s.start, s.stop, s.t0_s) for s in clock.segments] == [(0, 4, 0.0), (4, 7, 10.0)]
    assert clock.to_samples([3.2, 5.0, 8.0]).tolist() == [3, 3, 4]
    assert clock.duration_s == pytest.approx(7.0)


@pytest.mark.parametrize("times", [[], [1.0], [0, 1, 1], [0, 2, 1], [0, np.nan, 2]])
def test_times_that_do_not_increase_are_refused(times):
    with pytest.raises(BadMetadataError):
        Clock.from_times(times)


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(BadMetadataError, match="rate above 0"):
        Clock.regular(rate, 10)


def test_overlapping_segments_are_refused():
    with pytest.raises(BadMetadataError):
        Clock((Segment(0, 100, 0.0, 10.0), Segment(100, 200, 5.0, 10.0)))
