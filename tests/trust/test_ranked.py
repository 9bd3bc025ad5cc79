import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.trust.ranked import Ranked


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_area_is_the_share_of_weighted_pairs_in_order(n, levels, seed):
    rng = np.random.default_rng(seed)
    p = rng.integers(0, levels, n) / levels
    right = (rng.random(n) < 0.5).astype(float)
    w = rng.integers(1, 4, n).astype(float)
    codes = rng.integers(0, 3, n)
    counts = rng.integers(0, 3, (5, 3)).astype(float)
    areas = Ranked.of(p, right, w, codes).areas(counts)
    for area, count in zip(areas, counts, strict=True):
        v = w * count[codes]
        pairs = np.outer(v * right, v * (1 - right))
        order = (p[:, None] > p[None]) + 0.5 * (p[:, None] == p[None])
        if pairs.sum():
            assert area == pytest.approx((pairs * order).sum() / pairs.sum())
        else:
            assert np.isnan(area)


def test_draws_are_as_many_for_many_items_in_pieces():
    rng = np.random.default_rng(0)
    p = rng.random(6000)
    ranked = Ranked.of(p, (rng.random(6000) < p).astype(float), np.ones(6000), np.arange(6000) % 30)
    draws = ranked.draws(30, rng)
    assert draws.shape == (500,)
    assert draws.mean() == pytest.approx(ranked.areas(np.ones((1, 30)))[0], abs=0.005)
    assert np.isnan(ranked.draws(1, rng)).all()
