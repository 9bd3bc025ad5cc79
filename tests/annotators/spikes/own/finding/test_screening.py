"""Units that are none: sums, doubles and what follows larger units go, true ones stay."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.screening import (
    LEAST_PART,
    explained_alone,
    locked,
    needed,
)
from nissl.annotators.spikes.own.matching.pieces import Pieces
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.templates.estimating import STEP, mean_waveforms, refine, steps
from nissl.annotators.spikes.own.templates.projection import phases, shifted
from nissl.annotators.spikes.own.templates.templates import Templates, on_their_peaks
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
N_CHANNELS, N = 6, 120_000
FLOOR = 0.65


def wave(width, main, size):
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / width) ** 2) + 0.4 * np.exp(-0.5 * ((t - 7) / (2 * width)) ** 2)
    fall = np.exp(-np.abs(np.arange(N_CHANNELS) - main) / 1.2)
    return (size * shape[:, None] * fall).astype(np.float32)


WAVES = np.stack([wave(2.0, 1, 9.0), wave(3.0, 4, 8.0), wave(2.2, 2, 30.0)])


def templates_of(waves):
    lead = WINDOWS.lead
    scored = waves[:, lead : lead + WINDOWS.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(scored)).reshape(-1, WINDOWS.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    return Templates(waves, np.ascontiguousarray(basis), np.full(len(waves), 20.0), WINDOWS)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(3)
    z = rng.standard_normal((N, N_CHANNELS)).astype(np.float32)
    for unit in range(3):
        for at in np.sort(rng.choice(np.arange(200, N - 200, 31), 160, replace=False)):
            first = at - WINDOWS.long_before
            late = shifted(np.ascontiguousarray(WAVES[unit].T), rng.uniform(-0.5, 0.5)).T
            z[first : first + WINDOWS.long] += late
    return z


def judged(z, waves):
    templates = templates_of(waves)
    spikes = pursue(z, templates, RATE_HZ, FLOOR)
    return needed(Pieces(z, RATE_HZ), templates, spikes, FLOOR), templates, spikes


def test_true_units_stay(samples):
    kept, templates, spikes = judged(samples, WAVES)
    assert kept.all()
    alone = [explained_alone(samples, templates, spikes, u, RATE_HZ, FLOOR) for u in range(3)]
    np.testing.assert_allclose(alone[:2], templates.norms[:2], rtol=0.1)
    assert 0.2 * templates.norms[2] < alone[2] < templates.norms[2]  # unit 0 would take a part


def test_of_two_that_are_one_one_stays(samples):
    kept, _, _ = judged(samples, np.concatenate([WAVES, WAVES[:1] * np.float32(1.02)]))
    assert kept[1:3].all()
    assert kept[[0, 3]].sum() == 1


@pytest.mark.parametrize("more", [[], [WAVES[0] * np.float32(1.02)], [WAVES[2] * np.float32(0.9)]])
def test_units_are_judged_alike_where_what_is_left_of_the_samples_is_known(samples, more):
    kept, templates, spikes = judged(samples, np.stack([*WAVES, *more]))
    residual = subtract(samples, spikes, templates)
    known = needed(Pieces(samples, RATE_HZ), templates, spikes, FLOOR, residual)
    np.testing.assert_array_equal(known, kept)
    for unit in range(3):
        of = samples, templates, spikes, unit, RATE_HZ, FLOOR
        assert explained_alone(*of, residual) == pytest.approx(explained_alone(*of), rel=0.05)


def test_the_sum_of_two_goes(samples):
    both = WAVES[0] + np.roll(WAVES[1], 4, axis=0)
    kept, _, spikes = judged(samples, np.concatenate([WAVES, both[None]]))
    assert kept[:3].all()
    assert not kept[3] or not np.any(spikes.unit == 3)


def test_a_unit_that_is_another_enlarged_and_a_rest_stays():
    rng = np.random.default_rng(4)
    rest = wave(3.0, 4, 9.0)
    waves = np.stack([wave(2.2, 2, 14.0), np.float32(2.3) * wave(2.2, 2, 14.0) + rest, rest])
    z = rng.standard_normal((N, N_CHANNELS)).astype(np.float32)
    for unit, n in enumerate((160, 160, 30)):
        for at in rng.choice(np.arange(200, N - 200, 31), n, replace=False):
            z[at - WINDOWS.long_before :][: WINDOWS.long] += waves[unit]
    kept, _, _ = judged(z, waves)
    assert kept[:2].all()


def test_a_unit_is_not_explained_by_pieces_of_its_own_that_are_rare():
    rng = np.random.default_rng(5)
    one, rest = wave(2.2, 2, 14.0), wave(3.0, 4, 9.0)
    waves = np.stack([one, np.float32(1.4) * one + rest, rest])
    z = rng.standard_normal((N, N_CHANNELS)).astype(np.float32)
    for unit, n in enumerate((160, 160, 30)):
        for at in rng.choice(np.arange(200, N - 200, 31), n, replace=False):
            z[at - WINDOWS.long_before :][: WINDOWS.long] += waves[unit]
    kept, templates, spikes = judged(z, waves)
    assert kept[:2].all()
    with_pieces = explained_alone(z, templates, spikes, 1, RATE_HZ, FLOOR)
    assert with_pieces < LEAST_PART**2 * templates.norms[1]


def locked_at(samples, late):
    """How locked the first unit is where its spikes come so late after the largest one's."""
    templates = templates_of(WAVES)
    spikes = pursue(samples, templates, RATE_HZ, FLOOR)
    own = spikes.unit == 0
    moved = spikes.at.copy()
    moved[own] = np.resize(spikes.at[spikes.unit == 2], own.sum()) + np.resize(late, own.sum())
    order = np.argsort(moved, kind="stable")
    follows = spikes.taken(order)
    object.__setattr__(follows, "at", moved[order])
    return locked(templates, follows, N, RATE_HZ)[0]


def test_units_on_their_own_are_not_locked(samples):
    templates = templates_of(WAVES)
    spikes = pursue(samples, templates, RATE_HZ, FLOOR)
    assert np.abs(locked(templates, spikes, N, RATE_HZ)).max() < 0.2


@pytest.mark.parametrize("late", [6, -9, 0, [4, 5, 6]])
def test_what_follows_a_larger_unit_at_one_lag_is_locked(samples, late):
    assert locked_at(samples, late) > 0.9


def test_units_that_are_driven_together_are_not_locked(samples):
    late = np.random.default_rng(0).integers(-14, 15, 160)
    assert locked_at(samples, late) < 0.4


def test_steps_get_shorter_where_spikes_overlap():
    templates = templates_of(WAVES)
    rare = steps(templates, np.full(3, 1.0), RATE_HZ)
    often = steps(templates, np.full(3, 500.0), RATE_HZ)
    assert np.all(rare == 1.0)
    together = templates.overlaps.sum(axis=1) * 500.0 * WINDOWS.long / RATE_HZ
    np.testing.assert_allclose(often, STEP / (1 + together))


def test_refining_brings_a_wrong_template_to_the_true_one(samples):
    wrong = WAVES.copy()
    wrong[0] += 0.15 * WAVES[1]
    templates = templates_of(wrong)
    for _ in range(4):
        spikes = pursue(samples, templates, RATE_HZ, FLOOR)
        residual = subtract(samples, spikes, templates)
        templates = refine(templates, residual, spikes, N / RATE_HZ, RATE_HZ)
    apart = np.linalg.norm(templates.waveforms[0] - WAVES[0]) / np.linalg.norm(WAVES[0])
    before = np.linalg.norm(wrong[0] - WAVES[0]) / np.linalg.norm(WAVES[0])
    assert apart < 0.6 * before


def test_means_of_late_events_are_put_in_step():
    late = shifted(np.ascontiguousarray(WAVES[2].T), 0.3).T
    z = np.zeros((400, N_CHANNELS), np.float32)
    z[100 : 100 + WINDOWS.long] = late
    at = np.asarray([100 + WINDOWS.long_before])
    args = (np.zeros(1, np.int64), 1, WINDOWS.long_before, WINDOWS.long)
    put = mean_waveforms(z, at, np.asarray([0.3], np.float32), *args)[0]
    left = mean_waveforms(z, at, np.zeros(1, np.float32), *args)[0]
    assert np.linalg.norm(put - WAVES[2]) < 0.6 * np.linalg.norm(left - WAVES[2])


def test_waveforms_are_put_on_their_peaks_and_otherwise_left():
    late = np.roll(WAVES[:1], 9, axis=1)
    early = np.roll(WAVES[1:2], -6, axis=1)
    put = on_their_peaks(np.concatenate([late, early, WAVES[2:]]), WINDOWS)
    np.testing.assert_array_equal(put[2], WAVES[2])
    for unit in range(2):
        main = int(np.argmax(np.sum(WAVES[unit] ** 2, axis=0)))
        assert np.argmax(np.abs(put[unit][:, main])) == WINDOWS.long_before
        np.testing.assert_allclose(put[unit][9:-9], WAVES[unit][9:-9], atol=1e-5)
