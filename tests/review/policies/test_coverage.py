"""Which answer puts most right: it lies among many wrong ones, far from what is known."""

import time

import numpy as np
import pytest

from nissl.review.policies.coverage import gains, nearest
from nissl.review.postures import postures


def crowds():
    """Three crowds on a line: one known, one near it, a large one far away, and a lone item."""
    rng = np.random.default_rng(0)
    place = np.concatenate([np.zeros(20), np.full(20, 1.0), np.full(60, 8.0), [20.0]])
    features = np.column_stack([place + rng.normal(0, 0.05, place.size), np.zeros(place.size)])
    away = nearest(features, np.zeros((1, 2)))
    return features, 10 * np.clip(away / 8, 0, 1)


def test_an_item_in_a_crowd_that_nothing_covers_rights_most():
    features, wrong = crowds()
    found = gains(features, wrong, np.zeros((1, 2)))
    assert 40 <= int(np.argmax(found.righted)) < 100
    assert found.righted.max() > 0.5 * wrong[40:100].sum()
    assert found.righted[100] == pytest.approx(wrong[100], rel=0.2)  # alone, though doubtful
    assert found.righted[:40].max() < found.righted[40:100].min()
    assert found.helped[40:100].min() >= 50
    assert found.helped[100] == 0


def test_what_is_covered_adds_nothing_any_more():
    features, wrong = crowds()
    known = np.asarray([[0.0, 0.0], [8.0, 0.0]])
    wrong[40:100] = 0.5
    found = gains(features, wrong, known)
    assert found.righted.max() <= wrong.sum()
    assert found.righted[40:100].max() < 20


def test_it_rights_no_more_than_is_wrong_and_its_own_at_least():
    rng = np.random.default_rng(1)
    features, wrong = rng.normal(size=(200, 5)), rng.uniform(0, 5, 200)
    features[3] = np.nan
    for known in (None, features[:2]):
        found = gains(features, wrong, known)
        assert np.all(found.righted >= wrong - 1e-9)
        assert np.all(found.righted <= wrong.sum() + 1e-9)
        assert found.righted[3] == pytest.approx(wrong[3])


def test_thousands_of_volumes_take_seconds():
    rng = np.random.default_rng(3)
    for n, most_s in ((500, 1.0), (10_000, 12.0)):  # a busy machine takes several times as long
        features = rng.normal(size=(n, 10))
        started = time.perf_counter()
        found = gains(features, rng.uniform(0, 9, n), features[:10])
        assert time.perf_counter() - started < most_s
        assert found.rows.size <= 2000


def test_postures_follow_the_body_and_not_a_wrong_point():
    rng = np.random.default_rng(4)
    rest = rng.uniform(-20, 20, (30, 3))
    bend = np.sin(np.linspace(0, 12, 120))[:, None]
    places = np.repeat(rest[None], 120, axis=0)
    places[..., 1] += 0.02 * bend * rest[:, 0] ** 2
    places += rng.normal(0, 30, (120, 1, 3))  # it moves as a whole
    sure = np.full((120, 30), 0.95)
    latent = postures(places, sure)
    apart = np.linalg.norm(latent[:, None] - latent[None], axis=2)
    expected = np.abs(bend - bend.T)
    assert np.corrcoef(apart.ravel(), expected.ravel())[0, 1] > 0.99
    wrong = places.copy()
    wrong[10, 4] += 25
    wrong[11, 5] = np.nan
    doubted = sure.copy()
    doubted[10, 4] = 0.1
    again = postures(wrong, doubted)
    there = np.linalg.norm(again[:, None] - again[None], axis=2)
    assert np.abs(there - apart).max() < 0.05 * apart.max()
    few = np.full((120, 30, 3), np.nan)
    few[:60] = places[:60]
    assert np.isnan(postures(few, sure)[60:]).all()
