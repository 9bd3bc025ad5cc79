"""Behaviour read from latents: decoders, and how a reference teaches another day's.

Two ways carry a decoder over. "turned": the reference's decoder reads the other day's latents in
the common space. "taught": where an aligner paired windows (`Aligned.couplings`), the behaviour of
the paired windows of the reference is what the other day's own decoder learns from, together with
windows whose behaviour is known; it may use axes that the reference never had.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats, Fragment
from nissl.align.latent.maps import Map
from nissl.align.latent.spaces import own_space
from nissl.align.latent.trajectories import trajectories
from nissl.errors import BadArgumentError

PENALTY = 3.0
"""Of the ridge over latents on a scale of 1; chosen on simulated subjects."""
OWN_AXES = 20


@dataclass(frozen=True, eq=False)
class Decoder:
    """Ridge regression from latents to behaviour.

    Parameters
    ----------
    reads : Map
    weights : ndarray, shape (n_axes, k)
    offset : ndarray, shape (k,)
    """

    reads: Map
    weights: Floats
    offset: Floats

    def predict(self, fragment: Fragment) -> Floats:
        """Behaviour of every bin, shape (n_bins, k)."""
        return np.asarray(self.reads.transform(fragment) @ self.weights + self.offset, float)


def ridge(
    x: Floats, y: Floats, weight: Floats | None = None, penalty: float = PENALTY
) -> tuple[Floats, Floats]:
    """Weights and offset of a ridge regression, rows weighted.

    Parameters
    ----------
    x : ndarray, shape (n, n_axes)
    y : ndarray, shape (n, k)
    weight : ndarray, shape (n,), optional
    penalty : float
    """
    w = np.ones(len(x)) if weight is None else weight
    mean_x, mean_y = (np.average(v, axis=0, weights=w) for v in (x, y))
    left = (x - mean_x) * w[:, None]
    inner = left.T @ (x - mean_x) + penalty * np.eye(x.shape[1])
    weights = np.asarray(np.linalg.solve(inner, left.T @ (y - mean_y)), float)
    return weights, np.asarray(mean_y - mean_x @ weights, float)


def fitted(reads: Map, fragment: Fragment, name: str, penalty: float = PENALTY) -> Decoder:
    """Decoder of a fragment's behaviour from the latents of a map; bins without it are left out."""
    y = behaviour(fragment, name)
    known = np.isfinite(y).all(axis=1)
    if not np.ptp(y[known], axis=0).any():
        raise BadArgumentError(
            f"{name!r} that varies in {fragment.name!r}",
            "the same value everywhere",
            "A decoder cannot learn from constant behaviour: choose another stretch.",
        )
    weights, offset = ridge(reads.transform(fragment)[known], y[known], penalty=penalty)
    return Decoder(reads, weights, offset)


def taught(
    reference: Fragment,
    other: Fragment,
    coupling: Floats,
    steps: int,
    name: str,
    *,
    smooth_s: float = 0.06,
    penalty: float = PENALTY,
) -> Decoder:
    """Decoder of the other day's own, taught by the windows that it was paired with.

    Parameters
    ----------
    reference : Fragment
        With the behaviour.
    other : Fragment
        The calibration part that `coupling` was found on; bins of it whose behaviour is known (not
        NaN) teach by it instead.
    coupling : ndarray, shape (n_windows of other, n_windows of reference)
    steps : int
        Bins of a window that were compared (`n_steps`).
    name : str
        Of the behaviour.
    smooth_s, penalty : float
    """
    n_axes = min(OWN_AXES, int(np.linalg.matrix_rank(other.activity - other.activity.mean(axis=0))))
    reads = own_space(other, n_axes=n_axes, smooth_s=smooth_s)
    x = reads.transform(other)
    there = trajectories(reference, behaviour(reference, name), steps).values
    here = trajectories(other, x, steps).bins
    share = coupling / coupling.sum(axis=1, keepdims=True)
    borrowed = np.einsum("ij,jsk->isk", share, np.nan_to_num(there))
    y = np.full((other.n_bins, borrowed.shape[2]), np.nan)
    y[here[:, ::-1].ravel()] = borrowed[:, ::-1].reshape(-1, borrowed.shape[2])
    if name in other.behaviour:
        own = behaviour(other, name)
        known = np.isfinite(own).all(axis=1)
        y[known] = own[known]
    learnt = np.isfinite(y).all(axis=1)
    weights, offset = ridge(x[learnt], y[learnt], penalty=penalty)
    return Decoder(reads, weights, offset)


def behaviour(fragment: Fragment, name: str) -> Floats:
    """Behaviour of that name, shape (n_bins, k); `BadArgumentError` where there is none."""
    if name not in fragment.behaviour:
        raise BadArgumentError(
            f"a behaviour of {fragment.name!r} among {sorted(fragment.behaviour)}",
            repr(name),
            "Name one of them.",
        )
    return fragment.behaviour[name]


def r2(true: Floats, said: Floats) -> float:
    """Variance explained, mean over columns; bins without truth are left out."""
    known = np.isfinite(true).all(axis=1)
    true, said = true[known], said[known]
    residual = ((true - said) ** 2).sum(axis=0)
    total = ((true - true.mean(axis=0)) ** 2).sum(axis=0)
    return float(np.mean(1 - residual / total))
