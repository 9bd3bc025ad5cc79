"""Simulated curation: items of three classes in clusters, readers who err, a new animal to test on.

What the learned policy is trained on, and what `SHARPNESS` was chosen on. The number of classes
and the range of sizes are like those of a sorting; nothing else is taken from real recordings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from _active_work import Items, standardised

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def simulated(
    rng: np.random.Generator, n_pool: int = 400, n_test: int = 300
) -> tuple[Items, Items]:
    """Draw a pool and a test set from another animal of the same simulated world.

    Classes are mixtures of one to three Gaussian clusters with long tails in a space of 3 to 6
    dimensions, mapped to 8 to 24 metrics (linear, some squashed, some noise alone); class shares,
    overlap, missing values and the animal's shift are drawn anew for each world.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_pool, n_test : int

    Returns
    -------
    tuple of Items
    """
    k, latent, d = 3, int(rng.integers(3, 7)), int(rng.integers(8, 25))
    shares = rng.dirichlet(np.full(k, 3.0))
    shares = 0.9 * shares + 0.1 / k
    centres = [rng.standard_normal((int(rng.integers(1, 4)), latent)) for _ in range(k)]
    spread = rng.uniform(0.3, 0.8)
    mixing = rng.standard_normal((latent, d)) * (rng.random(d) < 0.8)
    noise = rng.uniform(0.1, 0.6, d)
    squashed = rng.random(d) < 0.4
    missing = rng.uniform(0, 0.2, d) * (rng.random(d) < 0.3)
    shift = rng.uniform(0, 0.4) * rng.standard_normal((2, latent))
    groups = []
    for size, offset in ((n_pool, shift[0]), (n_test, shift[1])):
        truth = rng.choice(k, size, p=shares)
        z = np.stack([centres[c][rng.integers(len(centres[c]))] for c in truth])
        z = z + offset + spread * rng.standard_t(5, (size, latent))
        raw = z @ mixing + noise * rng.standard_normal((size, d))
        raw[:, squashed] = np.tanh(raw[:, squashed])
        raw[rng.random(raw.shape) < missing] = np.nan
        groups.append((raw, truth.astype(np.int64)))
    everything = standardised(np.concatenate([g[0] for g in groups]))
    pool, test = groups
    return (
        Items(pool[0], everything[:n_pool], pool[1]),
        Items(test[0], everything[n_pool:], test[1]),
    )


@dataclass(frozen=True)
class Ridge:
    """An ensemble of ridge regressions on random features: quick enough to train a policy on."""

    centre: Floats
    directions: Floats
    phases: Floats
    weights: Floats
    oof: Floats

    def votes(self, x: Floats) -> Floats:
        """Probabilities by each member, shape (m, n, k)."""
        return _simplex(self._map(x) @ self.weights)

    def out_of_fold(self) -> Floats:
        """Probabilities of the items it was fitted to, by members without them."""
        return self.oof

    def _map(self, x: Floats) -> Floats:
        return _random_features(x, self.directions, self.phases)


def ridge(x: Floats, y: Ints, k: int, seed: int, members: int = 6, size: int = 96) -> Ridge:
    """Fit the ensemble: each member on a bootstrap sample, classes weighted to balance."""
    rng = np.random.default_rng(seed)
    d = x.shape[1]
    directions = rng.standard_normal((d, size)) / np.sqrt(d) * 1.5
    phases = rng.uniform(0, 2 * np.pi, size)
    mapped = _random_features(x, directions, phases)
    counts = np.bincount(y, minlength=k)
    balance = (len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[y]
    target = np.eye(k)[y]
    weights = np.empty((members, mapped.shape[1], k))
    total, seen = np.full((len(x), k), 1e-6), np.zeros(len(x))
    for member in range(members):
        drawn = np.bincount(rng.integers(0, len(y), len(y)), minlength=len(y))
        w = (drawn * balance)[:, None]
        gram = mapped.T @ (w * mapped) + 1.0 * np.eye(mapped.shape[1])
        weights[member] = np.linalg.solve(gram, mapped.T @ (w * target))
        out = drawn == 0
        total[out] += _simplex(mapped[out] @ weights[member])
        seen += out
    return Ridge(np.zeros(d), directions, phases, weights, total / total.sum(1, keepdims=True))


def _random_features(x: Floats, directions: Floats, phases: Floats) -> Floats:
    """Cosines of random projections (Rahimi and Recht 2007), the metrics and a constant."""
    waves = np.sqrt(2 / len(phases)) * np.cos(x @ directions + phases) * 3
    return np.concatenate([waves, x / np.sqrt(x.shape[1]), np.ones((len(x), 1))], axis=1)


def _simplex(scores: Any) -> Floats:
    p = np.clip(scores, 0.01, None)
    return np.asarray(p / p.sum(-1, keepdims=True))
