"""Where a neuron may be, or what colour it may have, in an animal that was not seen yet.

Each neuron has a Gaussian of unknown mean and covariance with a conjugate prior, so a new animal
follows a multivariate Student t (Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., section
3.6). The prior of the covariance is what all neurons have in common; means and covariances of
neurons of one kind may be tied, for a handful of animals says little of one neuron. How strong
prior and tie are is chosen by naming animals that were left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STRENGTHS = (4.0, 16.0, 64.0)
"""Animals that the common covariance counts as."""
TIES = (0.0, 4.0, 16.0)
"""Animals that the mean of a neuron's kind counts as, at most."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """Student t of each neuron.

    Parameters
    ----------
    centre : ndarray, shape (n_names, n_axes)
    scale : ndarray, shape (n_names, n_axes, n_axes)
        Matrix of the t, in squared units.
    freedom : ndarray, shape (n_names,)
        Degrees of freedom.
    """

    centre: Floats
    scale: Floats
    freedom: Floats

    @cached_property
    def root_precision(self) -> Floats:
        """Matrices R with R' R = inverse scale, shape (n_names, n_axes, n_axes)."""
        return np.asarray(np.linalg.inv(np.linalg.cholesky(self.scale)))

    def widened(self, factor: float) -> Scatter:
        """The same with distances that count `factor` times less."""
        return replace(self, scale=self.scale * factor**2)

    def distances(self, points: Floats) -> Floats:
        """Squared distances in units of scatter, shape (n_points, n_names)."""
        root, (m, d) = self.root_precision, self.centre.shape
        own = np.einsum("jab,jb->ja", root, self.centre)
        there = (points @ root.reshape(m * d, d).T).reshape(-1, m, d)
        off = there - own
        return np.asarray(np.einsum("ija,ija->ij", off, off))

    @cached_property
    def _constant(self) -> Floats:
        from scipy.special import gammaln

        d, df = self.centre.shape[1], self.freedom
        log_det = np.linalg.slogdet(self.scale)[1]
        constant = gammaln((df + d) / 2) - gammaln(df / 2) - d / 2 * np.log(df * np.pi)
        return np.asarray(constant - log_det / 2)

    def log_density(self, points: Floats) -> Floats:
        """Log-density of each point under each neuron, shape (n_points, n_names)."""
        return self.density_at(self.distances(points))

    def density_at(self, distances: Floats) -> Floats:
        """Log-density at squared distances as `distances` gives them."""
        d, df = self.centre.shape[1], self.freedom
        return np.asarray(self._constant - (df + d) / 2 * np.log1p(distances / df))


def fitted(values: Floats, kinds: Sequence[str], strength: float, tie: float) -> Scatter:
    """Scatter of neurons over animals.

    Parameters
    ----------
    values : ndarray, shape (n_animals, n_names, n_axes)
        NaN where a neuron was not seen; each was seen somewhere.
    kinds : sequence of str
        Kind of each neuron; covariances are common to a kind.
    strength : float
        Animals that the covariance common to all neurons counts as.
    tie : float
        Animals that the other neurons of a kind count as, for the mean; 0 lets each be alone.
    """
    seen = np.isfinite(values[..., 0])
    n = seen.sum(axis=0).astype(float)
    mean = np.where(seen[..., None], values, 0.0).sum(axis=0) / np.maximum(n, 1)[:, None]
    off = np.where(seen[..., None], values - mean, 0.0)
    squares = np.einsum("wja,wjb->jab", off, off)
    free = np.maximum(n - 1, 0)
    code = np.unique(np.asarray(kinds), return_inverse=True)[1]
    common = _common(values, squares, free)
    of_kind = np.zeros((code.max() + 1, *common.shape))
    np.add.at(of_kind, code, squares)
    kind_free = np.bincount(code, free)
    centre, counted = _tied(mean, n, code, tie)
    freedom = np.asarray(kind_free[code] + strength, np.float64)
    scale = (of_kind[code] + strength * common) / freedom[:, None, None]
    return Scatter(centre, scale * (1 + 1 / np.maximum(counted, 1))[:, None, None], freedom)


def _common(values: Floats, squares: Floats, free: Floats) -> Floats:
    """Covariance that all neurons have in common; a guess where one animal is all there is."""
    if free.sum() > 0:
        pooled = squares.sum(axis=0) / free.sum()
    else:
        flat = values.reshape(-1, values.shape[2])
        pooled = np.cov(flat[np.isfinite(flat[:, 0])], rowvar=False) * 0.01
    ridge = 1e-6 * np.trace(pooled) / len(pooled) + 1e-12
    return np.asarray(pooled + ridge * np.eye(len(pooled)))


def _tied(mean: Floats, n: Floats, code: npt.NDArray[np.intp], tie: float) -> tuple[Floats, Floats]:
    """Means drawn to those of the others of their kind, and animals that each counts as."""
    if tie == 0:
        return mean, n
    total = np.zeros((code.max() + 1, mean.shape[1]))
    np.add.at(total, code, mean * n[:, None])
    others = np.bincount(code, n)[code] - n
    theirs = (total[code] - mean * n[:, None]) / np.maximum(others, 1)[:, None]
    pull = np.where(others > 0, tie * others / (others + tie), 0.0)
    counted = n + pull
    centre = (mean * n[:, None] + theirs * pull[:, None]) / np.maximum(counted, 1e-9)[:, None]
    return centre, counted


def chosen(
    values: Floats, kinds: Sequence[str], ties: Sequence[float] = (0.0,)
) -> tuple[float, float]:
    """Strength and tie under which animals that were left out get the most names right.

    Each animal that is left out is named where it lies in the common frame, one name for one
    neuron. How many names are right is what matters, and is not what the density says: it is
    greatest for scatter of each neuron's own, names are right more often with a common one.

    Parameters
    ----------
    values : ndarray, shape (n_animals, n_names, n_axes)
        In a common frame; NaN where not seen.
    kinds : sequence of str
    ties : sequence of float
        To choose among.

    Returns
    -------
    tuple of float
        The middle of what there is where too few animals are there to leave one out.
    """
    if len(values) < 3:
        return STRENGTHS[len(STRENGTHS) // 2], ties[len(ties) // 2]
    scores = {
        (strength, tie): _left_out(values, kinds, strength, tie)
        for strength in STRENGTHS
        for tie in ties
    }
    return max(scores, key=scores.__getitem__)


def _left_out(values: Floats, kinds: Sequence[str], strength: float, tie: float) -> int:
    from scipy.optimize import linear_sum_assignment

    right, known = 0, np.asarray(kinds)
    for own in range(len(values)):
        rest = np.delete(values, own, axis=0)
        seen = np.isfinite(rest[..., 0])
        there = seen.any(axis=0)
        presence = (seen[:, there].sum(axis=0) + 0.5) / (len(rest) + 1)
        truth = np.flatnonzero(np.isfinite(values[own, there, 0]))
        scatter = fitted(rest[:, there], known[there].tolist(), strength, tie)
        density = scatter.log_density(values[own, there][truth])
        rows, columns = linear_sum_assignment(-density - np.log(presence))
        right += int(np.sum(columns == truth[rows]))
    return right
