"""A kept motion signal makes a movie still again."""

import numpy as np
import pytest

from nissl.annotators.cells.motion.kept import still
from nissl.data import ChannelTable, Movie, Signal
from nissl.errors import BadArgumentError


def moved(n_planes=1):
    rng = np.random.default_rng(0)
    scene = rng.random((n_planes, 40, 44)).astype(np.float32)
    shift = rng.integers(-3, 4, (20, n_planes, 2))
    frames = [
        [np.roll(plane, tuple(by), axis=(0, 1)) for plane, by in zip(scene, each, strict=True)]
        for each in shift
    ]
    suffixes = [""] if n_planes == 1 else [f"_{z}" for z in range(n_planes)]
    ids = [f"shift_{axis}{s}" for s in suffixes for axis in "yx"]
    table = ChannelTable.plain(ids, kind="motion")
    signal = Signal.from_array(
        shift.reshape(20, -1).astype(np.float32), 10.0, name="motion", channels=table
    )
    return scene, Movie.from_array(np.asarray(frames), 10.0), signal


@pytest.mark.parametrize("n_planes", [1, 2])
def test_frames_lie_where_the_scene_is(n_planes):
    scene, movie, motion = moved(n_planes)
    found = still(movie, motion).read()
    assert found.shape == (20, n_planes, 40, 44)
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    expected = np.broadcast_to(scene, found.shape)
    assert found[inner] == pytest.approx(expected[inner], abs=1e-4)
    part = still(movie, motion).read(5, 9, rows=(10, 20))
    assert part == pytest.approx(found[5:9, :, 10:20], abs=1e-5)


def test_a_signal_of_another_movie_is_refused():
    _, movie, motion = moved()
    for other in (moved(2)[1], Movie.from_array(np.zeros((5, 40, 44), np.float32), 10.0)):
        with pytest.raises(BadArgumentError, match="shifts"):
            still(other, motion)
    assert movie.n_frames == 20
