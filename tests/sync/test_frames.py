import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import AmbiguousClockError, BadMetadataError
from nissl.sync import frame_times

PERIOD_S = 1 / 30


def pulses(n, rng, start_s=4.2):
    return start_s + np.arange(n) * PERIOD_S * (1 + 25e-6) + rng.normal(0, 5e-5, n)


def test_as_many_frames_as_pulses():
    times = pulses(50, np.random.default_rng(0))
    frames = frame_times(times, n_frames=50)
    np.testing.assert_array_equal(frames.times_s, times)
    assert frames.dropped.size == 0
    assert len(frames.clock.segments) == 1
    assert frames.limit_s == pytest.approx(PERIOD_S / 2, rel=1e-2)


@given(st.integers(0, 2**32 - 1), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_dropped_frames_and_lost_pulses_are_located(seed, first_number):
    rng = np.random.default_rng(seed)
    true = pulses(400, rng)
    kept = rng.random(400) > 0.01
    seen = rng.random(400) > 0.02
    kept[0] = seen[0] = seen[-1] = True
    numbers = np.flatnonzero(kept)
    frames = frame_times(true[seen], numbers=numbers + first_number)
    last = numbers[-1]
    np.testing.assert_array_equal(frames.dropped, np.flatnonzero(~kept[:last]))
    np.testing.assert_array_equal(frames.lost, np.flatnonzero(~seen))
    np.testing.assert_allclose(frames.times_s, true[kept], atol=5e-4)
    exact = seen[numbers]
    np.testing.assert_array_equal(frames.times_s[exact], true[numbers[exact]])
    gaps = np.flatnonzero(np.diff(numbers) > 1)
    assert [s.start for s in frames.clock.segments] == [0, *(gaps + 1).tolist()]
    carried = frames.clock_map()(frames.clock.to_seconds(np.arange(numbers.size)))
    np.testing.assert_allclose(carried, frames.times_s, atol=1e-6)


@pytest.mark.parametrize("n_frames", [49, 51, 0])
def test_counts_that_differ_without_numbers_are_refused(n_frames):
    with pytest.raises(AmbiguousClockError, match="frame numbers"):
        frame_times(pulses(50, np.random.default_rng(1)), n_frames=n_frames)


def test_more_frames_than_exposures_are_refused():
    with pytest.raises(AmbiguousClockError):
        frame_times(pulses(50, np.random.default_rng(1)), numbers=np.arange(51))


def test_lost_pulses_alone_are_counted_from_their_gaps():
    true = pulses(100, np.random.default_rng(2))
    frames = frame_times(np.delete(true, [10, 11, 60]), n_frames=100)
    assert frames.lost.tolist() == [10, 11, 60]
    np.testing.assert_allclose(frames.times_s, true, atol=5e-4)


@pytest.mark.parametrize(
    ("times", "options"),
    [
        ([0.0], {"n_frames": 1}),
        ([0.0, 1.0], {}),
        ([0.0, 1.0], {"n_frames": 2, "numbers": [0, 1]}),
        ([0.0, 1.0, 2.0, 2.4, 3.0], {"n_frames": 5}),
        ([0.0, 1.0, 0.5], {"n_frames": 3}),
        ([0.0, 1.0, 2.0], {"numbers": [0, 2, 1]}),
        ([0.0, 1.0, 2.0], {"numbers": [0.0, 1.0, 2.0]}),
        ([0.0, 1.0, 2.0], {"numbers": []}),
    ],
)
def test_impossible_input(times, options):
    with pytest.raises(BadMetadataError):
        frame_times(times, **options)
