"""Likenesses of geometries: what no rotation changes, and what chance gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nissl.align.latent.geometry import (
    LIKENESSES,
    compared,
    noise_ceiling,
    principal_angles,
)
from nissl.errors import BadArgumentError


@pytest.mark.parametrize("how", ["cka", "shape"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_turn_and_a_scale_change_nothing(how: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((30, 6))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    assert_allclose(LIKENESSES[how](a, 3 * a @ turn + 1), 1.0)
    other = rng.standard_normal((30, 9))
    assert_allclose(LIKENESSES[how](a @ turn, other), LIKENESSES[how](a, other))
    assert_allclose(LIKENESSES[how](other, a), LIKENESSES[how](a, other))


def test_dissimilarities_survive_a_turn() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((12, 20))
    assert_allclose(LIKENESSES["rsa"](a, a * 2), 1.0)


@pytest.mark.parametrize("how", sorted(LIKENESSES))
def test_the_same_geometry_is_told_from_a_strange_one(how: str) -> None:
    rng = np.random.default_rng(1)
    a = rng.standard_normal((8, 5, 10))
    mixed = a @ np.linalg.qr(rng.standard_normal((10, 10)))[0]
    b = mixed + 0.3 * rng.standard_normal(a.shape)
    found = compared(a, b, how, rng)
    strange = compared(a, rng.standard_normal((8, 5, 14)), how, rng)
    assert found.p < 0.02
    assert found.value > found.null_high
    assert strange.value < found.value
    assert strange.p > 0.05


def test_chance_is_uniform() -> None:
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, 6, 4, 8))
        p.append(compared(a, b, "shape", rng, n_null=39).p)
    assert 0.01 <= np.mean(np.array(p) <= 0.1) <= 0.25


def test_principal_angles_of_known_planes() -> None:
    a = np.eye(4)[:, :2]
    b = np.stack([np.eye(4)[0], np.cos(0.3) * np.eye(4)[1] + np.sin(0.3) * np.eye(4)[2]], axis=1)
    assert_allclose(principal_angles(a, b), [0.0, 0.3], atol=1e-7)


def test_halves_of_a_noisy_population_cap_what_others_can_reach() -> None:
    rng = np.random.default_rng(0)
    true = rng.standard_normal((40, 10))
    halves = tuple(true + s * rng.standard_normal(true.shape) for s in (1.0, 1.0))
    assert 0.3 < noise_ceiling(halves, "cka") < 0.95  # type: ignore[arg-type]


def test_too_few_conditions_are_refused() -> None:
    with pytest.raises(BadArgumentError, match="four or more"):
        compared(np.ones((3, 2, 4)), np.ones((3, 2, 4)), "cka", np.random.default_rng(0))
