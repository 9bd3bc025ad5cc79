"""Clusters of features whose noise has unit variance: many small ones, joined while unimodal."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.unimodality import two_heaps

Features = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

N_START = 16
N_DIMENSIONS = 10
HEAPS = 4.0
"""Log likelihood ratio from which two heaps are two (see `unimodality`)."""
N_ITERATIONS = 15
LEAST = 12
LOOSE = 0.04
"""This part of a large unit's norm stands for a noise SD: templates and amplitudes are not exact."""
MOST_LEFT, MOST_SPREAD = 1.4, 0.35
"""Of a steady cluster: energy left by its mean over that of noise, and spread of its amplitudes."""


def reduce_features(features: Features, n: int = N_DIMENSIONS) -> Features:
    """Features along their principal components; noise keeps unit variance."""
    flat = features.reshape(len(features), -1)
    centred = flat - flat.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(flat @ vectors[:, ::-1][:, :n], dtype=np.float32)


def cluster(features: Features, rng: np.random.Generator, n_start: int = N_START) -> Ints:
    """Label of each spike, 0 to n - 1 in order of first appearance by size.

    Parameters
    ----------
    features : ndarray, shape (n_spikes, n_dimensions), float32
        Noise of unit variance.
    rng : numpy Generator
    n_start : int
        Clusters of the first cut.
    """
    n = len(features)
    if n < 2 * LEAST:
        return np.zeros(n, np.int64)
    labels = kmeans(features, min(n_start, n // LEAST), rng)
    return join(features, labels)


def kmeans(features: Features, k: int, rng: np.random.Generator) -> Ints:
    """Lloyd's iterations from centres spread by distance (k-means++)."""
    chosen = [int(rng.integers(len(features)))]
    apart = np.sum((features - features[chosen[0]]) ** 2, axis=1)
    for _ in range(1, k):
        total = float(apart.sum())
        if not total > 0:
            break
        draw = int(np.searchsorted(np.cumsum(apart), rng.random() * total))
        chosen.append(min(draw, len(features) - 1))
        apart = np.minimum(apart, np.sum((features - features[chosen[-1]]) ** 2, axis=1))
    labels = _lloyd(features, features[chosen].copy(), N_ITERATIONS)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


@numba.njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lloyd(features: Features, centres: Features, most: int) -> Ints:
    n, n_dimensions = features.shape
    labels = np.full(n, -1, np.int64)
    for _ in range(most):
        changed = False
        sums, count = np.zeros_like(centres), np.zeros(len(centres), np.int64)
        for i in range(n):
            best, least = 0, np.float32(np.inf)
            for k in range(len(centres)):
                apart = np.float32(0)
                for d in range(n_dimensions):
                    step = features[i, d] - centres[k, d]
                    apart += step * step
                if apart < least:
                    best, least = k, apart
            changed |= labels[i] != best
            labels[i] = best
            count[best] += 1
            for d in range(n_dimensions):
                sums[best, d] += features[i, d]
        if not changed:
            break
        for k in range(len(centres)):
            if count[k] > 0:
                centres[k] = sums[k] / np.float32(count[k])
    return labels


def join(features: Features, labels: Ints) -> Ints:
    """Join the nearest pairs of clusters while the line between them shows one heap."""
    labels = labels.copy()
    settled: set[tuple[int, int]] = set()
    while True:
        names = np.unique(labels)
        if names.size < 2:
            break
        centres = np.stack([features[labels == k].mean(axis=0) for k in names])
        apart = np.sum((centres[:, None] - centres[None]) ** 2, axis=2)
        np.fill_diagonal(apart, np.inf)
        pair = _next_pair(apart, names, settled)
        if pair is None:
            break
        a, b = (int(names[i]) for i in pair)
        if heaps(features[labels == a], features[labels == b]) < HEAPS:
            labels[labels == b] = a
            settled = {p for p in settled if a not in p and b not in p}
        else:
            settled.add((min(a, b), max(a, b)))
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def heaps(one: Features, other: Features) -> float:
    """Statistic of `two_heaps` along the line between two clusters' means."""
    line = other.mean(axis=0) - one.mean(axis=0)
    length = float(np.linalg.norm(line))
    if not length > 0:
        return 0.0
    line /= length
    return two_heaps((one @ line).astype(np.float64), (other @ line).astype(np.float64))


def _next_pair(
    apart: npt.NDArray[np.floating], names: Ints, settled: set[tuple[int, int]]
) -> tuple[int, int] | None:
    """Mutually nearest pair that has not been judged, the nearest first."""
    found: list[tuple[float, int, int]] = []
    open_apart = apart.copy()
    for i, j in settled:
        a, b = np.searchsorted(names, [i, j])
        open_apart[a, b] = open_apart[b, a] = np.inf
    nearest = np.argmin(open_apart, axis=1)
    for i, j in enumerate(nearest):
        if np.isfinite(open_apart[i, j]) and nearest[j] == i and i < j:
            found.append((float(open_apart[i, j]), i, int(j)))
    if not found:
        return None
    _, i, j = min(found)
    return i, j

def steady(features: Samples, labels: Ints) -> npt.NDArray[np.bool_]:
    """Which clusters are of one waveform that comes again and again, but for noise and amplitude.

    What imperfect templates and overlaps leave of large spikes is never twice the same.

    Parameters
    ----------
    features : ndarray, shape (n, n_shapes, n_near), float32
        Noise of unit variance.
    labels : ndarray, shape (n,), int64
        0 to n_clusters - 1, none empty.
    """
    flat = features.reshape(len(features), -1).astype(np.float64)
    out = np.zeros(int(labels.max()) + 1, bool)
    for k in range(out.size):
        own = flat[labels == k]
        mean = own.mean(axis=0)
        norm = max(float(np.linalg.norm(mean)), 1e-9)
        amplitude = own @ mean / norm**2
        left = float(np.sum((own - np.outer(amplitude, mean)) ** 2))
        usual = max(len(own) - 1, 1) * (flat.shape[1] + (LOOSE * norm) ** 2)
        out[k] = left < MOST_LEFT * usual and float(amplitude.std()) < MOST_SPREAD
    return out
