"""Movie: lazily read frames on a clock."""

import pickle

import numpy as np
import pytest

from nissl.clock import Clock, Segment
from nissl.data import Movie
from nissl.errors import BadArgumentError, BadMetadataError, GapError


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    return rng.integers(0, 1000, (12, 3, 8, 6)).astype(np.int16)


def test_frames_and_rows_are_those_asked_for(frames):
    movie = Movie.from_array(frames, 30.0)
    assert (movie.n_frames, movie.n_planes, movie.shape) == (12, 3, (3, 8, 6))
    assert movie.duration_s == pytest.approx(0.4)
    np.testing.assert_array_equal(movie.read(2, 5, rows=(1, 4)), frames[2:5, :, 1:4])
    np.testing.assert_array_equal(movie.plane(1).frames(2, 5), frames[2:5, 1])
    assert movie.read(3, 3).shape == (0, 3, 8, 6)
    flat = Movie.from_array(frames[:, 0], 30.0)
    np.testing.assert_array_equal(flat.frames(), frames[:, 0])
    assert flat.plane(0) is flat


def test_it_travels_to_another_process(frames):
    movie = pickle.loads(pickle.dumps(Movie.from_array(frames, 30.0).plane(2)))
    np.testing.assert_array_equal(movie.frames(4), frames[4:, 2])


def test_what_is_not_there_is_refused(frames):
    movie = Movie.from_array(frames, 30.0)
    for ask in (
        lambda: movie.read(3, 13),
        lambda: movie.read(-1, 3),
        lambda: movie.read(rows=(2, 9)),
        lambda: movie.plane(3),
        movie.frames,
    ):
        with pytest.raises(BadArgumentError):
            ask()
    for bad in (np.zeros((4, 4)), np.zeros((3, 0, 4))):
        with pytest.raises(BadMetadataError):
            Movie.from_array(bad, 30.0)


def test_dropped_frames_are_gaps(frames):
    clock = Clock((Segment(0, 5, 0.0, 30.0), Segment(5, 12, 2.0, 30.0)))
    movie = Movie.from_array(frames, 30.0, clock=clock)
    with pytest.raises(GapError):
        movie.read(3, 7)
    assert list(movie.blocks(4)) == [(0, 4), (4, 5), (5, 9), (9, 12)]
    assert "1 gaps" in repr(movie)
