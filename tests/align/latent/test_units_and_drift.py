"""Which units carry a prediction, and maps that follow slow drift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nissl.align.fragments import Fragment
from nissl.align.latent.decoding import fitted, r2
from nissl.align.latent.drift import follow
from nissl.align.latent.simulate import Subject, simulate_day, simulate_subject
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import n_steps, trajectories
from nissl.align.latent.units import contributions


def test_parts_sum_to_the_whole_and_one_strong_unit_is_seen() -> None:
    rng = np.random.default_rng(0)
    n = 600
    speed = np.repeat(rng.standard_normal(n // 10), 10)
    noise = rng.poisson(2.0, (n, 12)).astype(float)
    noise[:, 0] += 40 + 15 * speed
    day = Fragment("day", noise, 0.1, np.repeat(np.arange(n // 10), 10), None, {"speed": speed})
    decoder = fitted(own_space(day, n_axes=5), day, "speed")
    found = contributions(decoder, day)
    assert_allclose(found.share.sum(), 1.0)
    assert np.argmax(found.share) == 0
    assert found.carried_by(0.5) == 1
    assert found.effective < 2


def test_many_alike_units_share_the_work() -> None:
    rng = np.random.default_rng(1)
    day = simulate_day(rng, simulate_subject(rng)).fragment
    found = contributions(fitted(own_space(day), day, "velocity"), day)
    assert found.effective > 20
    assert found.carried_by(0.5) > 5


def drifting(seed: int, angle: float, n_blocks: int) -> list[Fragment]:
    """Blocks of one population whose latents turn by an angle from block to block."""
    rng = np.random.default_rng(seed)
    subject = simulate_subject(rng)
    loadings_seed = seed + 1000
    plane = np.linalg.qr(rng.standard_normal((8, 2)))[0]
    out = []
    for k in range(n_blocks):
        c, s = np.cos(angle * k), np.sin(angle * k)
        turn = np.eye(8) + plane @ (np.array([[c, -s], [s, c]]) - np.eye(2)) @ plane.T
        turned = Subject(turn @ subject.mix, subject.lag)
        day = simulate_day(
            np.random.default_rng(loadings_seed), turned, name=f"block {k}", n_trials=96
        )
        out.append(day.fragment)
    return out


@pytest.mark.parametrize("seed", [0, 3])
def test_a_map_that_follows_outlasts_one_that_stays(seed: int) -> None:
    series = drifting(seed, 0.3, 8)
    start = series[0]
    own = own_space(start)
    decoder = fitted(own, start, "velocity")
    steps = n_steps(start)
    reference = trajectories(start.without_conditions(), own.transform(start), steps)
    current, stays, follows = own, [], []
    for block in series[1:]:
        true = block.behaviour["velocity"]
        stays.append(r2(true, decoder.predict(block)))
        follows.append(r2(true, replace(decoder, reads=current).predict(block)))
        step = follow(current, reference, block.without_conditions())
        assert step.followed
        current = step.map
    assert follows[-1] > stays[-1] + 0.1
    assert follows[-1] > 0.4


def test_a_jump_is_told_and_not_followed() -> None:
    rng = np.random.default_rng(3)
    start = simulate_day(rng, simulate_subject(rng), n_trials=96).fragment
    strange = simulate_day(rng, simulate_subject(rng), n_trials=96).fragment
    own = own_space(start)
    reference = trajectories(start.without_conditions(), own.transform(start), n_steps(start))
    step = follow(own, reference, strange.without_conditions())
    calm = follow(own, reference, start.without_conditions())
    assert calm.followed
    assert calm.cosine > 0.95
    assert not step.followed
    assert step.map is own
