"""Numbers about candidates that several policies use: doubt, disagreement, nearness."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NEIGHBOUR = 10
"""The width of the kernel is the median distance to the neighbour of this rank."""

REFERENCE = 512
"""Items that stand for the whole pool where all pairs would be too many."""


def entropy_of(probabilities: Floats) -> Floats:
    """Shannon entropy along the last axis, nats.

    Parameters
    ----------
    probabilities : ndarray, shape (..., k), float64

    Returns
    -------
    ndarray, shape (...), float64
    """
    p = np.clip(probabilities, 1e-12, 1.0)
    return np.asarray(-(p * np.log(p)).sum(-1), dtype=np.float64)


def margin_of(probabilities: Floats) -> Floats:
    """One minus the lead of the likeliest class over the second: 1 is a tie.

    Scheffer, Decomain and Wrobel 2001, IDA, "Active hidden Markov models".

    Parameters
    ----------
    probabilities : ndarray, shape (n, k), float64

    Returns
    -------
    ndarray, shape (n,), float64
    """
    best = np.sort(probabilities, axis=-1)
    return np.asarray(1.0 - best[:, -1] + best[:, -2], dtype=np.float64)


def expected_error(probabilities: Floats) -> Floats:
    """Probability that the likeliest class is wrong.

    Parameters
    ----------
    probabilities : ndarray, shape (n, k), float64

    Returns
    -------
    ndarray, shape (n,), float64
    """
    return np.asarray(1.0 - probabilities.max(-1), dtype=np.float64)


def mutual_information(votes: Floats) -> Floats:
    """What an answer would say about the ensemble: entropy of the mean less mean entropy, nats.

    Houlsby et al. 2011, arXiv:1112.5745 (BALD), eq. 2. Where members vote for one class each,
    it is the vote entropy of Dagan and Engelson 1995.

    Parameters
    ----------
    votes : ndarray, shape (m, n, k), float64

    Returns
    -------
    ndarray, shape (n,), float64
        From 0.
    """
    gain = entropy_of(votes.mean(0)) - entropy_of(votes).mean(0)
    return np.asarray(np.maximum(gain, 0.0), dtype=np.float64)


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Squared Euclidean distances.

    Parameters
    ----------
    a : ndarray, shape (n, d), float64
    b : ndarray, shape (m, d), float64

    Returns
    -------
    ndarray, shape (n, m), float64
    """
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.maximum(squares, 0.0), dtype=np.float64)


def reference(n: int, rng: np.random.Generator, size: int = REFERENCE) -> npt.NDArray[np.int64]:
    """Positions of items that stand for the pool: all of them, or a random `size`.

    Parameters
    ----------
    n, size : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (min(n, size),), int64
        Ascending.
    """
    if n <= size:
        return np.arange(n)
    return np.sort(rng.choice(n, size, replace=False))


def width_of(features: Floats) -> float:
    """Width of a Gaussian kernel that reaches about `NEIGHBOUR` neighbours.

    Parameters
    ----------
    features : ndarray, shape (n, d), float64

    Returns
    -------
    float
        Above 0.
    """
    if len(features) < 2:
        return 1.0
    squares = squared_distances(features, features)
    nth = min(NEIGHBOUR, len(features) - 1)
    return float(np.sqrt(np.median(np.partition(squares, nth, axis=1)[:, nth]))) or 1.0


def similarities(a: Floats, b: Floats, width: float) -> Floats:
    """Gaussian kernel between two sets of items.

    Parameters
    ----------
    a : ndarray, shape (n, d), float64
    b : ndarray, shape (m, d), float64
    width : float

    Returns
    -------
    ndarray, shape (n, m), float64
        0 to 1.
    """
    return np.asarray(np.exp(-squared_distances(a, b) / (2 * width**2)), dtype=np.float64)


def nearest(a: Floats, b: Floats, block: int = 4096) -> Floats:
    """Distance of each item of `a` to the nearest of `b`, in blocks of bounded memory.

    Parameters
    ----------
    a : ndarray, shape (n, d), float64
    b : ndarray, shape (m, d), float64
        At least one.
    block : int
        Rows of `a` at a time.

    Returns
    -------
    ndarray, shape (n,), float64
    """
    found = np.empty(len(a))
    for start in range(0, len(a), block):
        rows = slice(start, start + block)
        found[rows] = np.sqrt(squared_distances(a[rows], b).min(1))
    return found
