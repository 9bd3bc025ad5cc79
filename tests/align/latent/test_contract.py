"""What every aligner keeps: shapes, a way back, calibration alone, determinism, bad input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nissl.align.fragments import Fragment
from nissl.align.latent.aligners import ALIGNERS, NEEDS, Settings, align
from nissl.align.latent.maps import Aligned
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.errors import BadArgumentError, NisslError

SETTINGS = Settings(n_axes=5)
METHODS = sorted(ALIGNERS)


@cache
def parts() -> tuple[tuple[Fragment, Fragment, Fragment], tuple[Fragment, ...]]:
    """Calibration parts of three days, and the rest of each; units numbered alike."""
    rng = np.random.default_rng(0)
    subject = simulate_subject(rng)
    days = [
        simulate_day(rng, subject, name=name, n_units=n, n_trials=72).fragment
        for name, n in (("first", 40), ("second", 36), ("third", 44))
    ]
    calibration = tuple(day.in_windows(np.arange(48)) for day in days)
    rest = tuple(day.in_windows(np.arange(48, 72)) for day in days)
    return (calibration[0], calibration[1], calibration[2]), rest


@cache
def done(method: str) -> Aligned:
    return fit(method, parts()[0])


def fit(method: str, fragments: Sequence[Fragment], seed: int = 1) -> Aligned:
    return align(fragments, method, rng=np.random.default_rng(seed), settings=SETTINGS)


@pytest.mark.parametrize("method", METHODS)
def test_one_map_each_into_one_space(method: str) -> None:
    found = done(method)
    assert found.method == method
    assert method in NEEDS
    for fragment, own in zip(parts()[1], found.maps, strict=True):
        latents = own.transform(fragment)
        assert latents.shape == (fragment.n_bins, SETTINGS.n_axes)
        assert np.isfinite(latents).all()
        assert own.inverse(latents).shape == (fragment.n_bins, fragment.n_units)


@pytest.mark.parametrize("method", METHODS)
def test_there_and_back_on_what_the_axes_span(method: str) -> None:
    """What the inverse gives is read as the same latents, and is a projection."""
    for fragment, own in zip(parts()[1], done(method).maps, strict=True):
        latents = own.transform(fragment)
        back = own.inverse(latents)
        again = (back - own.mean) @ own.weights
        assert_allclose(again, latents, atol=1e-6)
        assert_allclose(own.inverse(again), back, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_but_the_calibration_part_is_looked_at(method: str) -> None:
    """Bins of other windows change neither the map nor latents of bins in a window of their own."""
    (first, second, _), rest = parts()
    own = done(method).maps[1]
    alone = own.transform(rest[1])
    numbers = np.unique(rest[1].windows)[:4]
    few = rest[1].in_windows(numbers)
    assert_allclose(own.transform(few), alone[np.isin(rest[1].windows, numbers)], atol=1e-9)
    assert first.n_bins == parts()[0][0].n_bins
    assert_array_equal(second.activity, parts()[0][1].activity)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_latents(method: str) -> None:
    again = fit(method, parts()[0])
    for fragment, a, b in zip(parts()[1], done(method).maps, again.maps, strict=True):
        assert_array_equal(a.transform(fragment), b.transform(fragment))


@pytest.mark.parametrize("method", METHODS)
def test_the_input_is_left_as_it_was(method: str) -> None:
    (first, second, _), _ = parts()
    before = first.activity.copy(), second.activity.copy()
    fit(method, (first, second))
    assert_array_equal(first.activity, before[0])
    assert_array_equal(second.activity, before[1])


@pytest.mark.parametrize("method", METHODS)
def test_bad_input_is_refused_with_a_remedy(method: str) -> None:
    (first, second, _), _ = parts()
    with pytest.raises(BadArgumentError, match="two or more fragments"):
        fit(method, (first,))
    with pytest.raises(BadArgumentError, match="one bin_s"):
        fit(method, (first, replace(second, bin_s=0.02)))
    other = done(method).maps[1]
    with pytest.raises(BadArgumentError, match="another one"):
        other.transform(parts()[1][0])
    if NEEDS[method] != "units":
        nowhere = replace(second, window=np.full(second.n_bins, -1))
        with pytest.raises(NisslError, match=r"no overlap|conditions|windows"):
            fit(method, (first, nowhere))
    if method != "none":
        flat = replace(second, activity=np.tile(second.activity[:, :1], (1, second.n_units)))
        with pytest.raises(BadArgumentError, match="axes along which"):
            fit(method, (first, flat))


@pytest.mark.parametrize("method", [m for m in METHODS if NEEDS[m] == "conditions"])
def test_conditions_that_are_needed_are_asked_for(method: str) -> None:
    (first, second, _), _ = parts()
    with pytest.raises(BadArgumentError, match="conditions"):
        fit(method, (first, second.without_conditions()))


@pytest.mark.parametrize("method", [m for m in METHODS if NEEDS[m] == "units"])
def test_units_that_nobody_shares_make_no_map(method: str) -> None:
    (first, second, _), _ = parts()
    strangers = replace(second, units=np.arange(1000, 1000 + second.n_units))
    with pytest.raises(BadArgumentError, match="units that both"):
        fit(method, (first, strangers))
