"""Simulated movies: any block has the same bytes, and what the truth says is in the frames."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import shift as shifted

from nissl.annotators.cells.simulate import ONE_PHOTON, Scene, simulate, simulated
from nissl.annotators.cells.simulate.spiking import INDICATORS, fluorescence
from nissl.annotators.cells.simulate.stage import staged
from nissl.errors import BadArgumentError
from nissl.labels import Kind

pytest.importorskip("numba")

SMALL = Scene(seed=3, height=64, width=80, n_frames=60)
STILL = {"jitter_px": 0.0, "drift_px": 0.0, "jerks_per_min": 0.0}


@pytest.mark.parametrize("more", [{}, ONE_PHOTON, {"bend_px": 1.0, "line_offset_px": 1.5}])
def test_any_block_of_frames_and_rows_has_the_same_bytes(more: dict[str, float]) -> None:
    movie = simulated(replace(SMALL, **more)).movie
    whole = movie.frames()
    assert whole.shape == (60, 64, 80)
    assert whole.dtype == np.uint16
    np.testing.assert_array_equal(movie.frames(7, 19, rows=(5, 40)), whole[7:19, 5:40])
    again = pickle.loads(pickle.dumps(movie.reader))
    np.testing.assert_array_equal(again.read(0, 60, (0, 64))[:, 0], whole)
    assert len(pickle.dumps(movie.reader)) < 2000


def test_seeds_differ_and_are_kept() -> None:
    first, again, other = (simulate(seed, height=32, width=32, n_frames=5) for seed in (1, 1, 2))
    assert first[1].digest == again[1].digest != other[1].digest
    assert first[0].fingerprint == again[0].fingerprint != other[0].fingerprint
    assert first[1].kind == Kind.REGIONS
    a, b = (made[0].movies["movie"].frames() for made in (first, other))
    assert (a != b).mean() > 0.9


def test_counts_have_the_mean_and_the_variance_of_photons_and_detector() -> None:
    scene = Scene(
        seed=1, height=32, width=32, n_frames=4000, neuropil_sd=0.0, bleach=0.0, silent=1.0,
        processes=0.0, out_of_focus=0.0, photons=6.0, **STILL,
    )  # fmt: skip
    stage, m = staged(scene), scene.margin
    light = (stage.still + stage.texture)[m:-m, m:-m]
    counts = (simulated(scene).movie.frames().astype(float) - scene.offset) / scene.gain
    np.testing.assert_allclose(counts.mean(0).mean(), light.mean(), rtol=0.01)
    assert np.corrcoef(counts.mean(0).ravel(), light.ravel())[0, 1] > 0.99
    expected = light.mean() + 1 / 8 + scene.read_noise**2
    np.testing.assert_allclose(counts.var(0).mean(), expected, rtol=0.03)


def test_noise_is_independent_of_frame_and_neighbour() -> None:
    scene = replace(SMALL, n_frames=2000, silent=1.0, neuropil_sd=0.0, bleach=0.0, **STILL)
    scene = replace(scene, processes=0.0, out_of_focus=0.0)
    frames = simulated(scene).movie.frames().astype(float)
    noise = (frames - frames.mean(0)) / frames.std(0)
    along_time = (noise[1:] * noise[:-1]).mean()
    along_x = (noise[:, :, 1:] * noise[:, :, :-1]).mean()
    along_y = (noise[:, 1:] * noise[:, :-1]).mean()
    assert np.abs([along_time, along_x, along_y]).max() < 0.005


def test_frames_are_displaced_as_the_truth_says() -> None:
    moving = Scene(
        seed=5, height=96, width=96, n_frames=40, photons=5000.0, silent=1.0, neuropil_sd=0.0,
        processes=0.0, out_of_focus=0.0, bleach=0.0, gain=1.0, drift_px=8.0,
    )  # fmt: skip
    still = simulated(replace(moving, **STILL)).movie.frames(0, 1)[0].astype(float)
    made = simulated(moving)
    frames = made.movie.frames().astype(float)
    assert np.ptp(made.truth.shift, axis=0).max() > 4
    for t in (0, 13, 39):
        expected = shifted(still, made.truth.shift[t], order=3)[12:-12, 12:-12]
        seen = frames[t][12:-12, 12:-12]
        assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.98
        wrong = shifted(still, -made.truth.shift[t], order=3)[12:-12, 12:-12]
        if np.abs(made.truth.shift[t]).max() > 1.5:
            assert np.corrcoef(seen.ravel(), wrong.ravel())[0, 1] < 0.9


def test_bends_displace_the_first_and_the_last_line_oppositely() -> None:
    bent = Scene(seed=5, height=96, width=96, n_frames=3, photons=5000.0, gain=1.0, bend_px=1.5)
    bent = replace(bent, neuropil_sd=0.0, silent=1.0, processes=0.0, out_of_focus=0.0, **STILL)
    still = simulated(replace(bent, bend_px=0.0)).movie.frames().astype(float)
    made = simulated(bent)
    for t in range(3):
        dx = made.truth.bend[t, 1]
        top = made.movie.frames(t, t + 1)[0, :4].astype(float)
        expected = shifted(still[t], (-made.truth.bend[t, 0], -dx), order=3)[:4]
        inner = (slice(2, 4), slice(8, -8))
        assert np.corrcoef(top[inner].ravel(), expected[inner].ravel())[0, 1] > 0.9


def test_traces_of_cells_are_in_the_movie() -> None:
    scene = Scene(seed=4, height=128, width=128, n_frames=1500, photons=60.0, **STILL)
    scene = replace(scene, dim=0.0, silent=0.3, neuropil_sd=0.02, overlapping=0.0)
    made = simulated(scene)
    cells, truth = made.truth.cells, made.truth
    assert len(cells) > 8
    raw = made.movie.frames().reshape(1500, -1) @ (cells.matrix() / 100).T.toarray()
    active = truth.trace.max(0) > 0.5
    assert active.sum() > 3
    seen = [np.corrcoef(raw[:, k], truth.trace[:, k])[0, 1] for k in np.flatnonzero(active)]
    assert np.median(seen) > 0.8
    assert not truth.spikes[:, truth.silent].any()
    assert not truth.trace[:, truth.silent].any()
    assert truth.spikes.sum() == sum(times.size for times in truth.spike_times)


@pytest.mark.parametrize("name", sorted(INDICATORS))
@pytest.mark.parametrize("rate_hz", [7.5, 1000.0])
def test_one_spike_gives_the_indicators_peak_at_any_rate(name: str, rate_hz: float) -> None:
    indicator = INDICATORS[name]
    times = np.array([0.5])
    made = fluorescence(times, int(4 * rate_hz), rate_hz, indicator)
    fine = fluorescence(times, 40000, 10000.0, indicator)
    saturated = indicator.peak / (1 + indicator.peak / 8)
    np.testing.assert_allclose(fine.max(), saturated, rtol=1e-3)
    ends = np.arange(1, len(made) + 1) * 10000 / rate_hz
    np.testing.assert_allclose(made, fine[np.round(ends).astype(int) - 1], atol=2e-3)
    assert not made[: int(0.5 * rate_hz) - 1].any()


def test_one_photon_movies_are_mostly_background() -> None:
    made = simulated(Scene(seed=2, height=96, width=96, n_frames=100, **ONE_PHOTON))
    frames = made.movie.frames().astype(float)
    assert len(made.truth.cells) > 3
    cell = made.truth.cells.matrix().toarray().reshape(-1, 96, 96)[0] > 0
    assert 0.5 < frames.mean(0)[cell].mean() / frames.mean() < 2


@pytest.mark.parametrize(
    "wrong",
    [{"silent": 1.5}, {"rate_hz": 0.0}, {"optics": "x-ray"}, {"indicator": "dye"}, {"height": 4},
     {"photons": float("nan")}, {"line_offset_px": 5.0}],
)  # fmt: skip
def test_scenes_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(BadArgumentError):
        Scene(**wrong)  # type: ignore[arg-type]
