import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.sync.intervals import event_samples, span_samples, span_seconds

GAPPY = Clock.from_segments(10.0, [10, 10, 10], [0.0, 5.0, 6.1])  # ends at 1.0, 6.0 and 7.1 s


@st.composite
def clocks(draw):
    n = draw(st.integers(1, 5))
    rate = draw(st.floats(1, 30_000))
    lengths = draw(st.lists(st.integers(1, 500), min_size=n, max_size=n))
    gaps = draw(st.lists(st.floats(0.6, 1e4), min_size=n, max_size=n))  # in samples
    starts, t = [], draw(st.floats(-10, 10))
    for length, gap in zip(lengths, gaps, strict=True):
        t += gap / rate
        starts.append(t)
        t += length / rate
    return Clock.from_segments(rate, lengths, starts)


@given(clocks(), st.data())
@settings(deadline=None)
def test_spans_come_back_from_seconds(clock, data):
    start = data.draw(st.integers(0, clock.n_samples - 1))
    stop = data.draw(st.integers(start + 1, clock.n_samples))
    a, b = span_samples(clock, *span_seconds(clock, [start], [stop]))
    assert (int(a[0]), int(b[0])) == (start, stop)


@given(clocks(), st.data())
@settings(deadline=None)
def test_events_come_back_from_seconds(clock, data):
    sample = data.draw(st.integers(0, clock.n_samples - 1))
    samples, recorded = event_samples(clock, clock.to_seconds([sample]))
    assert samples.tolist() == [sample]
    assert recorded.tolist() == [True]


def test_times_in_gaps_and_outside():
    times = [-1.0, 0.0, 0.94, 2.0, 5.0, 5.94, 6.06, 6.5, 7.05, 9.0]
    samples, recorded = event_samples(GAPPY, times)
    assert recorded.tolist() == [False, True, True, False, True, True, True, True, False, False]
    assert samples[recorded].tolist() == [0, 9, 10, 19, 20, 24]


def test_spans_in_and_across_gaps():
    start, stop = span_samples(GAPPY, [0.5, 2.0, 2.0, 0.5], [5.5, 5.5, 3.0, 3.0])
    assert start.tolist() == [5, 10, 10, 5]
    assert stop.tolist() == [15, 15, 10, 10]  # the third lies in the gap: empty
    start_s, stop_s = span_seconds(GAPPY, [0, 9, 5], [10, 11, 30])
    np.testing.assert_allclose(start_s, [0.0, 0.9, 0.5])
    np.testing.assert_allclose(stop_s, [1.0, 5.1, 7.1])
