"""Continuous decoding: velocity from spike counts by ridge, Wiener filter and trees.

All take counts (n_bins, n_units) and a target (n_bins, n_dims) of bins side by side, and answer
for each bin from bins up to it, so that they work live. Lagged linear regression is the Wiener
filter of the field (Glaser et al. 2020, Machine learning for neural decoding, eNeuro 7(4),
section "Wiener filter").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError, MissingInputError

Array = npt.NDArray[np.float64]
Stretches = Sequence[tuple[int, int]]
PENALTIES = tuple(float(v) for v in np.geomspace(1e-3, 1e4, 15))


class Predictor(Protocol):
    """A regression that has been fitted."""

    def predict(self, counts: Array) -> Array:
        """Target of each bin of one stretch, (n_bins, n_dims); NaN where history is lacking."""


class Regression(Protocol):
    """A regression before it has seen data."""

    def fit(
        self, counts: Array, target: Array, stretches: Stretches, *, rng: np.random.Generator
    ) -> Predictor:
        """Learn from stretches [start, stop) of bins; no history crosses from one to another."""


def checked(counts: Array, target: Array) -> tuple[Array, Array]:
    """Both as float64 with as many bins.

    Raises
    ------
    BadArgumentError
        Shapes that do not fit, or numbers that are not finite.
    """
    x, y = np.asarray(counts, np.float64), np.asarray(target, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not len(x):
        raise BadArgumentError(
            "counts (n_bins, n_units) and a target (n_bins, n_dims)",
            f"{x.shape} and {y.shape}",
            "Bin both on the same clock.",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise BadArgumentError(
            "finite counts and targets", "NaN or infinity", "Cut such bins out into stretches."
        )
    return x, y


def lagged(counts: Array, n_lags: int) -> Array:
    """Each bin with the `n_lags` - 1 before it, (n_bins, n_lags * n_units); NaN without them."""
    n, d = counts.shape
    out = np.full((n, n_lags, d), np.nan)
    for k in range(min(n_lags, n)):
        out[k:, k] = counts[: n - k]
    return out.reshape(n, n_lags * d)


@dataclass(frozen=True)
class Lagged:
    """Ridge regression on the current bin (1 lag) or on several: the Wiener filter.

    Parameters
    ----------
    n_lags : int
    penalties : tuple of float
        Candidates; the one that predicts the last third of the training bins best is taken.
    """

    n_lags: int = 1
    penalties: tuple[float, ...] = PENALTIES

    def fit(
        self, counts: Array, target: Array, stretches: Stretches, *, rng: np.random.Generator
    ) -> FittedLinear:
        """Learn weights."""
        del rng  # nothing in it is random
        x, y = examples(counts, target, stretches, self.n_lags)
        if len(x) < 10:
            raise MissingInputError(
                "at least 10 bins to learn from", str(len(x)), "Use longer stretches."
            )
        cut = 2 * len(x) // 3
        errors = [
            float(np.sum((y[cut:] - w.of(x[cut:])) ** 2))
            for w in ridges(x[:cut], y[:cut], self.penalties)
        ]
        best = self.penalties[int(np.argmin(errors))]
        return FittedLinear(self.n_lags, ridges(x, y, (best,))[0])


@dataclass(frozen=True)
class Weights:
    """A linear map: ``(x - middle) / scale @ weights + offset``."""

    middle: Array
    scale: Array
    weights: Array
    offset: Array

    def of(self, x: Array) -> Array:
        """Apply it, (n, n_dims)."""
        return np.asarray((x - self.middle) / self.scale @ self.weights + self.offset)


def ridges(x: Array, y: Array, penalties: Sequence[float]) -> list[Weights]:
    """Ridge regression on standardised columns for each penalty."""
    middle, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z, offset = (x - middle) / scale, y.mean(axis=0)
    values, vectors = np.linalg.eigh(z.T @ z)
    seen = vectors.T @ (z.T @ (y - offset))
    out = []
    for penalty in penalties:
        inverse = 1 / (np.maximum(values, 0) + penalty)
        out.append(Weights(middle, scale, vectors @ (inverse[:, None] * seen), offset))
    return out


@dataclass(frozen=True)
class FittedLinear:
    """What `Lagged.fit` returns."""

    n_lags: int
    weights: Weights

    def predict(self, counts: Array) -> Array:
        """Target of each bin; NaN in the first `n_lags` - 1."""
        return self.weights.of(lagged(np.asarray(counts, np.float64), self.n_lags))


@dataclass(frozen=True)
class Trees:
    """Boosted trees (LightGBM) on lagged counts, one ensemble per dimension.

    Parameters
    ----------
    n_lags : int
    n_trees : int
    step : float
    """

    n_lags: int = 5
    n_trees: int = 200
    step: float = 0.05

    def fit(
        self, counts: Array, target: Array, stretches: Stretches, *, rng: np.random.Generator
    ) -> FittedTrees:
        """Grow trees."""
        from lightgbm import LGBMRegressor

        x, y = examples(counts, target, stretches, self.n_lags)
        seed = int(rng.integers(2**31 - 1))
        settings: dict[str, Any] = {
            "n_estimators": self.n_trees,
            "learning_rate": self.step,
            "num_leaves": 15,
            "colsample_bytree": 0.2,
            "subsample": 0.7,
            "subsample_freq": 1,
            "min_child_samples": 20,
            "random_state": seed,
            "n_jobs": 1,
            "verbose": -1,
            "deterministic": True,
        }
        models = tuple(LGBMRegressor(**settings).fit(x, y[:, k]) for k in range(y.shape[1]))
        return FittedTrees(self.n_lags, models)


@dataclass(frozen=True)
class FittedTrees:
    """What `Trees.fit` returns."""

    n_lags: int
    models: tuple[Any, ...]

    def predict(self, counts: Array) -> Array:
        """Target of each bin; NaN in the first `n_lags` - 1."""
        x = lagged(np.asarray(counts, np.float64), self.n_lags)
        out = np.full((len(x), len(self.models)), np.nan)
        known = np.isfinite(x).all(axis=1)
        if known.any():
            out[known] = np.stack([m.booster_.predict(x[known]) for m in self.models], axis=1)
        return out


def examples(
    counts: Array, target: Array, stretches: Stretches, n_lags: int
) -> tuple[Array, Array]:
    """Lagged counts and targets of all bins that have their whole history in a stretch."""
    counts, target = checked(counts, target)
    parts = [
        (lagged(counts[a:b], n_lags)[n_lags - 1 :], target[a:b][n_lags - 1 :]) for a, b in stretches
    ]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def parted(stretches: Stretches) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The first two thirds of the bins, and the rest."""
    left = 2 * sum(b - a for a, b in stretches) // 3
    early, late = [], []
    for a, b in stretches:
        cut = min(b, a + max(left, 0))
        if cut > a:
            early.append((a, cut))
        if cut < b:
            late.append((cut, b))
        left -= cut - a
    return early, late


def blocks(
    n_bins: int, n_folds: int, gap: int
) -> list[tuple[list[tuple[int, int]], tuple[int, int]]]:
    """Contiguous blocks to test on, and the stretches to train on, `gap` bins away.

    Parameters
    ----------
    n_bins, n_folds : int
    gap : int
        Bins to either side of the block that nobody sees.

    Returns
    -------
    list of (list of (int, int), (int, int))
        Training stretches and test block of each fold.
    """
    edges = np.linspace(0, n_bins, n_folds + 1).astype(int).tolist()
    if n_folds < 2 or n_bins < 2 * n_folds * (gap + 1):
        raise BadArgumentError(
            "at least two blocks that are longer than the gap",
            f"{n_bins} bins in {n_folds} blocks, a gap of {gap}",
            "Use fewer blocks, or a smaller gap.",
        )
    out = []
    for a, b in pairwise(edges):
        sides = [(0, a - gap), (b + gap, n_bins)]
        out.append(([s for s in sides if s[1] > s[0]], (a, b)))
    return out


def r_squared(target: Array, predicted: Array) -> Array:
    """Share of each dimension's variance that is explained, (n_dims,); bins of NaN are left out."""
    known = np.isfinite(predicted).all(axis=1)
    y, p = target[known], predicted[known]
    rest, whole = np.sum((y - p) ** 2, axis=0), np.sum((y - y.mean(axis=0)) ** 2, axis=0)
    return np.asarray(1 - rest / whole)
