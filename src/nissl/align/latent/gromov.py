"""Windows paired by their distances within each recording, without a common space.

Entropic Gromov-Wasserstein by projected mirror descent (Peyre, Cuturi and Solomon 2016, ICML
48:2664-2672, algorithm 1 for the square loss); the entropy is lowered step by step.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from nissl.align.fragments import Floats
from nissl.align.latent.trajectories import Trajectories
from nissl.align.latent.transport import sinkhorn

_EPSILON = (0.05, 0.002)
_ROUNDS = 60


def coupled(a: Trajectories, b: Trajectories) -> Floats:
    """Coupling of windows, shape (n_windows of b, n_windows of a); sums to 1.

    Parameters
    ----------
    a, b : Trajectories
    """
    da, db = (cdist(t.flat, t.flat) for t in (a, b))
    return gromov_wasserstein(da / da.mean(), db / db.mean())


def gromov_wasserstein(da: Floats, db: Floats) -> Floats:
    """Coupling under which two distance matrices agree best.

    Parameters
    ----------
    da : ndarray, shape (n_a, n_a)
    db : ndarray, shape (n_b, n_b)

    Returns
    -------
    ndarray, shape (n_b, n_a)
    """
    wa, wb = np.full(len(da), 1 / len(da)), np.full(len(db), 1 / len(db))
    # Begin where points are alike in how far they are from all others.
    order = np.linspace(0, 1, 16)
    rank = cdist(np.quantile(db, order, axis=1).T, np.quantile(da, order, axis=1).T, "sqeuclidean")
    coupling = sinkhorn(rank[None], wb, wa, 0.1 * float(rank.mean()))[0]
    fixed = ((db**2) @ wb)[:, None] + ((da**2) @ wa)[None]
    for epsilon in np.geomspace(*_EPSILON, _ROUNDS):
        cost = fixed - 2 * db @ coupling @ da
        coupling = sinkhorn(cost[None], wb, wa, float(epsilon))[0]
    return np.asarray(coupling, float)
