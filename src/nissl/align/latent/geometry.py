"""Are two populations' geometries alike? Distances that no rotation changes, each with its null.

All compare rows that belong together (conditions, or steps of conditions), however many units each
population has. A likeness alone says little: few conditions, smooth time and few axes make any two
populations alike. So each comes with what re-paired conditions give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nissl.align.fragments import Floats
from nissl.align.latent.procrustes import likeness
from nissl.errors import BadArgumentError


@dataclass(frozen=True)
class Likeness:
    """A likeness of two geometries beside its null.

    Parameters
    ----------
    value : float
        1 is the same geometry.
    null_mean, null_high : float
        Mean and 95th percentile where conditions are paired at random.
    p : float
        Share of the null at or above, the value itself counted (Phipson and Smyth 2010).
    """

    value: float
    null_mean: float
    null_high: float
    p: float


def cka(a: Floats, b: Floats) -> float:
    """Centred kernel alignment of linear kernels, 0 to 1 (Kornblith et al. 2019, ICML 97:3519).

    Parameters
    ----------
    a, b : ndarray, shape (n, n_units of each)
    """
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    cross = np.linalg.norm(a.T @ b) ** 2
    size = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(cross / size) if size else 0.0


def shape(a: Floats, b: Floats) -> float:
    """Cosine of the generalised shape metric, 0 to 1 (Williams et al. 2021, NeurIPS 34).

    Its arc cosine is a distance that keeps the triangle inequality.
    """
    width = max(a.shape[1], b.shape[1])
    return likeness(*(np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in (b, a)))


def dissimilarities(x: Floats) -> Floats:
    """Upper triangle of the correlation distances between rows (RSA; Kriegeskorte et al. 2008)."""
    x = x - x.mean(axis=0)
    alike = np.atleast_2d(np.corrcoef(x))
    return np.asarray(1 - alike[np.triu_indices(len(x), 1)], float)


def rsa(a: Floats, b: Floats) -> float:
    """Rank correlation of two populations' dissimilarities of rows, -1 to 1."""
    from scipy.stats import rankdata

    ranks = [rankdata(dissimilarities(x)) for x in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def principal_angles(a: Floats, b: Floats) -> Floats:
    """Angles between two spaces of the same units, radians, smallest first.

    Parameters
    ----------
    a, b : ndarray, shape (n_units, n_axes)
        Spanning vectors (Bjorck and Golub 1973, Math. Comput. 27:579-594).
    """
    qa, qb = (np.linalg.qr(x)[0] for x in (a, b))
    cosines = np.linalg.svd(qa.T @ qb, compute_uv=False)
    return np.asarray(np.arccos(np.clip(cosines, -1, 1)), float)


LIKENESSES: Mapping[str, Callable[[Floats, Floats], float]] = {
    "cka": cka,
    "shape": shape,
    "rsa": rsa,
}


def compared(
    a: Floats, b: Floats, how: str, rng: np.random.Generator, n_null: int = 199
) -> Likeness:
    """A likeness beside its null: conditions of `b` in another order.

    Parameters
    ----------
    a, b : ndarray, shape (n_conditions, n_steps, n_units or axes)
    how : {"cka", "shape", "rsa"}
    rng : numpy.random.Generator
    n_null : int
    """
    if how not in LIKENESSES:
        raise BadArgumentError(f"a likeness among {list(LIKENESSES)}", repr(how), "Choose one.")
    if len(a) != len(b) or len(a) < 4:
        raise BadArgumentError(
            "four or more conditions that both have",
            f"{len(a)} and {len(b)}",
            "With fewer, their order tells nothing.",
        )
    measure = LIKENESSES[how]
    flat = a.reshape(-1, a.shape[-1])
    value = measure(flat, b.reshape(-1, b.shape[-1]))
    null = np.array(
        [measure(flat, b[rng.permutation(len(b))].reshape(-1, b.shape[-1])) for _ in range(n_null)]
    )
    p = (1 + int((null >= value - 1e-12).sum())) / (1 + n_null)
    return Likeness(value, float(null.mean()), float(np.quantile(null, 0.95)), p)


def noise_ceiling(halves: tuple[Floats, Floats], how: str) -> float:
    """Likeness of two halves of one population's windows: what another population could reach.

    Parameters
    ----------
    halves : tuple of ndarray, shape (n_rows, n_units)
    how : {"cka", "shape", "rsa"}
    """
    return LIKENESSES[how](halves[0], halves[1])
