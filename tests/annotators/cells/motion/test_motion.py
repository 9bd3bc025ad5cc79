"""Motion correction against known displacements, its figures, findings, and bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from nissl.annotators.cells.motion import (
    MotionSettings,
    corrected,
    estimate,
    findings,
)
from nissl.annotators.cells.simulate import ONE_PHOTON, Scene, simulated
from nissl.annotators.line_offset import line_offset
from nissl.clock import Clock, Segment
from nissl.data.movie import Movie
from nissl.errors import BadArgumentError, BadSamplesError, MemoryBudgetError
from nissl.run.context import Context

LOCAL = MotionSettings(block_px=64)


def in_memory(scene: Scene):
    """Simulated movie held in memory, and its truth."""
    made = simulated(scene)
    movie = Movie.from_array(made.movie.frames(), scene.rate_hz, clock=made.movie.clock)
    return movie, made.truth


def off(found: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square difference, a common displacement apart."""
    apart = found - truth
    return float(np.sqrt(((apart - np.median(apart, axis=0)) ** 2).mean()))


@pytest.mark.parametrize("optics", ["two-photon", "one-photon"])
def test_displacements_are_found_to_a_small_part_of_a_pixel(tmp_path: Path, optics: str):
    kind = ONE_PHOTON if optics == "one-photon" else {}
    movie, truth = in_memory(Scene(seed=1, height=192, width=160, n_frames=300, **kind))
    found = estimate(movie, MotionSettings(optics=optics), Context(tmp_path))
    assert off(found.shift[:, 0], truth.shift) < 0.12
    assert found.quality.error_px < 0.15
    assert found.quality.correlation[1] >= found.quality.correlation[0]
    assert not found.badly.any()


def test_the_stated_error_is_the_true_one(tmp_path: Path):
    for photons in (8.0, 0.7):
        scene = Scene(seed=2, height=192, width=192, n_frames=300, photons=photons)
        movie, truth = in_memory(scene)
        found = estimate(movie, MotionSettings(block_px=0), Context(tmp_path / f"{photons}"))
        assert 0.5 < found.quality.error_px / off(found.shift[:, 0], truth.shift) < 2.0


def test_bends_within_frames_are_found(tmp_path: Path):
    movie, truth = in_memory(Scene(seed=3, height=256, width=256, n_frames=300, bend_px=1.0))
    whole = estimate(movie, MotionSettings(block_px=0), Context(tmp_path / "whole"))
    parts = estimate(movie, LOCAL, Context(tmp_path / "parts"))
    u = np.linspace(-1, 1, parts.nodes.shape[2])
    true = truth.shift[:, None] + truth.bend[:, None] * u[:, None]
    assert whole.nodes.shape[2:4] == (1, 1)
    assert off(parts.nodes[:, 0], true[:, :, None]) < 0.3
    assert off(np.broadcast_to(whole.nodes[:, 0], parts.nodes[:, 0].shape), true[:, :, None]) > 0.5


def test_frames_that_do_not_bend_are_left_whole(tmp_path: Path):
    movie, _ = in_memory(Scene(seed=4, height=256, width=256, n_frames=240))
    found = estimate(movie, LOCAL, Context(tmp_path))
    assert found.local.max() < 0.1


def test_the_corrected_movie_is_crisper_and_stands_still(tmp_path: Path):
    movie, _ = in_memory(Scene(seed=5, height=160, width=160, n_frames=300, jitter_px=1.5))
    found = estimate(movie, MotionSettings(), Context(tmp_path / "a"))
    assert found.quality.crispness[1] > 1.05 * found.quality.crispness[0]
    assert found.quality.residual_px < 0.15
    still = corrected(movie, found)
    assert still.dtype == np.float32
    again = estimate(still, MotionSettings(), Context(tmp_path / "b"))
    edge = 0.02 + 3 * found.quality.error_px
    assert np.abs(again.shift - np.median(again.shift, axis=0)).mean() < edge


def test_a_movie_that_was_registered_before_gains_nothing(tmp_path: Path):
    moving, _ = in_memory(Scene(seed=4, height=160, width=160, n_frames=240))
    first = estimate(moving, MotionSettings(), Context(tmp_path / "first"))
    assert first.quality.pays
    registered = Movie.from_array(corrected(moving, first).frames(), moving.rate_hz)
    again = estimate(registered, MotionSettings(), Context(tmp_path / "again"))
    assert not again.quality.pays


def test_rows_of_the_corrected_movie_are_those_of_whole_frames(tmp_path: Path):
    movie, _ = in_memory(
        Scene(seed=6, height=128, width=96, n_frames=60, bend_px=0.5, line_offset_px=1.0)
    )
    settings = MotionSettings(block_px=48, bidirectional=True)
    still = corrected(movie, estimate(movie, settings, Context(tmp_path)))
    np.testing.assert_array_equal(
        still.read(10, 20)[:, :, 31:70], still.read(10, 20, rows=(31, 70))
    )


def test_a_pixel_is_taken_from_where_it_went(tmp_path: Path):
    rng = np.random.default_rng(0)
    frame = rng.normal(100, 10, (1, 64, 64)).astype(np.float32)
    movie = Movie.from_array(np.repeat(frame, 4, axis=0), 30.0)
    found = estimate(movie, MotionSettings(), Context(tmp_path))
    there = np.zeros_like(found.nodes)
    there[1, ..., 0], there[2, ..., 1], there[3] = 2.0, -3.0, 0.5
    seen = corrected(movie, replace(found, nodes=there)).frames()
    np.testing.assert_allclose(seen[0], frame[0])
    np.testing.assert_allclose(seen[1][:62], frame[0][2:], rtol=1e-5)
    np.testing.assert_allclose(seen[2][:, 3:], frame[0][:, :-3], rtol=1e-5)
    constant = Movie.from_array(np.full((4, 64, 64), 7, np.uint16), 30.0)
    np.testing.assert_allclose(
        corrected(constant, replace(found, nodes=there)).frames(), 7.0, rtol=1e-5
    )


def test_same_bytes_with_one_or_two_workers_across_a_gap_and_again(tmp_path: Path):
    movie, _ = in_memory(Scene(seed=7, height=128, width=128, n_frames=480, bend_px=0.5))
    clock = Clock((Segment(0, 250, 0.0, 30.0), Segment(250, 480, 60.0, 30.0)))
    movie = replace(movie, clock=clock)
    settings = MotionSettings(block_px=64, passes=2, sample=40)
    found = [
        estimate(movie, settings, Context(tmp_path / name, workers=n, memory_bytes=2 * 10**9))
        for name, n in (("one", 1), ("two", 2), ("one", 1))
    ]
    for other in found[1:]:
        for name in ("shift", "nodes", "error", "correlation", "template"):
            assert getattr(found[0], name).tobytes() == getattr(other, name).tobytes()
        assert other.to_json() == found[0].to_json()


def test_planes_of_a_volume_move_apart(tmp_path: Path):
    planes = [in_memory(Scene(seed=s, height=96, width=96, n_frames=120)) for s in (8, 9)]
    volume = np.stack([movie.frames() for movie, _ in planes], axis=1)
    movie = Movie.from_array(volume, 30.0)
    found = estimate(movie, MotionSettings(), Context(tmp_path))
    for z, (_, truth) in enumerate(planes):
        assert off(found.shift[:, z], truth.shift) < 0.15
        np.testing.assert_array_equal(found.plane(z).shift[:, 0], found.shift[:, z])
    signal = found.to_signal(movie.clock)
    assert signal.channels.kind == "motion"
    assert signal.n_channels == 12


def test_odd_lines_are_measured_and_corrected_only_when_asked(tmp_path: Path):
    scene = Scene(seed=10, height=128, width=128, n_frames=120, line_offset_px=1.5)
    movie, _ = in_memory(scene)
    left = estimate(movie, MotionSettings(), Context(tmp_path / "left"))
    assert left.quality.line_offset_px == pytest.approx(1.5, abs=0.2)
    assert left.line_px == 0.0
    asked = estimate(movie, MotionSettings(bidirectional=True), Context(tmp_path / "asked"))
    assert asked.line_px == left.quality.line_offset_px
    still = corrected(movie, asked).frames(0, 40)
    assert abs(line_offset(still.mean(axis=0, keepdims=True)).px) < 0.3


def test_frames_of_elsewhere_fit_badly_and_lie_between_their_neighbours(tmp_path: Path):
    movie, truth = in_memory(Scene(seed=11, height=128, width=128, n_frames=200))
    frames = movie.frames().copy()
    rng = np.random.default_rng(0)
    frames[90:93] = rng.integers(200, 400, (3, 128, 128))
    odd = Movie.from_array(frames, 30.0)
    found = estimate(odd, MotionSettings(), Context(tmp_path))
    assert found.badly[90:93].all()
    assert found.badly.sum() <= 5
    assert np.abs(found.shift[90:93] - found.shift[[89]]).max() < 3.0
    said = [f for f in findings(found, odd) if f.check == "frames_fit_badly"]
    assert len(said) == 1
    assert "3.0 s" in said[0].sentence
    assert off(found.shift[:90, 0], truth.shift[:90]) < 0.15


def test_another_depth_is_noticed(tmp_path: Path):
    here, _ = in_memory(Scene(seed=12, height=128, width=128, n_frames=720))
    there, _ = in_memory(Scene(seed=13, height=128, width=128, n_frames=720))
    frames = here.frames().astype(np.float32)
    calm = estimate(here, MotionSettings(), Context(tmp_path / "calm"))
    assert "motion_in_depth" not in {f.check for f in findings(calm, here)}
    frames[480:] = 0.4 * frames[480:] + 0.6 * there.frames(480, 720)
    moved = Movie.from_array(frames, 30.0)
    found = estimate(moved, MotionSettings(), Context(tmp_path / "moved"))
    assert "motion_in_depth" in {f.check for f in findings(found, moved)}


def test_what_is_not_a_number_does_no_harm(tmp_path: Path):
    movie, truth = in_memory(Scene(seed=14, height=96, width=96, n_frames=120))
    frames = movie.frames().astype(np.float32)
    frames[:, 20:24, 30:34] = np.nan
    frames[50] = np.nan
    found = estimate(Movie.from_array(frames, 30.0), MotionSettings(), Context(tmp_path))
    assert found.badly[50, 0]
    assert np.isfinite(found.shift).all()
    keep = np.arange(120) != 50
    assert off(found.shift[keep, 0], truth.shift[keep]) < 0.2


def test_a_single_frame_does_not_move(tmp_path: Path):
    movie, _ = in_memory(Scene(seed=15, height=64, width=64, n_frames=1))
    found = estimate(movie, MotionSettings(), Context(tmp_path))
    assert np.abs(found.shift).max() < 1e-3
    findings(found, movie)


def test_what_cannot_be_corrected_is_said(tmp_path: Path):
    black = Movie.from_array(np.zeros((20, 64, 64), np.uint16), 30.0)
    with pytest.raises(BadSamplesError, match="black or saturated"):
        estimate(black, MotionSettings(), Context(tmp_path))
    with pytest.raises(BadSamplesError, match="16 x 16"):
        estimate(Movie.from_array(np.zeros((20, 8, 64)), 30.0), MotionSettings(), Context(tmp_path))
    movie, _ = in_memory(Scene(seed=16, height=64, width=64, n_frames=20))
    with pytest.raises(MemoryBudgetError):
        estimate(movie, MotionSettings(), Context(tmp_path, memory_bytes=10**7))
    with pytest.raises(BadArgumentError, match="reach"):
        MotionSettings(reach=0.9)
    found = estimate(movie, MotionSettings(), Context(tmp_path))
    with pytest.raises(BadArgumentError, match="20 frames"):
        corrected(Movie.from_array(movie.frames(0, 10), 30.0), found)
