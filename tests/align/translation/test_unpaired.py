"""A rule carried to another population: where it is the same system, and where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nissl.align.fragments import Fragment, Ints
from nissl.align.latent.aligners import Settings
from nissl.align.translation.dynamics import Course, adapted, best, error, learnt, turned
from nissl.align.translation.simulate import simulate_population, simulate_system
from nissl.align.translation.unpaired import (
    ADAPTED,
    COURSE,
    FEW,
    OWN,
    STAYS,
    WAYS,
    ZERO,
    Carried,
    carry,
)
from nissl.errors import BadArgumentError

SIX = Settings(n_axes=6)


def paths(seed: int, n_windows: int, noise: float = 0.2) -> tuple[Course, np.ndarray]:
    """Latents of a system as they are, and its step."""
    rng = np.random.default_rng(seed)
    system = simulate_system(np.random.default_rng(5))
    z = np.empty((n_windows, 20, 6))
    z[:, 0] = rng.standard_normal((n_windows, 6))
    for t in range(1, 20):
        z[:, t] = z[:, t - 1] @ system.step + noise * rng.standard_normal((n_windows, 6))
    start: Ints = np.arange(n_windows) * 20
    return Course(z.reshape(-1, 6), start, start + 20), system.step


def test_a_rule_is_recovered_and_adapted_from_little() -> None:
    course, step = paths(0, 100)
    rng = np.random.default_rng(0)
    rule = best(course, 3, rng)
    assert_allclose(learnt(course, 1, 0.1).weights, step, atol=0.05)
    few, _ = paths(1, 2)
    new, _ = paths(2, 50)
    changed, evidence = adapted(rule, few, 3)
    assert evidence >= 30
    assert error(changed, new, 3) < error(learnt(few, rule.order, rule.penalty), new, 3)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    there = replace(new, values=new.values @ turn)
    assert error(turned(rule, turn), there, 3) == pytest.approx(error(rule, new, 3))


def test_only_the_past_is_read() -> None:
    course, _ = paths(0, 3)
    rule = learnt(course, 3, 1.0)
    before = rule.ahead(course, 2)
    later = course.values.copy()
    later[30:] = 0
    assert_allclose(rule.ahead(replace(course, values=later), 2)[:, :30], before[:, :30])
    known = course.histories(3)
    assert_allclose(known[20], np.tile(course.values[20], 3))
    assert_allclose(known[22], course.values[[22, 21, 20]].ravel())


def worlds(seed: int) -> tuple[Fragment, Fragment, Fragment]:
    """Two populations of one system, and one of a much faster one."""
    rng = np.random.default_rng(seed)
    one, fast = simulate_system(rng), simulate_system(rng, turns_hz=(3.0, 4.5))
    return (
        simulate_population(rng, one, name="A"),
        simulate_population(rng, one, name="B", n_units=60),
        simulate_population(rng, fast, name="C", n_units=60),
    )


@pytest.fixture(scope="module")
def carried() -> tuple[Carried, Carried]:
    a, b, c = worlds(0)
    options = {"settings": SIX, "n_null": 19}
    same = carry(a, b, np.random.default_rng(0), **options)
    return same, carry(a, c, np.random.default_rng(0), **options)


def test_a_rule_carries_over_to_another_population_of_its_system(
    carried: tuple[Carried, Carried],
) -> None:
    same, _ = carried
    assert set(same.skill) == set(WAYS)
    assert same.mean(ZERO) > 0.85 * same.mean(OWN)
    assert same.mean(ZERO) > same.mean(FEW)
    assert same.mean(ADAPTED) >= same.mean(ZERO) - 0.01
    assert same.mean(ZERO) > same.mean(STAYS) + 0.1
    assert same.mean(COURSE) < 0.1
    assert same.p("turned") == same.p("scrambled") == pytest.approx(0.05)
    assert (same.low[ZERO] < same.skill[ZERO]).all()
    assert (same.high[ZERO] > same.skill[ZERO]).all()
    assert same.said[ZERO].shape == same.came.activity.shape
    assert len(same.by_window[ZERO]) == 30


def test_a_rule_of_another_system_does_not(carried: tuple[Carried, Carried]) -> None:
    _, other = carried
    assert other.mean(OWN) > 0.1
    assert other.mean(ZERO) < 0.3 * other.mean(OWN)
    assert other.short[1] > 0
    assert max(other.p("turned"), other.p("scrambled")) > 0.05
    assert other.mean(ADAPTED) > other.mean(ZERO) + 0.05


def test_what_cannot_be_carried_is_refused() -> None:
    a, b, _ = worlds(1)
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError, match="name more of them"):
        carry(a, b.in_windows(np.arange(5)), rng)
    with pytest.raises(BadArgumentError, match="got none"):
        carry(replace(a, window=None), b, rng)
    with pytest.raises(BadArgumentError, match="one bin_s"):
        carry(a, replace(b, bin_s=0.1), rng)
    short = b.take(np.arange(b.n_bins) % 30 < 2)
    with pytest.raises(BadArgumentError, match="three bins"):
        carry(a, short, rng)
    with pytest.raises(BadArgumentError, match="axes along which"):
        carry(a, b.select(np.arange(4)), rng)
