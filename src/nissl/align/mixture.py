"""Near pairs as a mixture: one neuron seen twice, neighbours, and what chance laid together.

What different neurons look like is known (see `nissl.align.cells.matching`); what one neuron looks
like, and how often, is what expectation and maximisation find beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

FLOOR = 1e-12
_ROUNDS = 200
_USUAL = 10.0
"""Pairs that what is known beforehand of one neuron counts for."""
_SPREAD = (0.5, 0.2, 0.15)
"""Usual deviation of the evidence of one neuron (see `nissl.align.cells.Pairs.evidence`), from
simulated days."""


def posterior(
    evidence: Values,
    near: Values,
    chance: Values,
    per_copy: float,
    n_cells: int,
    *,
    alike: Values | None = None,
    first: Values | None = None,
) -> Values:
    """Probability of each pair to be one neuron.

    Parameters
    ----------
    evidence : ndarray, shape (n_pairs, d), float64
    near, chance : ndarray, shape (n, d), float64
        Evidence of pairs that are different neurons: neighbours of one day, and cells that only
        chance laid near each other.
    per_copy : float
        How many pairs chance alone lays near each other.
    n_cells : int
        Of the day with fewer.
    alike : ndarray, shape (n, d), float64, optional
        Evidence of pairs that are one neuron, such as halves of a day; together they count as
        ten pairs do. Without them a usual spread does (of the evidence of
        `nissl.align.cells.matching`).
    first : ndarray, shape (n_pairs,), float64, optional
        First guess of the probabilities.

    Returns
    -------
    ndarray, shape (n_pairs,), float64
    """
    if not len(evidence):
        return np.zeros(0)
    known = _Known(_density(near, evidence), _density(chance, evidence), per_copy, n_cells)
    if first is None:
        close = evidence[:, 0] <= np.quantile(evidence[:, 0], 0.25)
        above = evidence[:, 1] >= np.median(evidence[:, 1])
        first = np.where(close & above, 0.9, 0.1)
    return known.mixed(evidence, first, alike)


@dataclass(frozen=True, eq=False)
class _Known:
    """The parts of the mixture that are different neurons, at the evidence of each pair."""

    beside: Values
    by_luck: Values
    per_copy: float
    n_cells: int

    def other(self, n: int, share: float, matched: float) -> Values:
        """Density of different neurons times their share.

        A cell without a partner may by chance lie near another day's cell without one, but for
        the room that others take, about half of it.
        """
        free = 1 - min(matched / self.n_cells, 1.0)
        luck = min(0.5 * self.per_copy * free**2 / n, 1 - share - 1e-3)
        return luck * self.by_luck + (1 - share - luck) * self.beside

    def mixed(self, evidence: Values, weight: Values, alike: Values | None) -> Values:
        """Probabilities of one neuron, from a first guess."""
        n = len(evidence)
        for _ in range(_ROUNDS):
            share = float(np.clip(weight.mean(), 0.0, 1 - 2e-3))
            if alike is None:
                own = share * _normal(evidence, weight, usual=_USUAL)
            else:
                told = np.full(len(alike), _USUAL / len(alike))
                both = np.concatenate([evidence, alike]), np.concatenate([weight, told])
                own = share * _normal(*both)[:n]
            whole = own + self.other(n, share, float(weight.sum()))
            now = own / np.maximum(whole, FLOOR)
            if np.abs(now - weight).max() < 1e-5:
                break
            weight = now
        return weight


def _normal(evidence: Values, weight: Values, *, usual: float = 0.0) -> Values:
    """Density of a normal fitted with weights, with a little of a wide one for what is odd.

    `usual` is how many pairs the usual spread of one neuron's evidence counts for, lest few
    pairs make a spread of nearly nothing.
    """
    total = max(float(weight.sum()), FLOOR)
    mean = weight @ evidence / total
    apart = evidence - mean
    spread = (apart * weight[:, None]).T @ apart
    if usual:
        spread += usual * np.diag(np.square(_SPREAD))
    spread = spread / (total + usual) + 1e-3 * np.eye(evidence.shape[1])
    out = np.zeros(len(evidence))
    for part, wide in ((0.95, 1.0), (0.05, 9.0)):
        inverse, (_, log_det) = np.linalg.inv(spread * wide), np.linalg.slogdet(spread * wide)
        far = np.einsum("ij,jk,ik->i", apart, inverse, apart)
        out += part * np.exp(-0.5 * (far + log_det + evidence.shape[1] * np.log(2 * np.pi)))
    return out


def _density(known: Values, at: Values) -> Values:
    """Kernel density of known pairs, with a little of a wide normal where they have none."""
    if len(known) < 2 * known.shape[1]:
        return np.full(len(at), 1.0)
    wide = _normal(
        np.concatenate([known, at]), np.concatenate([np.ones(len(known)), np.zeros(len(at))])
    )
    wide = wide[len(known) :]
    scale = known.std(axis=0) + 1e-6
    width = len(known) ** (-1 / (known.shape[1] + 4)) * scale  # Scott's rule
    out = np.zeros(len(at))
    for start in range(0, len(at), 500):
        z = (at[start : start + 500, None] - known[None]) / width
        out[start : start + 500] = np.exp(-0.5 * (z**2).sum(axis=2)).mean(axis=1)
    out /= np.prod(width) * (2 * np.pi) ** (known.shape[1] / 2)
    return 0.95 * out + 0.05 * wide


def told_more(p: Values, log_ratio: Values) -> Values:
    """Probabilities after further evidence."""
    return np.asarray(1 / (1 + (1 - p) / np.maximum(p, FLOOR) * np.exp(-log_ratio)))


__all__ = ["FLOOR", "posterior", "told_more"]
