"""Continuous decoding and tuning on simulations of known truth, and on monkey M1."""

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.annotators.decoding.kinematics import (
    Lagged,
    Trees,
    blocks,
    checked,
    lagged,
    parted,
    r_squared,
)
from nissl.annotators.decoding.recurrent import Recurrent
from nissl.annotators.decoding.tuning import cosine_tuning
from nissl.errors import BadArgumentError, MissingInputError

RNG = np.random.default_rng


def reaching(n=3000, units=30, seed=0, delay=2):
    """Velocity that wanders, and units tuned to it `delay` bins before."""
    rng = RNG(seed)
    v = np.zeros((n, 2))
    for k in range(1, n):
        v[k] = 0.9 * v[k - 1] + 0.4 * rng.standard_normal(2)
    preferred = rng.uniform(-np.pi, np.pi, units)
    ahead = np.roll(v, -delay, axis=0)
    drive = 1.5 + 0.5 * (ahead @ np.stack([np.cos(preferred), np.sin(preferred)]))
    return rng.poisson(np.exp(drive.clip(-2, 3))).astype(float), v, preferred


@pytest.mark.parametrize(
    ("model", "least"),
    [(Lagged(1), 0.2), (Lagged(5), 0.6), (Trees(n_trees=60), 0.5)],
)
def test_velocity_is_decoded(model, least):
    counts, v, _ = reaching()
    for train, (a, b) in blocks(len(v), 3, 20):
        fitted = model.fit(counts, v, train, rng=RNG(0))
        said = fitted.predict(counts[a:b])
        assert r_squared(v[a:b], said).min() > least


def test_history_pays_and_is_needed():
    counts, v, _ = reaching()
    (train, (a, b)), *_ = blocks(len(v), 3, 20)
    scores = []
    for model in (Lagged(1), Lagged(5)):
        said = model.fit(counts, v, train, rng=RNG(0)).predict(counts[a:b])
        scores.append(r_squared(v[a:b], said).mean())
    assert scores[1] > scores[0] + 0.1
    assert np.isnan(said[:4]).all()
    assert np.isfinite(said[4:]).all()


def test_recurrence_decodes_and_repeats_itself():
    pytest.importorskip("torch")
    counts, v, _ = reaching(n=1200, units=15)
    model = Recurrent(hidden=16, history=8, epochs=6, batch=64)
    first = model.fit(counts, v, [(0, 800)], rng=RNG(0)).predict(counts[820:])
    later = model.fit(counts, v, [(0, 800)], rng=RNG(0))
    assert np.array_equal(first, later.predict(counts[820:]), equal_nan=True)
    assert r_squared(v[820:], first).min() > 0.2
    cut = later.predict(counts[820:900])
    assert np.allclose(cut, first[:80], equal_nan=True, atol=1e-5)  # it looks back only
    with pytest.raises(MissingInputError):
        model.fit(counts, v, [(0, 5)], rng=RNG(0))


def test_blocks_keep_their_distance():
    for train, (a, b) in blocks(1000, 5, 20):
        bins = np.concatenate([np.arange(*s) for s in train])
        assert np.all((bins < a - 19) | (bins >= b + 20))
    with pytest.raises(BadArgumentError):
        blocks(100, 5, 20)
    early, late = parted([(0, 10), (20, 40)])
    assert early == [(0, 10), (20, 30)]
    assert late == [(30, 40)]


def test_lags_and_bad_input():
    out = lagged(np.arange(4.0)[:, None], 2)
    assert np.isnan(out[0, 1])
    assert out[1:].tolist() == [[1, 0], [2, 1], [3, 2]]
    with pytest.raises(BadArgumentError):
        checked(np.zeros((4, 2)), np.zeros((3, 2)))
    with pytest.raises(BadArgumentError):
        checked(np.full((4, 2), np.nan), np.zeros((4, 2)))
    with pytest.raises(MissingInputError):
        Lagged(1).fit(np.zeros((5, 2)), np.zeros((5, 2)), [(0, 5)], rng=RNG(0))


def test_tuning_finds_preferred_directions():
    counts, v, preferred = reaching(n=6000, delay=0)
    counts = np.column_stack([counts, RNG(5).poisson(3, (6000, 10))])
    found = cosine_tuning(counts, v, 0.1, rng=RNG(1), n=200)
    away = np.abs(np.angle(np.exp(1j * (found.preferred[:30] - preferred))))
    assert found.tuned[:30].all()
    assert found.tuned[30:].sum() <= 3
    assert np.mean(away <= found.preferred_half_width[:30]) >= 0.8
    assert np.all(found.depth_interval[0] <= found.depth_interval[1])
    assert found.explained[30:].max() < 0.02
    with pytest.raises(MissingInputError):
        cosine_tuning(counts, v, 0.1, rng=RNG(1), least_speed=100.0)
    with pytest.raises(BadArgumentError):
        cosine_tuning(counts, v[:, :1], 0.1, rng=RNG(1))


@pytest.mark.data
def test_lagged_ridge_on_monkey_m1():
    path = Path(os.environ.get("NISSL_DATA", "")) / "ephys/spiketrains/m1_reach_stevenson2011.npz"
    if not path.is_file():
        pytest.skip("needs ephys/spiketrains of the data folder: set NISSL_DATA")
    with np.load(path) as z:
        counts, v = z["spike_counts"].astype(float), z["hand_vel"][:, :2].astype(float)
    pairs = len(v) // 2 * 2
    counts, v = counts[:pairs].reshape(-1, 2, 171).sum(axis=1), v[:pairs:2]
    (train, (a, b)), *_ = blocks(len(v), 3, 20)
    one = Lagged(1).fit(counts, v, train, rng=RNG(0)).predict(counts[a:b])
    more = Lagged(4).fit(counts, v, train, rng=RNG(0)).predict(counts[a:b])
    assert r_squared(v[a:b], more).mean() > r_squared(v[a:b], one).mean() + 0.1
