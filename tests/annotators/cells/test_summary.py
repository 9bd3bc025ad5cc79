"""Pictures of a movie: against plain NumPy, for any number of workers, with gaps and bad pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from nissl.annotators.cells.simulate import Scene, simulated
from nissl.annotators.cells.summary import summarise
from nissl.clock import Clock, Segment
from nissl.data.movie import Movie
from nissl.errors import BadArgumentError, BadSamplesError, MemoryBudgetError
from nissl.run.context import Context


def still(**settings) -> Scene:
    quiet = {"jitter_px": 0.0, "drift_px": 0.0, "jerks_per_min": 0.0, "bleach": 0.0}
    return Scene(**{"height": 64, "width": 72, "n_frames": 900, **quiet, **settings})


def test_mean_and_deviation_are_those_of_numpy(tmp_path: Path):
    movie = simulated(still(seed=3)).movie
    frames = movie.frames().astype(np.float64)
    found = summarise(movie, Context(tmp_path))
    np.testing.assert_allclose(found.mean, frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.std, frames.std(axis=0), rtol=1e-5)
    assert all(image.dtype == np.float32 for image in vars(found).values())
    assert all(image.shape == (64, 72) for image in vars(found).values())


def test_correlation_is_that_of_numpy_within_one_chunk(tmp_path: Path):
    rng = np.random.default_rng(4)
    frames = rng.normal(100, 5, (40, 24, 20)).astype(np.float32)
    frames[:, 8:14, 8:14] += rng.normal(0, 10, (40, 1, 1)).astype(np.float32)
    found = summarise(Movie.from_array(frames, 5.0), Context(tmp_path), background_px=0)
    y, x = 11, 11
    ring = [(0, 2), (2, 0), (1, 2), (2, 1), (2, -1), (1, -2)]
    ring += [(-a, -b) for a, b in ring]
    own = frames[:, y, x]
    truth = np.mean([np.corrcoef(own, frames[:, y + a, x + b])[0, 1] for a, b in ring])
    assert found.correlation[y, x] == pytest.approx(truth, abs=1e-4)
    assert found.correlation[0, 0] < 0.5 < found.correlation[y, x]


def test_active_cells_stand_out_of_neuropil_that_changes_as_a_whole(tmp_path: Path):
    from sklearn.metrics import roc_auc_score

    made = simulated(still(seed=5, height=160, width=160, n_frames=1200, event_hz=0.3, silent=0.0))
    inside = np.zeros(160 * 160, bool)
    for pixels in made.truth.cells.pixels:
        inside[pixels] = True
    found = summarise(made.movie, Context(tmp_path))
    for name in ("correlation", "peak_to_noise", "active"):
        assert roc_auc_score(inside, getattr(found, name).ravel()) > 0.75


def test_same_bytes_with_one_or_two_workers_and_across_a_gap(tmp_path: Path):
    scene = still(seed=7, n_frames=800)
    movie = simulated(scene).movie
    clock = Clock((Segment(0, 500, 0.0, 30.0), Segment(500, 800, 60.0, 30.0)))
    movie = Movie("movie", movie.reader, movie.shape, clock)
    one, two = (
        summarise(movie, Context(tmp_path / str(n), workers=n, memory_bytes=10**9)) for n in (1, 2)
    )
    for name, image in vars(one).items():
        assert image.tobytes() == getattr(two, name).tobytes()


def test_pixels_without_a_number_are_left_out(tmp_path: Path):
    rng = np.random.default_rng(4)
    frames = rng.normal(10, 1, (60, 20, 20)).astype(np.float32)
    frames[::3, 4, 4] = np.nan
    frames[:, 9, 9] = np.nan
    found = summarise(Movie.from_array(frames, 5.0), Context(tmp_path))
    assert found.mean[4, 4] == pytest.approx(np.nanmean(frames[:, 4, 4]), rel=1e-5)
    assert np.isnan(found.mean[9, 9])
    for name in ("correlation", "peak_to_noise", "active", "max"):
        assert np.isfinite(getattr(found, name)).all()


def test_a_single_frame_has_a_mean_and_no_activity(tmp_path: Path):
    frame = np.arange(400, dtype=np.uint16).reshape(1, 20, 20)
    found = summarise(Movie.from_array(frame, 30.0), Context(tmp_path))
    np.testing.assert_array_equal(found.mean, frame[0].astype(np.float32))
    assert not found.correlation.any()
    assert not found.peak_to_noise.any()


def test_what_cannot_be_summarised_is_said(tmp_path: Path):
    with pytest.raises(BadSamplesError):
        summarise(Movie.from_array(np.zeros((0, 20, 20)), 30.0), Context(tmp_path))
    volume = Movie.from_array(np.zeros((5, 2, 20, 20)), 30.0)
    with pytest.raises(BadArgumentError, match="one plane"):
        summarise(volume, Context(tmp_path))
    with pytest.raises(MemoryBudgetError):
        summarise(volume.plane(0), Context(tmp_path, memory_bytes=10**7))
