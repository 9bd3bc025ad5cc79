from __future__ import annotations

from pathlib import Path

import numpy as np

from nissl.annotators.cells.binned import binned
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.ring import coarse_means, coarse_places, ring_weights
from nissl.annotators.cells.traces import TraceSettings, extract
from nissl.clock import Clock, Segment
from nissl.data import Movie
from nissl.run.context import Context


def test_blocks_cross_no_gap_and_leave_nan_out(tmp_path: Path) -> None:
    frames = np.arange(7 * 5 * 4, dtype=np.float32).reshape(7, 5, 4)
    frames[0, 0, 0] = np.nan
    clock = Clock((Segment(0, 3, 0.0, 10.0), Segment(3, 7, 9.0, 10.0)))
    movie = Movie.from_array(frames, 10.0, clock=clock)
    small = binned(movie, Context(tmp_path), 2, factor=2)
    assert small.shape == (4, 1, 3, 2)
    assert small[1, 0, 0, 0] == frames[2, :2, :2].mean()
    assert small[2, 0, 2, 1] == frames[3:5, 4:, 2:].mean()
    assert small[0, 0, 0, 0] == np.nanmean(frames[:2, :2, :2])
    kept = binned(movie, Context(tmp_path), 2, factor=2, on_disk=True)
    assert np.array_equal(kept, small)


def test_coarse_means_undo_coarse_places() -> None:
    image = np.arange(6.0)
    up = coarse_places((5, 7), 3) @ image
    assert np.allclose(coarse_means((5, 7), 3) @ up, image)


def test_ring_predicts_a_smooth_background_and_not_a_cell() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :24] / 24.0
    slow = rng.normal(0, 1, (300, 3))
    background = np.einsum("tk,kyx->tyx", slow, np.stack([np.ones_like(y), y, x * y]))
    cell = np.hypot(*(np.mgrid[:24, :24] - 12)) < 2
    spikes = (rng.random(300) < 0.05) * 5.0
    movie = background + spikes[:, None, None] * cell + rng.normal(0, 0.02, background.shape)
    fitted = (ring_weights(movie, 5.0) @ movie.reshape(300, -1).T).T.reshape(movie.shape)
    at = fitted[:, 12, 12]
    assert np.corrcoef(at, background[:, 12, 12])[0, 1] > 0.99
    assert abs(np.corrcoef(at, spikes)[0, 1]) < 0.15


def test_one_photon_cells_beneath_a_bright_background(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    shapes = [
        np.exp(-((y - a) ** 2 + (x - b) ** 2) / 32.0) for a, b in ((20, 20), (20, 28), (45, 40))
    ]
    activity = np.stack(
        [np.convolve(rng.random(1000) < 0.01, np.exp(-np.arange(60) / 10.0))[:1000] for _ in shapes]
    )
    frames = np.full((1000, 64, 64), 1000.0)
    for a, b in rng.random((6, 2)) * 64:
        slow = np.convolve(rng.normal(0, 20, 1000), np.exp(-np.arange(200) / 30.0))[:1000]
        spot = np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * 25.0**2))
        frames += slow[:, None, None] * spot
    for shape, what in zip(shapes, activity, strict=True):
        frames += 60.0 * what[:, None, None] * shape
    frames += rng.normal(0, 10, frames.shape)
    movie = Movie.from_array(frames.astype(np.uint16), 20.0)
    inside = [np.flatnonzero(shape > 0.3) for shape in shapes]
    cells = Footprints.build(
        movie.shape, inside, [s.ravel()[i] for s, i in zip(shapes, inside, strict=True)]
    )
    found = {
        kind: extract(movie, cells, Context(tmp_path / kind), TraceSettings(kind))
        for kind in ("two-photon", "one-photon")
    }
    r = {
        kind: np.array([np.corrcoef(activity[k], t.dff[:, k])[0, 1] for k in range(3)])
        for kind, t in found.items()
    }
    assert (r["one-photon"] > 0.8).all()
    assert (r["one-photon"] > r["two-photon"]).all()
    assert r["one-photon"].mean() > r["two-photon"].mean() + 0.1
    assert (found["one-photon"].coefficient == 1.0).all()
    assert np.isnan(found["one-photon"].coefficient_error).all()
