from __future__ import annotations

import numpy as np
import pytest

from nissl.annotators.tracks.registration import (
    NOBODY,
    assigned,
    body_of,
    likelihood,
    normal_scores,
    register,
)
from nissl.errors import BadArgumentError


def worm(rng: np.random.Generator, n: int = 60) -> np.ndarray:
    return np.asarray(rng.normal(0, [25, 5, 4], (n, 3)))


def bent(points: np.ndarray, rng: np.random.Generator, *, strength: float = 1.0) -> np.ndarray:
    along = points[:, 0] / 25
    stretch = np.eye(3) + rng.normal(0, 0.1 * strength, (3, 3))
    moved = points @ stretch.T
    moved[:, 1] += strength * rng.normal(0, 6) * along**2
    moved[:, 2] += strength * rng.normal(0, 3) * along**2
    return np.asarray(moved + rng.normal(0, 0.3, points.shape) + rng.normal(0, [10, 5, 2]))


def test_bent_points_with_losses_and_intruders_are_matched() -> None:
    right, sure, away = [], [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        source = worm(rng)
        true = bent(source, rng)
        light = rng.normal(0, 1, (60, 1))
        kept = rng.random(60) > 0.2
        target = np.concatenate([true[kept], bent(worm(rng, 18), rng)])
        again = 0.7 * light + np.sqrt(1 - 0.49) * rng.normal(0, 1, (60, 1))
        facts = np.concatenate([again[kept], rng.normal(0, 1, (18, 1))])
        match = register(source, target, source_facts=light, target_facts=facts)
        ids = np.concatenate([np.flatnonzero(kept), np.full(18, -5)])
        found = match.index != NOBODY
        assert len(set(match.index[found].tolist())) == found.sum()
        same = found & (ids[match.index] == np.arange(60))
        right.append(same[kept].mean())
        sure.append(same[match.probability > 0.9].mean())
        away.append(np.median(np.linalg.norm(match.moved - true, axis=1)))
    assert np.mean(right) > 0.85
    assert np.mean(sure) > 0.88
    assert np.median(away) < 1.0


def test_facts_help_where_places_do_not_tell() -> None:
    rng = np.random.default_rng(7)
    source = worm(rng, 30)
    target = source + rng.normal(0, 4, source.shape)
    light = rng.normal(0, 1, (30, 3))
    facts = {"source_facts": light, "target_facts": light, "agreement": 0.95}
    blind, seeing = register(source, target), register(source, target, **facts)
    score = [np.mean(match.index == np.arange(30)) for match in (blind, seeing)]
    assert score[1] > score[0]


def test_it_is_the_same_in_any_unit_and_any_order() -> None:
    rng = np.random.default_rng(1)
    source = worm(rng, 30)
    target = bent(source, rng, strength=0.5)
    one = register(source, target)
    large = register(1000 * source, 1000 * target)
    np.testing.assert_array_equal(one.index, large.index)
    order = rng.permutation(30)
    mixed = register(source, target[order])
    np.testing.assert_array_equal(order[mixed.index], one.index)


def test_a_start_is_taken() -> None:
    rng = np.random.default_rng(2)
    source = worm(rng, 30)
    target = source + np.array([300.0, 0, 0])
    match = register(source, target, start=source + np.array([299.0, 0, 0]))
    np.testing.assert_array_equal(match.index, np.arange(30))


def test_nothing_to_match_gives_nobody() -> None:
    points = worm(np.random.default_rng(0), 4)
    match = register(points, np.zeros((0, 3)))
    assert match.index.tolist() == [NOBODY] * 4
    assert match.posterior.shape == (4, 0)
    assert register(np.zeros((0, 3)), points).index.size == 0
    for few in (1, 2, 3):
        assert register(points[:few], points).index.shape == (few,)


def test_one_target_goes_to_one_source() -> None:
    index, probability = assigned(np.array([[0.6, 0.0], [0.4, 0.01]]))
    assert index.tolist() == [0, NOBODY]
    assert probability.tolist() == [0.6, 0.0]


def test_a_straightened_body_bends_back() -> None:
    points = bent(worm(np.random.default_rng(4)), np.random.default_rng(5))
    body = body_of(points)
    np.testing.assert_allclose(body.bent(body.straight(points)), points)
    np.testing.assert_allclose(body.axes @ body.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(body.axes) == pytest.approx(1.0)
    assert body_of(points, like=-body.axes[0]).axes[0] @ body.axes[0] == pytest.approx(-1.0)


def test_ranks_are_normal_and_leave_holes() -> None:
    scores = normal_scores([3.0, np.nan, 1.0, 2.0])
    assert np.isnan(scores[1])
    assert scores[3] == pytest.approx(0.0)
    assert scores[0] == pytest.approx(-scores[2])
    told = likelihood([[1.0], [np.nan]], [[1.0], [-1.0]], 0.6, (2, 2))
    assert told[0, 0] > 0 > told[0, 1]
    assert told[1].tolist() == [0.0, 0.0]


def test_nonsense_is_refused() -> None:
    points = worm(np.random.default_rng(0), 4)
    with pytest.raises(BadArgumentError, match="numbers"):
        register(np.full((4, 3), np.nan), points)
    with pytest.raises(BadArgumentError, match="source points"):
        register(points[:, :2], points)
    with pytest.raises(BadArgumentError, match="facts"):
        register(points, points, source_facts=np.ones((3, 1)), target_facts=np.ones((4, 1)))
