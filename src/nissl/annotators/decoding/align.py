"""Adaptation to a new subject, device or day without labels: recentring of covariances.

Every group of trials is multiplied by the inverse square root of its own mean covariance, so
that the mean of each group is the identity (He and Wu 2020, Transfer learning for brain-computer
interfaces: a Euclidean space data alignment approach, IEEE Trans. Biomed. Eng. 67, 399-410). It
works on the trials themselves, so every decoder can use it. No label enters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nissl.annotators.decoding.estimator import Trials
from nissl.errors import BadArgumentError

_RIDGE = 1e-6


def whitener(x: Trials) -> npt.NDArray[np.float64]:
    """Inverse square root of the mean covariance of trials, (n_channels, n_channels)."""
    if not len(x):
        raise BadArgumentError("at least one trial", "none", "Recentre on trials of the subject.")
    spread = np.einsum("nct,ndt->cd", x, x) / (len(x) * x.shape[2])
    values, vectors = np.linalg.eigh(spread)
    floor = max(_RIDGE * values.max(), np.finfo(float).tiny)
    return np.asarray((vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T)


def recentred(x: Trials, groups: Sequence[str] | npt.NDArray[np.str_]) -> Trials:
    """Trials with the mean covariance of each group made the identity; same shape.

    Parameters
    ----------
    x : ndarray, shape (n_trials, n_channels, n_samples)
    groups : sequence of str, length n_trials
        Subject, session or device of each trial.
    """
    names = np.asarray(groups)
    if names.shape != (len(x),):
        raise BadArgumentError(
            f"a group for each of {len(x)} trials", f"{names.shape}", "Name the subject of each."
        )
    out = np.empty_like(x)
    for name in np.unique(names):
        own = names == name
        out[own] = np.einsum("cd,ndt->nct", whitener(x[own]), x[own])
    return out
