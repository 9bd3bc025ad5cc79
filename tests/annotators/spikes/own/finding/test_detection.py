"""Events in white samples, against plain loops."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding import detection
from nissl.annotators.spikes.own.finding.detection import NAMES, crossings, footprints, matched
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours

N_SCORED, BEFORE = 20, 7


def probe(n_channels):
    c = np.arange(n_channels)
    return np.stack([30.0 * (c % 2), 20.0 * (c // 2)], axis=1)


def bases(rng, n_shapes=3, n_prototypes=2):
    t = np.arange(N_SCORED) - BEFORE
    raw = [np.exp(-0.5 * ((t - d) / w) ** 2) for d, w in ((0, 1.5), (3, 2.5), (1, 4))][:n_shapes]
    basis = np.linalg.qr(np.asarray(raw).T)[0].T.astype(np.float32)
    prototypes = rng.standard_normal((n_prototypes, n_shapes))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    return basis, prototypes.astype(np.float32)


def samples(rng, n, n_channels, basis, prototypes, n_spikes=12):
    z = rng.standard_normal((n, n_channels))
    prints = footprints(probe(n_channels))
    for _ in range(n_spikes):
        at, size = int(rng.integers(0, n - N_SCORED)), rng.uniform(5, 14)
        wave = prototypes[rng.integers(len(prototypes))] @ basis
        z[at : at + N_SCORED] += size * np.outer(wave, prints[1, rng.integers(n_channels)])
    return z.astype(np.float32)


def maxima(size, near, threshold, reach):
    """Local extremes in time and over neighbours, the earlier and the lower channel at ties."""
    found = []
    for t, c in zip(*np.nonzero(size >= threshold), strict=True):
        first, stop = max(t - reach, 0), min(t + reach + 1, len(size))
        rivals = [(-size[s, d], s, d) for s in range(first, stop) for d in np.flatnonzero(near[c])]
        if min(rivals) == (-size[t, c], t, c):
            found.append((t, c))
    return found


@pytest.mark.parametrize(("n", "n_channels"), [(300, 1), (700, 5), (1500, 12)])
def test_matched_detection_is_what_plain_loops_find(n, n_channels):
    rng = np.random.default_rng(n)
    basis, prototypes = bases(rng)
    z = samples(rng, n, n_channels, basis, prototypes)
    position = probe(n_channels)
    prints, near = footprints(position), neighbours(position, 75.0)
    found = matched(z, basis, prototypes, prints, near, 4.5, BEFORE, 6)

    windows = np.lib.stride_tricks.sliding_window_view(z.astype(np.float64), N_SCORED, axis=0)
    single = np.einsum("tcj,kj,pk->tpc", windows, basis, prototypes)
    scores = np.einsum("tpc,sdc->tdps", single, prints).reshape(len(single), n_channels, -1)
    size = scores.max(axis=2)
    wanted = maxima(size, near, 4.5, 6)
    assert len(wanted) >= 3
    assert list(zip((found.at - BEFORE).tolist(), found.channel.tolist(), strict=True)) == wanted
    for i, (t, c) in enumerate(wanted):
        assert found.score[i] == pytest.approx(size[t, c], rel=1e-4)
        best = scores[t, c].argmax()
        rows = np.clip([t - 1, t, t + 1], 0, len(scores) - 1)
        left, middle, right = scores[rows, c, best]
        shift = np.clip(0.5 * (right - left) / max(2 * middle - left - right, 1e-6), -0.5, 0.5)
        assert found.shift[i] == pytest.approx(shift, abs=2e-3)


def test_blocks_and_threads_change_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    basis, prototypes = bases(rng)
    z = samples(rng, 4000, 10, basis, prototypes, 60)
    position = probe(10)
    near = neighbours(position, 75.0)
    told = (z, basis, prototypes, footprints(position), near, 5.0, BEFORE, 20)
    whole = matched(*told)
    monkeypatch.setattr(detection, "BLOCK", 333)
    with ThreadPoolExecutor(2) as pool:
        parts = matched(*told, pool)
    assert whole.at.size > 20
    for name in NAMES:
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-5)


def test_crossings_are_local_extremes_of_either_sign():
    rng = np.random.default_rng(0)
    z = (rng.standard_normal((600, 6)) * 2).astype(np.float32)
    position = probe(6)
    found = crossings(z, position, 5.0, 15_000.0)
    wanted = maxima(np.abs(z), neighbours(position, 75.0), 5.0, 8)
    assert list(zip(found.at.tolist(), found.channel.tolist(), strict=True)) == wanted
    assert len(wanted) > 5


def test_nothing_in_what_is_shorter_than_a_window():
    rng = np.random.default_rng(0)
    basis, prototypes = bases(rng)
    near = neighbours(probe(2), 75.0)
    z = np.zeros((N_SCORED - 1, 2), np.float32)
    assert not matched(z, basis, prototypes, footprints(probe(2)), near, 5.0, BEFORE, 6).at.size
