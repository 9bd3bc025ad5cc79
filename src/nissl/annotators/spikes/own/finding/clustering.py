"""Clusters of features whose noise has unit variance: many small ones, joined while unimodal."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.unimodality import BIN_SD, ratio_of

Features = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_START = 16
N_DIMENSIONS = 10
HEAPS = 4.0
"""Log likelihood ratio from which two heaps are two (see `two_heaps`)."""
N_ITERATIONS = 15
LEAST = 12
LOOSE = 0.04
"""So much of a large unit's norm stands for a noise SD: templates and amplitudes are not exact."""
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
    names, numbers = np.unique(labels, return_inverse=True)
    joined = _joined(features.astype(np.float64), numbers.astype(np.int64), names.size)
    return np.unique(joined, return_inverse=True)[1].astype(np.int64)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _joined(features: Values, labels: Ints, n: int) -> Ints:
    labels = labels.copy()
    sums, count = np.zeros((n, features.shape[1])), np.zeros(n, np.int64)
    for i in range(len(labels)):
        sums[labels[i]] += features[i]
        count[labels[i]] += 1
    settled = np.zeros((n, n), np.bool_)
    while True:
        a, b = _next_pair(sums, count, settled)
        if a < 0:
            return labels
        line = sums[b] / count[b] - sums[a] / count[a]
        length = np.sqrt(np.sum(line**2))
        statistic = 0.0
        if length > 0:
            line /= length
            one, other = features[labels == a] @ line, features[labels == b] @ line
            statistic = ratio_of(one, other, BIN_SD)
        if statistic >= HEAPS:
            settled[a, b] = settled[b, a] = True
            continue
        labels[labels == b] = a
        sums[a] += sums[b]
        count[a] += count[b]
        count[b] = 0
        settled[a] = False
        settled[:, a] = False


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _next_pair(sums: Values, count: Ints, settled: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Mutually nearest pair that has not been judged, the nearest of these; -1 without one."""
    n = len(count)
    nearest, least = np.full(n, -1), np.full(n, np.inf)
    for i in range(n):
        for j in range(n):
            if i == j or count[i] == 0 or count[j] == 0 or settled[i, j]:
                continue
            apart = np.sum((sums[i] / count[i] - sums[j] / count[j]) ** 2)
            if apart < least[i]:
                nearest[i], least[i] = j, apart
    best = -1
    for i in range(n):
        j = nearest[i]
        if i < j and nearest[j] == i and (best < 0 or least[i] < least[best]):
            best = i
    return (best, nearest[best]) if best >= 0 else (-1, -1)


def steady(features: Features, labels: Ints) -> npt.NDArray[np.bool_]:
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
