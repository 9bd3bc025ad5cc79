"""Orthogonal Procrustes: turn one population's latents onto another's (Schoenemann 1966)."""

from __future__ import annotations

import numpy as np

from nissl.align.fragments import Floats


def rotation(b: Floats, a: Floats, weight: Floats | None = None) -> Floats:
    """Orthogonal matrix that turns rows of `b` closest to those of `a`.

    Parameters
    ----------
    b, a : ndarray, shape (n, n_axes)
        Rows that belong together.
    weight : ndarray, shape (n,), optional

    Returns
    -------
    ndarray, shape (n_axes, n_axes)
        `b @ rotation` is near `a`.
    """
    left = b if weight is None else b * weight[:, None]
    u, _, v = np.linalg.svd(left.T @ a)
    return np.asarray(u @ v, float)


def likeness(b: Floats, a: Floats) -> float:
    """Cosine of two centred sets of rows after the best rotation and scale, 0 to 1."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.linalg.svd(b.T @ a, compute_uv=False).sum() / size) if size else 0.0
