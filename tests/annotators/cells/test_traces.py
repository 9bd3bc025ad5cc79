from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.cells.baseline import bleaching, relative, running_baseline
from nissl.annotators.cells.demix import demixing
from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.neuropil import annuli, coefficients
from nissl.annotators.cells.noise import noise_level
from nissl.annotators.cells.reextract import cut_patch, reextract
from nissl.annotators.cells.traces import Traces, TraceSettings, extract
from nissl.clock import Clock, Segment
from nissl.data import Movie
from nissl.errors import BadArgumentError
from nissl.run.context import Context

RATE = 30.0
CENTRES = ((20, 20), (20, 27), (60, 60), (70, 20))


def field() -> Footprints:
    y, x = np.mgrid[:80, :80]
    return Footprints.build(
        (1, 80, 80), [np.flatnonzero(np.hypot(y - a, x - b) <= 5) for a, b in CENTRES]
    )


def filmed(*, part: float = 0.6, noise: float = 1.0, bleach: float = 0.0) -> tuple:
    """A movie of four cells, two of which overlap, and what each did, (n_frames, 4)."""
    rng = np.random.default_rng(3)
    n = 1800
    kernel = np.exp(-np.arange(60) / 15.0)
    spikes = rng.random((n, 4)) < 0.006
    activity = np.stack([np.convolve(s, kernel)[:n] for s in spikes.T], 1)
    around = 40.0 + 8.0 * np.sin(np.arange(n) / 50.0) + np.cumsum(rng.normal(0, 0.1, n))
    cells = field()
    frames = np.repeat(around[:, None], 6400, 1)
    for k, pixels in enumerate(cells.pixels):
        frames[:, pixels] += (80.0 * (1 + activity[:, k]) - (1 - part) * around)[:, None]
    frames *= np.exp(-bleach * np.arange(n) / n)[:, None]
    frames += rng.normal(0, noise, frames.shape)
    return Movie.from_array(frames.reshape(n, 80, 80).astype(np.float32), RATE), activity


def test_noise_of_white_noise_has_the_stated_level() -> None:
    trace = np.random.default_rng(0).normal(0, 0.1, (20_000, 2))
    assert noise_level(trace, 25.0) == pytest.approx(95.4 * 0.1 / 5.0, rel=0.03)
    trace[::7] = np.nan
    assert noise_level(trace, 25.0) == pytest.approx(95.4 * 0.1 / 5.0, rel=0.05)
    assert np.isnan(noise_level(trace[:1], 25.0)).all()


def test_baseline_follows_bleaching_to_both_ends_and_ignores_transients() -> None:
    rng = np.random.default_rng(1)
    n = 6000
    rest = 100.0 * np.exp(-np.arange(n) / 12_000)
    trace = rest + rng.normal(0, 3, n)
    for start in (0, 900, 2500, 5900):
        trace[start : start + 100] += 80.0
    found = running_baseline(trace[:, None].astype(np.float32), RATE)[:, 0]
    assert np.abs(found / rest - 1).max() < 0.05
    assert bleaching(found[:, None])[0] == pytest.approx(1 - np.exp(-0.45), abs=0.03)


def test_low_baselines_are_raised_and_said() -> None:
    level = np.array([[100.0, 0.2]] * 5)
    change, raised = relative(level + 10, level, np.array([5.0, 5.0]))
    assert raised.tolist() == [False, True]
    assert np.allclose(change, [[0.1, 2.0]] * 5)


def test_overlapping_cells_are_taken_apart_and_equal_ones_are_not() -> None:
    cells = field()
    own = demixing(cells)
    rng = np.random.default_rng(0)
    brightness = rng.random((4, 7)).astype(np.float32)
    frames = cells.matrix().T @ brightness
    assert np.allclose(own.operator @ frames, brightness, atol=1e-5)
    assert own.told_apart.all()
    assert own.gain[2] == pytest.approx(1.0)
    assert own.gain[0] < 1
    twice = Footprints.build(cells.shape, [cells.pixels[0], cells.pixels[0], cells.pixels[2]])
    assert demixing(twice).told_apart.tolist() == [False, False, True]
    assert demixing(twice).gain == pytest.approx(1.0)


def test_rings_hold_no_pixel_of_any_cell() -> None:
    cells = field()
    taken = np.unique(np.concatenate(cells.pixels))
    for ring in annuli(cells):
        assert ring.size >= 290
        assert not np.isin(ring, taken).any()
        assert ring.min() >= 0
        assert ring.max() < 6400
    full = Footprints.build((1, 8, 8), [np.arange(64)])
    assert annuli(full)[0].size == 0


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
def test_coefficient_of_the_neuropil_is_found_beneath_activity(part: float) -> None:
    rng = np.random.default_rng(2)
    n = 9000
    neuropil = 50 + 5 * np.sin(np.arange(n) / 100)[:, None] + rng.normal(0, 1, (n, 3))
    kernel = np.exp(-np.arange(90) / 20.0)
    own = np.stack([np.convolve(rng.random(n) < 0.01, kernel)[:n] for _ in range(3)], 1)
    raw = part * neuropil + 30 * own + rng.normal(0, 2, (n, 3))
    found = coefficients(raw, neuropil, RATE)
    assert np.abs(found.value - part).max() < 0.1
    assert np.isfinite(found.error).all()
    flat = coefficients(raw, np.full_like(raw, 3.0), RATE)
    assert np.isinf(flat.error).all()
    assert flat.value == pytest.approx(0.7)


def test_traces_tell_what_each_cell_did(tmp_path: Path) -> None:
    movie, activity = filmed(bleach=0.2)
    traces = extract(movie, field(), Context(tmp_path))
    for k in range(4):
        assert np.corrcoef(traces.dff[:, k], activity[:, k])[0, 1] > 0.97
    crossed = np.corrcoef(traces.dff[:, 0], traces.dff[:, 1])[0, 1]
    assert abs(crossed - np.corrcoef(activity[:, 0], activity[:, 1])[0, 1]) < 0.06
    assert np.abs(traces.coefficient - 0.6).max() < 0.15
    assert traces.bleached == pytest.approx(1 - np.exp(-0.18), abs=0.04)
    slope = [np.polyfit(activity[:, k], traces.dff[:, k], 1)[0] for k in range(4)]
    assert np.abs(np.array(slope) - 1).max() < 0.25


def test_traces_are_the_same_for_two_workers(tmp_path: Path) -> None:
    movie, _ = filmed()
    one = extract(movie, field(), Context(tmp_path / "1"))
    two = extract(movie, field(), Context(tmp_path / "2", workers=2))
    for each in fields(Traces):
        assert getattr(one, each.name).tobytes() == getattr(two, each.name).tobytes()


def test_pixels_without_a_number_are_left_out(tmp_path: Path) -> None:
    movie, activity = filmed()
    frames = movie.frames().copy()
    frames[:, :17] = np.nan
    frames[100:110, 55:65, 55:65] = np.nan
    broken = Movie.from_array(frames, RATE)
    traces = extract(broken, field(), Context(tmp_path))
    assert np.isnan(traces.raw[100:110, 2]).all()
    assert traces.missing[2] == pytest.approx(10 / 1800)
    assert np.corrcoef(traces.dff[:, 0], activity[:, 0])[0, 1] > 0.9


def test_a_redrawn_cell_reads_as_in_the_whole_movie(tmp_path: Path) -> None:
    movie, _ = filmed()
    cells = field()
    traces = extract(movie, cells, Context(tmp_path))
    patch = cut_patch(movie, cells.pixels[0], margin_px=45)
    again = reextract(patch, cells.pixels[0], None, cells.take(np.arange(1, 4)))
    assert np.allclose(again.raw[:, 0], traces.raw[:, 0], atol=1e-3)
    small = cut_patch(movie, cells.pixels[0], margin_px=2)
    with pytest.raises(BadArgumentError, match="inside the patch"):
        reextract(small, cells.pixels[2], None, cells.take(np.arange(2)))
    with pytest.raises(BadArgumentError, match="inside the field"):
        cut_patch(movie, np.array([6400]))


def test_planes_and_gaps_are_read_through(tmp_path: Path) -> None:
    movie, _ = filmed()
    both = np.stack([movie.frames()[:600], movie.frames()[600:1200]], 1)
    clock = Clock((Segment(0, 200, 0.0, RATE), Segment(200, 600, 30.0, RATE)))
    volume = Movie.from_array(both, RATE, clock=clock)
    cells = field()
    deep = Footprints.build(volume.shape, [*cells.pixels[:2], cells.pixels[2] + 6400])
    traces = extract(volume, deep, Context(tmp_path / "v"))
    assert np.allclose(traces.raw[:, 2], both[:, 1].reshape(600, -1)[:, cells.pixels[2]].mean(1))
    ring = annuli(deep)[2]
    assert ring.min() >= 6400


def test_the_dark_level_is_taken_off_the_rest(tmp_path: Path) -> None:
    movie, _ = filmed(part=0.0)
    lifted = Movie.from_array(movie.frames() + np.float32(100), RATE)
    settings = TraceSettings(coefficient=0.0, dark=100.0)
    known = extract(lifted, field(), Context(tmp_path / "1"), settings)
    plain = extract(movie, field(), Context(tmp_path / "2"), TraceSettings(coefficient=0.0))
    assert np.allclose(known.dff, plain.dff, atol=1e-3)


def test_other_fields_and_settings_are_refused(tmp_path: Path) -> None:
    movie = Movie.from_array(np.zeros((3, 8, 8), np.uint16), 10.0)
    with pytest.raises(BadArgumentError, match="another movie"):
        extract(movie, field(), Context(tmp_path))
    with pytest.raises(BadArgumentError, match="modality"):
        TraceSettings(modality="three-photon")


@pytest.mark.parametrize("n_frames", [1, 2, 5])
def test_short_and_dark_movies_give_finite_traces(n_frames: int, tmp_path: Path) -> None:
    movie = Movie.from_array(np.zeros((n_frames, 80, 80), np.uint16), 10.0)
    traces = extract(movie, field(), Context(tmp_path))
    assert np.isfinite(traces.dff).all()
    assert traces.dff.shape == (n_frames, 4)
    none = extract(movie, field().take(np.zeros(4, bool)), Context(tmp_path))
    assert none.raw.shape == (n_frames, 0)
