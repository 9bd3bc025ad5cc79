"""Splits and merges: two waveforms become two units, one waveform stays one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.regrouping import ALONG, HEAPS, STRICT, limit, merge, split
from nissl.annotators.spikes.own.matching.pieces import Pieces
from nissl.annotators.spikes.own.templates.projection import phases, shifted
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
N_CHANNELS, N = 4, 400_000


def wave(width, sizes):
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / width) ** 2) + 0.4 * np.exp(-0.5 * ((t - 7) / (2 * width)) ** 2)
    return (shape[:, None] * np.asarray(sizes)).astype(np.float32)


ONE = wave(2.0, [9, 5, 2, 1])
FEW = wave(2.0, [5, 9, 4, 1])  # 7 noise SDs from the first at any amplitude
LARGER = wave(2.0, [10.5, 5.8, 2.3, 1.2])  # the first, a sixth larger


def made(counts, waves, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((N, N_CHANNELS)).astype(np.float32)
    at = rng.permutation(np.arange(200, N - 200, 150))
    place = np.split(at, np.cumsum(counts))[:-1]
    for own, each in zip(place, waves, strict=True):
        for a in own:
            late = shifted(np.ascontiguousarray(each.T), rng.uniform(-0.5, 0.5)).T
            z[a - WINDOWS.long_before :][: WINDOWS.long] += late
    return Pieces(z, RATE_HZ), [np.sort(own) for own in place]


def templates_of(*waves):
    lead = WINDOWS.lead
    cut = np.stack([w[lead : lead + WINDOWS.scored].T for w in (ONE, FEW, *waves)])
    every = phases(np.ascontiguousarray(cut)).reshape(-1, WINDOWS.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:5].astype(np.float32)
    held = np.stack(waves)
    return Templates(held, np.ascontiguousarray(basis), np.full(len(held), 20.0), WINDOWS)


def parts_of(pieces, *waves, pool=None):
    templates = templates_of(*waves)
    spikes = pieces.pursue(templates, 0.45)
    residual = pieces.subtract(spikes, templates)
    return split(templates, residual, spikes, np.random.default_rng(0), pool)


def test_a_unit_without_spikes_stays_as_it_is():
    pieces, _ = made([1500], [ONE])
    _, of = parts_of(pieces, ONE, wave(3.0, [0, 1, 9, 40]))
    np.testing.assert_array_equal(of, [0, 1])


def test_few_spikes_of_another_waveform_become_a_unit():
    pieces, _ = made([1500, 60], [ONE, FEW])
    parts, of = parts_of(pieces, ONE)
    assert of.tolist() == [0, 0]
    near = [min(np.linalg.norm(p - w) for p in parts.waveforms) for w in (ONE, FEW)]
    assert max(near) < 4.0


@pytest.mark.parametrize("seed", range(4))
def test_one_waveform_stays_one(seed):
    pieces, _ = made([1500], [ONE], seed)
    parts, of = parts_of(pieces, ONE)
    assert of.tolist() == [0]
    np.testing.assert_array_equal(parts.waveforms[0], ONE)


def test_two_amplitudes_of_one_shape_need_more_than_a_dent():
    assert limit(ALONG - 0.1) == STRICT > HEAPS == limit(ALONG)
    pieces, _ = made([800, 200], [ONE, LARGER])
    assert parts_of(pieces, ONE)[1].tolist() == [0]


def test_threads_change_nothing():
    pieces, _ = made([900, 60, 300], [ONE, FEW, wave(3.5, [0, 0, 6, 12])])
    waves = ONE, wave(3.5, [0, 0, 6, 12])
    alone, of = parts_of(pieces, *waves)
    with ThreadPoolExecutor(2) as pool:
        shared, of_shared = parts_of(pieces, *waves, pool=pool)
    np.testing.assert_array_equal(of, of_shared)
    np.testing.assert_array_equal(alone.waveforms, shared.waveforms)


def test_halves_of_a_unit_are_merged_and_two_units_are_not():
    pieces, _ = made([700, 700], [ONE, FEW])
    noise = np.random.default_rng(5).standard_normal(ONE.shape).astype(np.float32)
    templates = templates_of(ONE + 0.12 * noise, ONE - 0.12 * noise, FEW)
    spikes = pieces.pursue(templates, 0.45)
    merged, into = merge(templates, pieces.subtract(spikes, templates), spikes)
    assert into.tolist() == [0, 0, 1]
    assert len(merged) == 2
