"""Pieces between gaps: the same spikes as in one, with any number of threads."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.matching.pieces import Pieces, gaps, threads
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
GAP = 150


@pytest.fixture(scope="module")
def templates():
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / 2.0) ** 2) + 0.4 * np.exp(-0.5 * ((t - 7) / 4.0) ** 2)
    fall = np.exp(-np.abs(np.arange(6)[None] - np.asarray([1, 4])[:, None]) / 1.2)
    waves = (9.0 * shape[None, :, None] * fall[:, None]).astype(np.float32)
    cut = shape[WINDOWS.lead : WINDOWS.lead + WINDOWS.scored]
    moved = np.stack([np.roll(cut, k) for k in range(-2, 3)])
    basis = np.linalg.svd(moved, full_matrices=False)[2].astype(np.float32)
    return Templates(waves, np.ascontiguousarray(basis), np.full(2, 10.0), WINDOWS)


@pytest.fixture(scope="module")
def z(templates):
    """Three stretches with spikes, some of them at the very ends."""
    rng, parts = np.random.default_rng(0), []
    for n in (6000, 9000, 4000):
        part = rng.standard_normal((n, 6)).astype(np.float32)
        for first in (*rng.integers(0, n - WINDOWS.long, 30), 0, n - 40):
            wave = templates.waveforms[rng.integers(2)][: n - first]
            part[first : first + WINDOWS.long] += wave
        parts += [part, np.zeros((GAP, 6), np.float32)]
    return np.concatenate(parts)


def test_gaps_are_long_runs_of_zeros_between_samples(z):
    np.testing.assert_array_equal(gaps(z, 135), [6000 + 75, 6000 + GAP + 9000 + 75])
    short = z.copy()
    short[2000:2100] = 0  # what an artifact leaves is no gap
    assert gaps(short, 135).size == 2
    assert gaps(np.zeros((500, 6), np.float32), 135).size == 0


def test_spikes_and_residual_are_those_of_all_samples_at_once(z, templates):
    pieces = Pieces(z, RATE_HZ)
    assert len(pieces.edges) == 3
    found, whole = pieces.pursue(templates, 0.6), pursue(z, templates, RATE_HZ, 0.6)
    assert len(whole) > 80
    np.testing.assert_array_equal(found.at, whole.at)
    np.testing.assert_array_equal(found.unit, whole.unit)
    left = pieces.subtract(found, templates)
    np.testing.assert_allclose(left, subtract(z, whole, templates), atol=1e-2)


def test_threads_change_nothing(z, templates):
    alone = Pieces(z, RATE_HZ)
    one = alone.pursue(templates, 0.6)
    with threads(3) as pool:
        shared = Pieces(z, RATE_HZ, pool)
        two = shared.pursue(templates, 0.6)
        left = shared.subtract(two, templates)
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(left, alone.subtract(one, templates))


def test_one_thread_is_no_pool():
    with threads(1) as pool:
        assert pool is None


def test_some_pieces_are_whole_ones_with_the_same_spikes(z, templates):
    whole = Pieces(z, RATE_HZ)
    some, rows = whole.some(2)
    np.testing.assert_array_equal(some.z, z[rows])
    (a, b), (c, d) = whole.edges[0], whole.edges[2]
    np.testing.assert_array_equal(rows, np.r_[a:b, c:d])
    assert len(some.edges) == 2
    found, every = some.pursue(templates, 0.6), whole.pursue(templates, 0.6)
    np.testing.assert_array_equal(rows[found.at], every.at[np.isin(every.at, rows)])
