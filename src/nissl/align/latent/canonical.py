"""Canonical correlation of two populations, and its generalisation to many.

`canonical` finds axes of each set that correlate most with those of the other (Hotelling 1936);
`shared` finds scores that all sets predict best together, MAXVAR generalised canonical correlation
(Kettenring 1971, Biometrika 58:433-451), of which hyperalignment is the relative that
allows rotations only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nissl.align.fragments import Floats
from nissl.align.latent.procrustes import rotation

_RIDGE = 1e-2
"""Relative to the mean variance of an axis: keeps short calibration parts from overfitting."""


def canonical(a: Floats, b: Floats, ridge: float = _RIDGE) -> tuple[Floats, Floats, Floats]:
    """Canonical axes of two sets of centred rows that belong together.

    Parameters
    ----------
    a : ndarray, shape (n, n_a)
    b : ndarray, shape (n, n_b)
    ridge : float

    Returns
    -------
    wa, wb : ndarray, shape (n_a or n_b, k)
    r : ndarray, shape (k,)
        Canonical correlations, largest first, k = min(n_a, n_b).
    """
    ka, kb = _whitener(a, ridge), _whitener(b, ridge)
    u, r, v = np.linalg.svd(ka.T @ a.T @ b @ kb / len(a), full_matrices=False)
    return ka @ u, kb @ v.T, np.clip(r, 0.0, 1.0)


def _whitener(x: Floats, ridge: float) -> Floats:
    covariance = x.T @ x / len(x)
    value, vector = np.linalg.eigh(covariance)
    value = np.maximum(value, 0) + ridge * max(float(value.mean()), 1e-12)
    return np.asarray(vector / np.sqrt(value), float)


def shared(sets: Sequence[Floats], n_axes: int, ridge: float = _RIDGE) -> tuple[Floats, ...]:
    """Maps of many sets of centred rows onto scores that all of them predict.

    Parameters
    ----------
    sets : sequence of ndarray, shape (n, n_units of the set)
        Rows that belong together in all.
    n_axes : int
    ridge : float

    Returns
    -------
    tuple of ndarray, shape (n_units of the set, n_axes)
    """
    white = [x @ _whitener(x, ridge) / np.sqrt(len(x)) for x in sets]
    scores = np.linalg.svd(np.concatenate(white, axis=1), full_matrices=False)[0][:, :n_axes]
    maps = []
    for x in sets:
        damped = x.T @ x + ridge * np.trace(x.T @ x) / x.shape[1] * np.eye(x.shape[1])
        maps.append(np.linalg.solve(damped, x.T @ scores) * np.sqrt(len(x)))
    return tuple(maps)


def hyperaligned(sets: Sequence[Floats], n_rounds: int = 10) -> tuple[Floats, ...]:
    """Rotations of many sets of rows onto their common mean.

    Generalised Procrustes (Gower 1975, Psychometrika 40:33-51), which Haxby et al. (2011, Neuron
    72:404-416) call hyperalignment when the axes are voxels; the first set begins.

    Parameters
    ----------
    sets : sequence of ndarray, shape (n, n_axes)
    n_rounds : int

    Returns
    -------
    tuple of ndarray, shape (n_axes, n_axes)
    """
    middle, turns = sets[0], [np.eye(sets[0].shape[1]) for _ in sets]
    for _ in range(n_rounds):
        turns = [rotation(x, middle) for x in sets]
        middle = np.mean([x @ q for x, q in zip(sets, turns, strict=True)], axis=0)
    back = turns[0].T
    return tuple(q @ back for q in turns)
