"""Windows paired without a common space, by distances and by what windows are like."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nissl.align.fragments import conditions
from nissl.align.latent.gromov import coupled, fused, gromov_wasserstein
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import Trajectories, n_steps, trajectories


def test_a_turned_copy_is_paired_with_itself() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((20, 4, 3))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    order = rng.permutation(20)
    unknown = np.full(20, -1)
    a = Trajectories(values, unknown, np.zeros((20, 4), int))
    b = Trajectories(values[order] @ turn, unknown, np.zeros((20, 4), int))
    for pairing in (coupled, fused):
        found = pairing(a, b)
        assert_allclose(found.sum(), 1.0, rtol=1e-6)
        assert (found.argmax(axis=1) == order).all()


def test_the_cost_reached_is_that_of_another_implementation() -> None:
    """Fused cost of our coupling beside POT's, on points of two clouds of one shape."""
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(1)
    x = rng.standard_normal((25, 3))
    y = x[rng.permutation(25)] @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    y = y + 0.05 * rng.standard_normal(y.shape)
    da, db = (np.linalg.norm(v[:, None] - v[None], axis=2) for v in (x, y))
    da, db = da / da.mean(), db / db.mean()
    mark = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    apart = (mark[1][:, None] - mark[0][None]) ** 2
    even = np.full(25, 1 / 25)

    def cost(t: np.ndarray) -> float:
        fixed = ((db**2) @ t.sum(axis=1))[:, None] + ((da**2) @ t.sum(axis=0))[None]
        return float((0.5 * (fixed - 2 * db @ t @ da) * t + 0.5 * apart * t).sum())

    ours = cost(gromov_wasserstein(da, db, apart, 0.5))
    theirs = cost(ot.gromov.fused_gromov_wasserstein(apart, db, da, even, even, alpha=0.5))
    assert ours <= theirs + 0.02


def test_conditions_that_are_known_are_kept_and_features_do_not_hurt() -> None:
    """Share of the coupling that joins windows of one condition, over simulated subjects."""
    said: dict[str, list[float]] = {"coupled": [], "fused": []}
    for seed in range(20, 24):
        rng = np.random.default_rng(seed)
        subject = simulate_subject(rng)
        days = [simulate_day(rng, subject, n_trials=64).fragment for _ in range(2)]
        maps = [own_space(d) for d in days]
        hidden = [d.without_conditions() for d in days]
        steps = n_steps(*days)
        a, b = (trajectories(f, m.transform(f), steps) for f, m in zip(hidden, maps, strict=True))
        same = conditions(days[1])[:, None] == conditions(days[0])[None]
        said["coupled"].append(float(coupled(a, b)[same].sum()))
        said["fused"].append(float(fused(a, b)[same].sum()))
        known = [trajectories(f, m.transform(f), steps) for f, m in zip(days, maps, strict=True)]
        assert fused(*known)[same].sum() > 0.999
    assert np.median(said["fused"]) > np.median(said["coupled"]) - 0.05
