"""Paired translation: what is there is found, and what is not is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nissl.align.fragments import Fragment
from nissl.align.translation.linear import Linear
from nissl.align.translation.paired import translate
from nissl.errors import BadArgumentError

N_WINDOWS, LENGTH = 40, 25


def pair(
    seed: int, *, lag: int = 1, noise: float = 0.5, related: bool = True, counts: bool = False
) -> tuple[Fragment, Fragment]:
    """A smooth source of six channels, and a target of four that follow two of its mixtures."""
    rng = np.random.default_rng(seed)
    n = N_WINDOWS * LENGTH
    window = np.repeat(np.arange(N_WINDOWS), LENGTH)
    white = rng.standard_normal((n, 6))
    x = np.stack([np.convolve(v, np.exp(-np.arange(12) / 3), "full")[:n] for v in white.T], axis=1)
    z = np.roll(x @ rng.standard_normal((6, 2)), lag, axis=0)
    if not related:
        z = z[rng.permutation(N_WINDOWS)[window] * LENGTH + np.tile(np.arange(LENGTH), N_WINDOWS)]
    y = z @ rng.standard_normal((2, 4))
    y = y + noise * y.std() * rng.standard_normal(y.shape)
    if counts:
        y = (y > np.quantile(y, 0.93, axis=0)).astype(float)
    return Fragment("x", x, 0.05, window), Fragment("y", y, 0.05, window)


def test_a_map_is_found_with_its_rank_and_told_from_both_nulls() -> None:
    source, target = pair(0)
    found = translate(source, target, np.random.default_rng(0), n_null=19)
    assert found.overall > 0.6
    assert found.p == pytest.approx(0.05)
    assert isinstance(found.rule, Linear)
    assert found.rule.rank <= 4
    assert found.shuffled.mean() < 0.05
    assert found.scrambled.mean() < 0.05
    said = found.predict(source)
    left = ((said - target.activity) ** 2).sum() / (
        (target.activity - target.activity.mean(0)) ** 2
    ).sum()
    assert 1 - left > found.overall - 0.02
    assert found.by_window.shape == (N_WINDOWS,)


def test_what_is_not_there_is_not_found() -> None:
    p = []
    for seed in range(10):
        source, target = pair(seed, related=False)
        found = translate(source, target, np.random.default_rng(seed), n_null=19)
        assert found.overall < 0.1
        p.append(found.p)
    assert np.mean(np.array(p) <= 0.05) <= 0.2


def test_what_all_windows_share_is_no_translation() -> None:
    """A course that repeats in every window is predicted by any other window as well."""
    rng = np.random.default_rng(1)
    source, target = pair(3, related=False, noise=0.1)
    wave = np.tile(np.sin(np.linspace(0, 2 * np.pi, LENGTH)), N_WINDOWS)[:, None]
    source = replace(source, activity=source.activity + 5 * wave)
    target = replace(target, activity=target.activity + 20 * wave)
    found = translate(source, target, rng, n_null=19)
    assert found.overall > 0.3
    assert found.shuffled.mean() > found.overall - 0.1
    assert found.p > 0.05


def test_rare_events_are_judged_by_precision() -> None:
    source, target = pair(2, counts=True, noise=0.1)
    found = translate(source, target, np.random.default_rng(0), n_null=1)
    assert_allclose(found.base, 0.07, atol=0.01)
    assert (found.precision > 3 * found.base).all()
    plain, other = pair(2)
    assert np.isnan(translate(plain, other, np.random.default_rng(0), n_null=1).precision).all()


def test_where_it_fails_is_told() -> None:
    source, target = pair(4, noise=0.1)
    activity = target.activity.copy()
    broken = target.windows == 7
    activity[broken] = np.random.default_rng(0).permutation(activity)[: broken.sum()]
    found = translate(
        source, replace(target, activity=activity), np.random.default_rng(0), n_null=1
    )
    assert np.argmin(found.by_window) == 7


def test_too_little_and_unpaired_data_are_refused() -> None:
    source, target = pair(0)
    rng = np.random.default_rng(0)
    few = np.arange(4)
    with pytest.raises(BadArgumentError, match="Too few to fit"):
        translate(source.in_windows(few), target.in_windows(few), rng)
    with pytest.raises(BadArgumentError, match="the same windows"):
        translate(source, target.in_windows(np.arange(30)), rng)
    with pytest.raises(BadArgumentError, match="one bin_s"):
        translate(source, replace(target, bin_s=0.1), rng)
