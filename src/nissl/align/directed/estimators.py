"""Conditional mutual information of rows, Gaussian or from nearest neighbours.

Values are in nats. Each estimate keeps what every row adds to it: differences of estimates are
tested on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Information that x and y share beyond z.

    Parameters
    ----------
    value : float
        Nats; the mean of `local`.
    local : ndarray, shape (n_rows,), float64
    """

    value: float
    local: Values


class Estimator(Protocol):
    """Conditional mutual information I(x; y | z) of rows."""

    def __call__(self, x: Values, y: Values, z: Values) -> Estimate:
        """Estimate it from arrays of shape (n_rows, n_columns); z may have no columns."""
        ...


def gaussian(x: Values, y: Values, z: Values) -> Estimate:
    """Conditional mutual information of Gaussian variables.

    Parameters
    ----------
    x, y, z : ndarray, shape (n_rows, n_columns), float64

    Notes
    -----
    Of one-dimensional y and pasts x and z, half of Granger's log ratio of variances
    (Barnett, Barrett and Seth 2009, Phys. Rev. Lett. 103:238701).
    """
    reduced, full = residuals(y, z), residuals(y, np.column_stack([z, x]))
    ratio = _log_density(full) - _log_density(reduced)
    return Estimate(float(ratio.mean()), ratio)


def residuals(y: Values, z: Values) -> Values:
    """What a linear regression on z and a constant leaves of y."""
    design = np.column_stack([np.ones(len(y)), z])
    if design.shape[1] + y.shape[1] >= len(y):
        raise BadArgumentError(
            "more rows than columns",
            f"{len(y)} rows and {design.shape[1]} regressors",
            "Give longer recordings, shorter pasts, or fewer series to condition on.",
        )
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    return np.asarray(y - design @ coefficients)


def _log_density(residual: Values) -> Values:
    n, d = residual.shape
    covariance = residual.T @ residual / n
    covariance[np.diag_indices(d)] += 1e-12  # what is predicted exactly has no density
    _, log_det = np.linalg.slogdet(covariance)
    solved = np.linalg.solve(covariance, residual.T).T
    return np.asarray(-0.5 * (log_det + (residual * solved).sum(axis=1) + d * np.log(2 * np.pi)))


@dataclass(frozen=True)
class NearestNeighbours:
    """Conditional mutual information from distances to nearest neighbours.

    Parameters
    ----------
    k : int
        Neighbours in the joint space.
    theiler : int
        Rows of one trial at most so many samples apart are no neighbours.
    trial, sample : ndarray, shape (n_rows,), int64, optional
        Needed with `theiler`; consecutive samples of one trial where None.

    Notes
    -----
    Algorithm 1 of Kraskov, Stögbauer and Grassberger in its conditional form: maximum norm, and
    neighbours in the marginal spaces counted strictly nearer than the k-th of the joint one. May
    be below zero by chance.

    References
    ----------
    Kraskov, Stögbauer and Grassberger 2004, Phys. Rev. E 69:066138; Frenzel and Pompe 2007,
    Phys. Rev. Lett. 99:204101; Theiler 1986, Phys. Rev. A 34:2427.
    """

    k: int = 4
    theiler: int = 0
    trial: Indices | None = None
    sample: Indices | None = None

    def __call__(self, x: Values, y: Values, z: Values) -> Estimate:
        """Estimate I(x; y | z) from arrays of shape (n_rows, n_columns)."""
        from scipy.special import digamma

        n = len(x)
        if n < 2 * self.k + 2 * self.theiler + 2:
            raise BadArgumentError(
                f"at least {2 * self.k + 2 * self.theiler + 2} rows",
                f"{n}",
                "Give longer recordings or fewer neighbours.",
            )
        joint = np.column_stack([x, y, z])
        radius = self._radius(joint)
        n_xz = self._count(np.column_stack([x, z]), radius)
        n_yz = self._count(np.column_stack([y, z]), radius)
        if z.shape[1]:
            n_z: Values | float = digamma(self._count(z, radius) + 1.0)
        else:
            n_z = digamma(float(n))
        local = digamma(self.k) + n_z - digamma(n_xz + 1.0) - digamma(n_yz + 1.0)
        return Estimate(float(np.mean(local)), np.asarray(local))

    def _radius(self, points: Values) -> Values:
        """Distance to the k-th neighbour that is not close in time."""
        from scipy.spatial import cKDTree

        n_asked = min(len(points), self.k + 1 + 2 * self.theiler)
        distance, near = cKDTree(points).query(points, k=n_asked, p=np.inf)
        if not self.theiler:
            return np.asarray(distance[:, -1])
        allowed = ~self._close(np.arange(len(points))[:, None], near)
        rank = np.cumsum(allowed, axis=1)
        enough = rank[:, -1] >= self.k
        if not enough.all():
            raise BadArgumentError(
                "enough rows apart in time", "too few", "Give longer trials or a smaller window."
            )
        at = np.argmax(rank >= self.k, axis=1)
        return np.asarray(distance[np.arange(len(points)), at])

    def _close(self, a: Indices, b: Indices) -> npt.NDArray[np.bool_]:
        if self.sample is None or self.trial is None:
            return np.asarray(np.abs(a - b) <= self.theiler)
        apart = np.abs(self.sample[a] - self.sample[b]) <= self.theiler
        return np.asarray(apart & (self.trial[a] == self.trial[b]))

    def _count(self, points: Values, radius: Values) -> Values:
        """Other points strictly within the radius and not close in time."""
        from scipy.spatial import cKDTree

        if points.shape[1] == 1:
            counts = _strictly_within(points[:, 0], radius)
        else:
            inside = np.maximum(np.nextafter(radius, -np.inf), 0.0)
            found = cKDTree(points).query_ball_point(points, inside, p=np.inf, return_length=True)
            counts = np.asarray(found, dtype=np.float64)
        counts -= 1.0
        rows = np.arange(len(points))
        for offset in range(1, self.theiler + 1):
            a, b = rows[:-offset], rows[offset:]
            near = np.abs(points[a] - points[b]).max(axis=1)
            close = self._close(a, b)
            counts[a] -= close & (near < radius[a])
            counts[b] -= close & (near < radius[b])
        return np.maximum(counts, 0.0)


def _strictly_within(values: Values, radius: Values) -> Values:
    """Count values at a distance below each one's radius, itself included."""
    order = np.sort(values)
    slack = 1e-9 * np.maximum(1.0, np.abs(values))
    low = np.searchsorted(order, values - radius - slack)
    high = np.searchsorted(order, values + radius + slack)
    # the edges are found with rounding; what lies there is compared as the tree compares it
    while True:
        out = (low < high) & (np.abs(order[np.minimum(low, len(order) - 1)] - values) >= radius)
        if not out.any():
            break
        low = low + out
    while True:
        out = (low < high) & (np.abs(order[np.maximum(high - 1, 0)] - values) >= radius)
        if not out.any():
            break
        high = high - out
    return np.asarray(np.maximum(high - low, 1), dtype=np.float64)
