"""A population's own latent space, before it is laid over another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nissl.align.fragments import Floats, Fragment, Ints
from nissl.align.latent.gpfa import learnt, roots
from nissl.align.latent.maps import Map
from nissl.align.latent.smoothing import smoothed
from nissl.errors import BadArgumentError

RARE_HZ = 0.2
"""Units that fire less than this carry noise alone."""


def principal(x: Floats, n_axes: int) -> Floats:
    """Axes of the largest variance of centred activity, shape (n_units, n_axes)."""
    return np.asarray(np.linalg.svd(x, full_matrices=False)[2][:n_axes].T, float)


def factor_model(x: Floats, n_axes: int) -> tuple[Floats, Floats]:
    """Loadings and own variances of factor analysis, shapes (n_units, n_axes) and (n_units,).

    Noise of its own for each unit, by expectation and maximisation (Rubin and Thayer 1982,
    Psychometrika 47:69-76).
    """
    covariance = x.T @ x / len(x)
    own = np.maximum(np.diag(covariance).copy(), 1e-9)
    loading = principal(x, n_axes) * np.sqrt(own.mean() / n_axes)
    for _ in range(200):
        scaled = loading / own[:, None]
        inner = np.linalg.inv(np.eye(n_axes) + loading.T @ scaled)
        beta = inner @ scaled.T
        cross = covariance @ beta.T
        second = inner + beta @ cross
        new = np.linalg.solve(second.T, cross.T).T
        own = np.maximum(np.diag(covariance) - (new * cross).sum(axis=1), 1e-6)
        done = np.abs(new - loading).max() < 1e-5
        loading = new
        if done:
            break
    return loading, own


def factors(x: Floats, n_axes: int) -> Floats:
    """Weights that give the posterior mean of factors, shape (n_units, n_axes).

    Axes are turned to be orthogonal in the variance that they explain, largest first.
    """
    loading, own = factor_model(x, n_axes)
    scaled = loading / own[:, None]
    beta = np.linalg.solve(np.eye(n_axes) + loading.T @ scaled, scaled.T)
    return np.asarray((_axes(loading).T @ loading @ beta).T, float)


def _axes(loading: Floats) -> Floats:
    """Orthonormal axes of the space that loadings span."""
    return np.asarray(np.linalg.svd(loading, full_matrices=False)[0], float)


STATIC: Mapping[str, Callable[[Floats, int], Floats]] = {"pca": principal, "fa": factors}
SPACES = (*STATIC, "gpfa")


def own_space(
    fragment: Fragment, *, n_axes: int = 10, smooth_s: float = 0.06, space: str = "pca"
) -> Map:
    """Map of a fragment into its own latents, on a scale of 1.

    Parameters
    ----------
    fragment : Fragment
        The calibration part; nothing else is looked at.
    n_axes : int
    smooth_s : float
        Of "gpfa" only where the model begins: it learns its own timescales.
    space : {"pca", "fa", "gpfa"}

    Raises
    ------
    BadArgumentError
        Of an unknown space, or of fewer axes that vary than asked for.
    """
    if space not in SPACES:
        raise BadArgumentError(f"a space among {list(SPACES)}", repr(space), "Choose one.")
    x = smoothed(fragment, smooth_s)
    heard = np.abs(fragment.activity).mean(axis=0) / fragment.bin_s >= RARE_HZ
    if (fragment.activity < 0).any() or not heard.any():
        heard = np.ptp(fragment.activity, axis=0) > 0
    mean = x.mean(axis=0)
    centred = (x - mean)[:, heard]
    rank = int(np.linalg.matrix_rank(centred))
    if rank < n_axes:
        raise BadArgumentError(
            f"{n_axes} axes along which {fragment.name!r} varies",
            f"{rank}, from {int(heard.sum())} units and {fragment.n_bins} bins",
            "Ask for fewer axes, take more units, or a longer calibration part.",
        )
    if space == "gpfa":
        return _smooth_space(fragment, centred, np.flatnonzero(heard), n_axes)
    weights = np.zeros((fragment.n_units, n_axes))
    weights[heard] = STATIC[space](centred, n_axes)
    size = np.sqrt((((x - mean) @ weights) ** 2).sum(axis=1).mean())
    return Map(mean, weights / size, smooth_s)


def _smooth_space(fragment: Fragment, start: Floats, heard: Ints, n_axes: int) -> Map:
    """Axes of the activity that a process of the units that are heard speaks of."""
    x = roots(fragment)
    found, _ = learnt(x[:, heard], fragment.windows, *factor_model(start, n_axes))
    process = found.of_units(np.arange(len(heard)), heard, fragment.n_units)
    weights = _axes(process.loading)
    said = process.denoised(x, fragment.windows)
    mean = said.mean(axis=0)
    size = np.sqrt((((said - mean) @ weights) ** 2).sum(axis=1).mean())
    return Map(mean, weights / size, 0.0, process)
