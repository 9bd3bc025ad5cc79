"""Cells online: frames are placed and read as they come, nearly as well as offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.motion import MotionSettings, corrected, estimate
from nissl.annotators.cells.online import OnlineMotion, OnlineTraces, RunningBaseline
from nissl.annotators.cells.simulate import Scene, simulated
from nissl.annotators.cells.traces import TraceSettings, extract
from nissl.errors import BadArgumentError
from nissl.run.context import Context

SCENE = Scene(
    seed=31, height=160, width=160, n_frames=600, rate_hz=10.0, drift_px=4.0, silent=0.0,
    event_hz=0.2,
)  # fmt: skip


def test_each_frame_is_placed_at_once_and_where_it_is():
    made = simulated(SCENE)
    frames = made.movie.frames()
    motion = OnlineMotion(n_first=50)
    given = [motion.push(frame) for frame in frames]
    assert [len(each) for each in given] == [0] * 49 + [50] + [1] * 550
    placed = [one for each in given for one in each]
    assert [one.index for one in placed] == list(range(600))
    found = np.stack([one.shift for one in placed])
    apart = found - made.truth.shift
    apart -= np.median(apart, axis=0)
    assert np.sqrt((apart**2).mean()) < 0.12
    assert not any(one.badly for one in placed)


def test_nothing_depends_on_later_frames():
    frames = simulated(SCENE).movie.frames(0, 120)
    long, short = OnlineMotion(n_first=30), OnlineMotion(n_first=30)
    first = [p for frame in frames for p in long.push(frame)]
    again = [p for frame in frames[:80] for p in short.push(frame)]
    for one, two in zip(first[:80], again, strict=True):
        assert one.nodes.tobytes() == two.nodes.tobytes()


def test_traces_are_those_of_offline_extraction(tmp_path: Path):
    made = simulated(SCENE)
    still = corrected(made.movie, estimate(made.movie, MotionSettings(), Context(tmp_path)))
    mean = still.frames().mean(axis=0)
    motion = OnlineMotion(n_first=50, reference=mean)
    live = OnlineTraces(made.truth.cells, SCENE.rate_hz, motion=motion)
    read = [one for frame in made.movie.frames() for one in live.push(frame)]
    dff, raw = np.stack([one.dff for one in read]), np.stack([one.raw for one in read])
    assert np.isnan(dff[:9]).all()
    assert np.isfinite(dff[9:]).all()
    settings = TraceSettings(coefficient=0.7)
    offline = extract(still, made.truth.cells, Context(tmp_path), settings)
    for online, later in ((raw, offline.raw), (dff[60:], offline.dff[60:])):
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(online.T, later.T, strict=True)]
        assert np.median(r) > 0.95


def test_a_frame_of_noise_keeps_the_place_of_the_one_before():
    frames = simulated(SCENE).movie.frames(0, 61).copy()
    frames[60] = np.random.default_rng(0).integers(0, 500, frames[60].shape)
    motion = OnlineMotion(MotionSettings(block_px=0), n_first=30)
    placed = [p for frame in frames for p in motion.push(frame)]
    assert placed[60].badly
    np.testing.assert_array_equal(placed[60].shift, placed[59].shift)


def test_the_baseline_is_the_quantile_of_what_came():
    rng = np.random.default_rng(1)
    follower = RunningBaseline(2, 200.0)
    values = rng.normal([10.0, 1000.0], [1.0, 50.0], (4000, 2)).astype(np.float32)
    levels = np.stack([follower.push(each) for each in values])
    np.testing.assert_allclose(levels[-1000:].mean(axis=0), [9.16, 958], rtol=0.03)


def test_what_does_not_belong_together_is_said():
    cells = Footprints.build((1, 64, 64), [np.arange(5)])
    with pytest.raises(BadArgumentError, match="field"):
        list(OnlineTraces(cells, 30.0).push(np.zeros((32, 64))))
    with pytest.raises(BadArgumentError, match="rate"):
        OnlineTraces(cells, 0.0)
    with pytest.raises(BadArgumentError):
        OnlineMotion(n_first=0)
    frames = simulated(SCENE).movie.frames(0, 20)
    elsewhere = simulated(replace(SCENE, seed=77)).movie.frames(0, 20).mean(axis=0)
    motion = OnlineMotion(n_first=20, reference=elsewhere)
    with pytest.raises(BadArgumentError, match="shares nothing"):
        [motion.push(frame) for frame in frames]
