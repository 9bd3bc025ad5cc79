"""Aligners on simulated days: other units, the same geometry."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nissl.align.fragments import Fragment, conditions
from nissl.align.latent.aligners import ALIGNERS, NEEDS, Settings, align
from nissl.align.latent.decoding import fitted, r2, taught
from nissl.align.latent.simulate import simulate_day, simulate_subject
from nissl.align.latent.trajectories import n_steps
from nissl.errors import BadArgumentError

VELOCITY = "velocity"
WITHOUT_LABELS = ("transport", "gromov-wasserstein")
WITH_CONDITIONS = [name for name, needs in NEEDS.items() if needs == "conditions"]


@cache
def days(seed: int = 0, change: float = 0.0) -> tuple[Fragment, Fragment, Fragment]:
    """A reference day, and the calibration and the test part of another one."""
    rng = np.random.default_rng(seed)
    subject = simulate_subject(rng)
    first = simulate_day(rng, subject, name="first").fragment
    second = simulate_day(rng, subject, name="second", n_units=90, change=change).fragment
    return first, second.in_windows(np.arange(80)), second.in_windows(np.arange(80, 160))


def carried(method: str, seed: int = 0) -> float:
    """Variance of a held-out velocity that the reference's decoder explains."""
    first, calibration, test = days(seed)
    used = (first, calibration)
    if method in WITHOUT_LABELS:
        used = (first.without_conditions(), calibration.without_conditions())
    found = align(used, method, rng=np.random.default_rng(1))
    decoder = fitted(found.maps[0], first, VELOCITY)
    return r2(test.behaviour[VELOCITY], replace(decoder, reads=found.maps[1]).predict(test))


@pytest.mark.parametrize("method", WITH_CONDITIONS)
def test_conditions_carry_a_decoder_to_other_units(method: str) -> None:
    assert carried(method) > 0.5


def test_transport_needs_no_labels() -> None:
    """As good as turning by the means of conditions, all of whose labels are known."""
    said = {m: [carried(m, seed) for seed in range(5)] for m in ("transport", "procrustes")}
    assert np.median(said["transport"]) > np.median(said["procrustes"]) - 0.05
    assert min(said["transport"]) > 0.3


def test_transport_teaches_a_decoder_of_the_other_units() -> None:
    first, calibration, test = days(0)
    hidden = calibration.without_conditions()
    found = align((first.without_conditions(), hidden), "transport", rng=np.random.default_rng(1))
    steps = n_steps(first, hidden)
    decoder = taught(first, hidden, found.couplings[0], steps, VELOCITY)
    own = r2(test.behaviour[VELOCITY], decoder.predict(test))
    assert own > carried("transport") - 0.02
    assert found.facts["probability"][0] > 0.8
    assert not found.doubts


def test_conditions_that_are_known_are_never_paired_with_others() -> None:
    first, calibration, _ = days(0)
    found = align((first, calibration), "transport", rng=np.random.default_rng(1))
    differ = conditions(calibration)[:, None] != conditions(first)[None]
    assert found.couplings[0][differ].sum() < 1e-5
    assert_allclose(found.couplings[0].sum(), 1.0)


def test_a_geometry_that_changed_altogether_is_doubted() -> None:
    rng = np.random.default_rng(2)
    first = simulate_day(rng, simulate_subject(rng), name="first").fragment
    other = simulate_day(rng, simulate_subject(rng), name="second").fragment
    hidden = (first.without_conditions(), other.without_conditions())
    found = align(hidden, "transport", rng=np.random.default_rng(0))
    assert found.doubts
    assert "second" in found.doubts[0]


def test_the_same_units_need_no_labels_and_those_that_changed_are_left_out() -> None:
    rng = np.random.default_rng(5)
    day = simulate_day(rng, simulate_subject(rng)).fragment
    first, second = day.in_windows(np.arange(80)), day.in_windows(np.arange(80, 160))
    shuffled = np.arange(day.n_units)
    shuffled[:30] = rng.permutation(30)
    changed = replace(second, activity=second.activity[:, shuffled])
    said = {}
    for method in ("stable", "none"):
        found = align((first, changed), method, rng=rng)
        decoder = replace(fitted(found.maps[0], first, VELOCITY), reads=found.maps[1])
        said[method] = r2(changed.behaviour[VELOCITY], decoder.predict(changed))
    assert said["stable"] > said["none"]
    assert said["stable"] > 0.4


@pytest.mark.parametrize("method", sorted(ALIGNERS))
def test_every_aligner_gives_one_map_each_and_a_way_back(method: str) -> None:
    first, calibration, _ = days(0)
    same = replace(calibration, units=None)
    found = align((first, same), method, rng=np.random.default_rng(1))
    assert len(found.maps) == 2
    latents = found.maps[1].transform(same)
    assert latents.shape == (same.n_bins, found.maps[0].n_axes)
    back = found.maps[1].inverse(latents)
    again = (back - found.maps[1].mean) @ found.maps[1].weights
    assert_allclose(again, latents, atol=1e-6)


@pytest.mark.parametrize("method", sorted(set(ALIGNERS) - {"none"}))
def test_same_seed_same_bytes(method: str) -> None:
    first, calibration, _ = days(0)
    both = [
        align((first, calibration), method, rng=np.random.default_rng(4)).maps[1].weights
        for _ in range(2)
    ]
    assert_array_equal(*both)


def test_what_is_missing_is_said() -> None:
    first, calibration, _ = days(0)
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError, match="conditions"):
        align((first, calibration.without_conditions()), "procrustes", rng=rng)
    nowhere = replace(calibration, window=np.full(calibration.n_bins, -1))
    with pytest.raises(BadArgumentError, match="no overlap"):
        align((first, nowhere), "transport", rng=rng)
    few = calibration.select(np.arange(4))
    with pytest.raises(BadArgumentError, match="axes along which"):
        align((first, few), "cca", rng=rng, settings=Settings(n_axes=10))
    with pytest.raises(BadArgumentError, match="an aligner among"):
        align((first, calibration), "glue", rng=rng)
    with pytest.raises(BadArgumentError, match="one bin_s"):
        align((first, replace(calibration, bin_s=0.05)), "cca", rng=rng)


def test_a_map_reads_its_own_population_only() -> None:
    first, calibration, _ = days(0)
    found = align((first, calibration), "cca", rng=np.random.default_rng(0))
    with pytest.raises(BadArgumentError, match="another one"):
        found.maps[0].transform(calibration)


def test_constant_behaviour_teaches_nothing() -> None:
    first, calibration, _ = days(0)
    still = replace(first, behaviour={VELOCITY: np.zeros((first.n_bins, 2))})
    found = align((first, calibration), "cca", rng=np.random.default_rng(0))
    with pytest.raises(BadArgumentError, match="constant behaviour"):
        fitted(found.maps[0], still, VELOCITY)
