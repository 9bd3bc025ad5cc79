"""Windows paired by their distances within each recording, without a common space.

Entropic Gromov-Wasserstein by projected mirror descent (Peyre, Cuturi and Solomon 2016, ICML
48:2664-2672, algorithm 1 for the square loss); the entropy is lowered step by step. Fused (Vayer,
Chapel, Flamary, Tavenard and Courty 2019, ICML 97:6275-6284), what windows are like by
themselves counts beside their distances: how far latents go and how fast, step by step, which no
turn changes, and conditions where both days know them.
"""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import Floats
from nissl.align.latent.trajectories import Trajectories
from nissl.align.latent.transport import sinkhorn

_EPSILON = (0.05, 0.002)
_ROUNDS = 60
_NEVER = 50.0
SHARE = 0.99
"""Of the distances in a fused cost; the rest is what windows are like by themselves, whose squares
are some ten times as large and noisy. Chosen on simulated subjects (seeds 0 to 9)."""


def coupled(a: Trajectories, b: Trajectories) -> Floats:
    """Coupling of windows, shape (n_windows of b, n_windows of a); sums to 1.

    Parameters
    ----------
    a, b : Trajectories
    """
    from scipy.spatial.distance import cdist

    da, db = (cdist(t.flat, t.flat) for t in (a, b))
    return gromov_wasserstein(da / da.mean(), db / db.mean())


def fused(a: Trajectories, b: Trajectories, share: float = SHARE) -> Floats:
    """Coupling of windows by their distances and by what they are like, shape as of `coupled`.

    Parameters
    ----------
    a, b : Trajectories
        Windows whose conditions are known on both sides and differ are never paired.
    share : float
        Of the distances, 0 to 1.
    """
    from scipy.spatial.distance import cdist

    da, db = (cdist(t.flat, t.flat) for t in (a, b))
    own_a, own_b = _invariants(a), _invariants(b)
    apart = cdist(own_b, own_a, "sqeuclidean") / own_a.shape[1]
    known = (b.condition[:, None] >= 0) & (a.condition[None] >= 0)
    never = known & (b.condition[:, None] != a.condition[None])
    pairs = gromov_wasserstein(da / da.mean(), db / db.mean(), apart + _NEVER * never, share)
    # Where one day has a condition more often, entropy would send the rest elsewhere.
    kept = np.where(never, 0.0, pairs)
    total = kept.sum(axis=1, keepdims=True)
    even = pairs.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, kept / np.maximum(total, 1e-300) * even, pairs), float)


def _invariants(t: Trajectories) -> Floats:
    """Distance from the middle and speed at every step, on a scale of 1: no turn changes them."""
    size = np.linalg.norm(t.values - t.values.mean(axis=(0, 1)), axis=2)
    speed = np.linalg.norm(np.diff(t.values, axis=1), axis=2)
    both = np.concatenate([size, speed], axis=1)
    return np.asarray((both - both.mean(axis=0)) / np.maximum(both.std(axis=0), 1e-9), float)


def gromov_wasserstein(
    da: Floats, db: Floats, apart: Floats | None = None, share: float = SHARE
) -> Floats:
    """Coupling under which two distance matrices agree best.

    Parameters
    ----------
    da : ndarray, shape (n_a, n_a)
    db : ndarray, shape (n_b, n_b)
    apart : ndarray, shape (n_b, n_a), optional
        Cost of each pair by itself, which makes it fused.
    share : float
        Of the distance matrices, where it is.

    Returns
    -------
    ndarray, shape (n_b, n_a)
    """
    from scipy.spatial.distance import cdist

    wa, wb = np.full(len(da), 1 / len(da)), np.full(len(db), 1 / len(db))
    # Begin where points are alike in how far they are from all others.
    order = np.linspace(0, 1, 16)
    rank = cdist(np.quantile(db, order, axis=1).T, np.quantile(da, order, axis=1).T, "sqeuclidean")
    start = rank if apart is None else rank / rank.mean() + apart
    coupling = sinkhorn(start[None], wb, wa, 0.1 * float(start[start < _NEVER].mean()))[0]
    fixed = ((db**2) @ wb)[:, None] + ((da**2) @ wa)[None]
    for epsilon in np.geomspace(*_EPSILON, _ROUNDS):
        cost = fixed - 2 * db @ coupling @ da
        if apart is not None:
            cost = share * cost + (1 - share) * apart
        coupling = sinkhorn(cost[None], wb, wa, float(epsilon))[0]
    return np.asarray(coupling, float)
