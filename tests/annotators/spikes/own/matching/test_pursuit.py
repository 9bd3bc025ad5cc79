"""Matching pursuit against plain sums, and on spikes that were planted."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.matching.pursuit import pursue, take_out
from nissl.annotators.spikes.own.matching.scoring import scores_of
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.templates.projection import phases, project, project_at, shifted
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
N_CHANNELS = 6


def wave(peak, width, main, size):
    """A band-limited biphasic waveform over channels, shape (n_long, n_channels)."""
    t = np.arange(WINDOWS.long) - peak
    shape = -np.exp(-0.5 * (t / width) ** 2) + 0.4 * np.exp(-0.5 * ((t - 7) / (2 * width)) ** 2)
    fall = np.exp(-np.abs(np.arange(N_CHANNELS) - main) / 1.2)
    return (size * shape[:, None] * fall).astype(np.float32)


@pytest.fixture(scope="module")
def templates():
    peak = WINDOWS.long_before
    waves = np.stack([wave(peak, 2.0, 1, 9.0), wave(peak, 3.0, 4, 8.0), wave(peak, 2.2, 2, 7.0)])
    lead = WINDOWS.lead
    scored = waves[:, lead : lead + WINDOWS.scored].transpose(0, 2, 1)
    every = np.concatenate([phases(np.ascontiguousarray(scored)).reshape(-1, WINDOWS.scored)])
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    return Templates(waves, np.ascontiguousarray(basis), np.full(3, 10.0), WINDOWS)


def plant(templates, at, unit, shift, amplitude, n, seed=0):
    z = np.random.default_rng(seed).standard_normal((n, N_CHANNELS)).astype(np.float32)
    for a, u, s, k in zip(at, unit, shift, amplitude, strict=True):
        first = a - WINDOWS.long_before
        late = shifted(np.ascontiguousarray(templates.waveforms[u].T), s).T
        z[first : first + WINDOWS.long] += np.float32(k) * late
    return z


def test_projections_are_inner_products(templates):
    z = np.random.default_rng(1).standard_normal((200, N_CHANNELS)).astype(np.float32)
    found = project(z, templates.basis)
    expected = np.einsum("kj,jc->kc", templates.basis, z[17 : 17 + WINDOWS.scored])
    np.testing.assert_allclose(found[:, :, 17].T, expected, atol=1e-4)
    assert found.shape[2] == 200 - WINDOWS.scored + 1
    at, channels = np.asarray([17 + WINDOWS.before, 2]), np.asarray([[0, 3, -1]] * 2, np.int32)
    one = project_at(
        z, at, np.zeros(2, np.float32), channels, phases(templates.basis), WINDOWS.before
    )
    np.testing.assert_allclose(one[0, :, :2], expected[:, [0, 3]], atol=0.02)
    assert not one[0, :, 2].any()
    assert not one[1].any()  # its window begins before the first sample


@pytest.mark.parametrize("n_shapes", [1, 2, 3, 6, 7])
@pytest.mark.parametrize("length", [4, 31, 32])
def test_projections_on_any_number_of_shapes(n_shapes, length):
    rng = np.random.default_rng(5)
    z = rng.standard_normal((300, 4)).astype(np.float32)
    basis = rng.standard_normal((n_shapes, length)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(z.astype(float), length, axis=0)
    expected = np.einsum("tcj,kj->ckt", windows, basis)
    np.testing.assert_allclose(project(z, basis), expected, atol=1e-4)


def test_echoes_are_what_a_spike_does_to_scores(templates):
    alone = np.zeros((400, N_CHANNELS), np.float32)
    alone[200 : 200 + WINDOWS.long] = templates.waveforms[1]
    seen = scores_of(alone, templates)
    start, columns = templates.pairs
    moment = 200 + WINDOWS.lead  # where the scored window of the spike begins
    for q in range(start[1], start[2]):
        scores = seen[columns[q]]
        lags = np.arange(moment - templates.reach, moment - templates.reach + 80)
        np.testing.assert_allclose(templates.echoes[q, 5, :80], scores[lags], atol=2e-2)


def test_planted_spikes_are_found_with_their_amplitudes_and_moments(templates):
    rng = np.random.default_rng(2)
    n = 60_000
    at = np.arange(200, n - 200, 150)
    unit, shift = rng.integers(0, 3, at.size), rng.uniform(-0.45, 0.45, at.size)
    amplitude = rng.uniform(0.85, 1.15, at.size)
    z = plant(templates, at, unit, shift, amplitude, n)
    found = pursue(z, templates, RATE_HZ)
    place = np.searchsorted(at, found.at + 40) - 1
    right = (np.abs(found.at - at[place]) <= 1) & (found.unit == unit[place])
    assert right.sum() >= 0.97 * at.size
    assert (~right).sum() <= 0.02 * at.size
    own = place[right]
    moments = found.at[right] + found.shift[right] - at[own] - shift[own]
    assert np.median(np.abs(moments)) < 0.15
    assert np.median(np.abs(found.amplitude[right] - amplitude[own])) < 0.08
    left = subtract(z, found, templates)
    assert np.var(left) == pytest.approx(1, abs=0.06)
    assert np.var(z) > 1.3


def test_spikes_that_overlap_are_both_found(templates):
    rng = np.random.default_rng(3)
    n = 45_000
    first = np.arange(200, n - 200, 300)
    later = first + rng.integers(-12, 13, first.size)
    at, unit = np.concatenate([first, later]), np.repeat([0, 1], first.size)
    z = plant(templates, at, unit, np.zeros(at.size), np.ones(at.size), n)
    found = pursue(z, templates, RATE_HZ)
    for u, times in ((0, first), (1, later)):
        own = found.at[found.unit == u]
        near = own[np.clip(np.searchsorted(own, times - 2), 0, own.size - 1)]
        assert np.mean(np.abs(near - times) <= 2) >= 0.9


@pytest.mark.parametrize("first", [-17, 0, 200, 330])
def test_a_spike_is_taken_out_of_scores_by_its_echoes(templates, first):
    start, columns = templates.pairs
    scores = np.random.default_rng(6).standard_normal((len(templates), 400)).astype(np.float32)
    low, high = max(first, 0), min(first + templates.echoes.shape[2], 400)
    left = scores.copy()
    take_out(left, low, high, first, 0.13, 1.2, start[1], start[2], columns, templates.echoes)
    for q in range(start[1], start[2]):
        e0, e1 = templates.echoes[q, 6, low - first : high - first], templates.echoes[q, 7]
        e1 = e1[low - first : high - first]
        scores[columns[q], low:high] -= 1.2 * (0.7 * e0 + 0.3 * e1)
    np.testing.assert_allclose(left, scores, atol=1e-3)


@pytest.mark.parametrize("beyond", [-500, -200, 400, 900])
def test_a_spike_that_reaches_no_score_is_not_taken_out(templates, beyond):
    start, columns = templates.pairs
    scores = np.random.default_rng(6).standard_normal((len(templates), 400)).astype(np.float32)
    low, high = max(beyond, 0), min(beyond + templates.echoes.shape[2], 400)
    left = scores.copy()
    take_out(left, low, high, beyond, 0.13, 1.2, start[1], start[2], columns, templates.echoes)
    np.testing.assert_array_equal(left, scores)


def test_noise_holds_hardly_any_spikes(templates):
    z = np.random.default_rng(4).standard_normal((60_000, N_CHANNELS)).astype(np.float32)
    assert len(pursue(z, templates, RATE_HZ)) <= 2
    assert len(pursue(z[:10], templates, RATE_HZ)) == 0
