"""Registration: which point of one volume is which of another, after tissue bent and squeezed.

Coherent point drift (Myronenko and Song 2010, IEEE TPAMI 32) in its Bayesian form (Hirose 2021,
IEEE TPAMI 43): source points move by a smooth random field, and each target point was made by
one source point, or by none. The field is a Gaussian process whose covariance says what an animal
does: shift, turn and stretch (linear), bend (quadratic), and what is left (local). Its posterior
variance widens the search for points that no neighbour has placed yet. Expectation and
maximisation alternate while the noise is let down; brightness and other facts of points count in
the likelihood. Several starts guard against sliding along the body and turning about its axis.

Points are ``(n, 3)`` float64, x y z, in one unit along all axes (micrometres).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]
NOBODY = -1
N_STEPS, FINALISTS = 36, 3
LEAST = 0.02
SLIDES = (0.0, -0.12, 0.12)
TURNS = (0.0, -35.0, 35.0)


@dataclass(frozen=True)
class Motion:
    """How tissue moves, as standard deviations relative to the length of the source.

    Parameters
    ----------
    shift, linear, quadratic, local : float
        Of the parts of the displacement; linear and quadratic ones at one standard deviation of
        the points along the body.
    reach : float
        How far the local part is alike.
    noise : float
        Of places when all is fitted.
    start_noise : float
        From where noise is let down.
    outliers : float
        Part of target points that belong to no source point, 0 to 1.
    """

    shift: float = 0.10
    linear: float = 0.06
    quadratic: float = 0.04
    local: float = 0.015
    reach: float = 0.15
    noise: float = 0.008
    start_noise: float = 0.06
    outliers: float = 0.2


@dataclass(frozen=True, eq=False)
class Match:
    """Which target point each source point is.

    Parameters
    ----------
    index : ndarray, shape (n_source,), int64
        Row of the target, one to one; `NOBODY` where none is likely.
    probability : ndarray, shape (n_source,), float64
        Of that pair, by the model; not calibrated. 0 where there is none.
    moved : ndarray, shape (n_source, 3)
        Where the field takes each source point, matched or not.
    spread : ndarray, shape (n_source,)
        Standard deviation of those places along an axis.
    posterior : ndarray, shape (n_source, n_target)
    evidence : float
        Log-likelihood of a target point, on average, against one that comes from anywhere;
        higher is better, comparable between sources of one target.
    """

    index: npt.NDArray[np.int64]
    probability: Floats
    moved: Floats
    spread: Floats
    posterior: Floats
    evidence: float


def register(
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    *,
    source_facts: npt.ArrayLike | None = None,
    target_facts: npt.ArrayLike | None = None,
    agreement: npt.ArrayLike = 0.6,
    motion: Motion | None = None,
    start: npt.ArrayLike | None = None,
) -> Match:
    """Match points of a source volume with those of a target volume.

    Parameters
    ----------
    source : array_like, shape (n_source, 3)
    target : array_like, shape (n_target, 3)
        In the same unit, isotropic.
    source_facts, target_facts : array_like, shape (n, n_facts), optional
        Facts of points as normal scores (see `normal_scores`); NaN where unknown.
    agreement : float or array_like, shape (n_facts,)
        Correlation of each fact between volumes, -1 to 1.
    motion : Motion, optional
    start : array_like, shape (n_source, 3), optional
        Where the source points are about now, as from the volume before; the only start then.

    Returns
    -------
    Match

    Raises
    ------
    BadArgumentError
        Points that are no numbers, or facts that do not fit them.
    """
    x, y = _points(source, "source"), _points(target, "target")
    motion = Motion() if motion is None else motion
    if len(x) == 0 or len(y) == 0:
        empty = np.full(len(x), NOBODY, np.int64), np.zeros(len(x))
        return Match(*empty, x, np.full(len(x), np.inf), np.zeros((len(x), len(y))), -np.inf)
    length = max(_length(x), 1e-9)
    likely = likelihood(source_facts, target_facts, agreement, (len(x), len(y)))
    drift = _Drift(x / length, y / length, likely, motion)
    if start is not None:
        begun = [_points(start, "start") / length]
        known = replace(motion, start_noise=min(motion.start_noise, 4 * motion.noise))
        drift = _Drift(x / length, y / length, likely, known)
    else:
        begun = starts(x / length, y / length)
    state = drift.best_of(begun)
    index, probability = assigned(state.posterior)
    return Match(
        index,
        probability,
        state.moved * length,
        np.sqrt(state.variance) * length,
        state.posterior,
        state.evidence,
    )


def normal_scores(values: npt.ArrayLike) -> Floats:
    """Ranks of values as quantiles of a standard normal; NaN stays. Immune to bleaching."""
    given = np.asarray(values, np.float64)
    found = np.full(given.shape, np.nan)
    known = np.flatnonzero(np.isfinite(given))
    if known.size:
        from scipy.stats import norm, rankdata

        found[known] = norm.ppf((rankdata(given[known]) - 0.5) / known.size)
    return found


def likelihood(
    source: npt.ArrayLike | None,
    target: npt.ArrayLike | None,
    agreement: npt.ArrayLike,
    shape: tuple[int, int],
) -> Floats:
    """Log of how much likelier facts are of one point than of two, (n_source, n_target).

    Of normal scores with correlation r: a bivariate normal against two independent ones.
    """
    if source is None or target is None:
        return np.zeros(shape)
    a, b = (np.asarray(k, np.float64) for k in (source, target))
    if a.ndim != 2 or b.ndim != 2 or (len(a), len(b)) != shape or a.shape[1] != b.shape[1]:
        raise BadArgumentError(
            f"the same facts of {shape[0]} and {shape[1]} points",
            f"shapes {a.shape} and {b.shape}",
            "Give one row per point.",
        )
    r = np.broadcast_to(np.clip(np.asarray(agreement, np.float64), -0.99, 0.99), a.shape[1:])
    f, g = a[:, None], b[None]
    told = -0.5 * np.log1p(-(r**2)) + (2 * r * f * g - r**2 * (f**2 + g**2)) / (2 * (1 - r**2))
    return np.asarray(np.nan_to_num(told).sum(axis=2))


def starts(x: Floats, y: Floats) -> list[Floats]:
    """Places from which to begin: as they lie, and laid along the target's body.

    Along the body they are also shifted, and turned about its axis; never mirrored, and head
    stays on the side where it was.
    """
    begun = [x, x + np.median(y, axis=0) - np.median(x, axis=0)]
    mine = body_of(x)
    theirs = body_of(y, like=mine.axes[0])
    straight = mine.straight(x)
    along = theirs.straight(y)[:, 0]
    middle = np.array([np.median(along) - np.median(straight[:, 0]), 0, 0])
    for slide in SLIDES:
        for angle in np.radians(TURNS):
            turn = np.eye(3)
            turn[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            begun.append(theirs.bent(straight @ turn.T + middle + [slide, 0, 0]))
    return begun


@dataclass(frozen=True, eq=False)
class Body:
    """A parabola through points: their long axis, and how it bends.

    Parameters
    ----------
    centre : ndarray, shape (3,)
    axes : ndarray, shape (3, 3)
        Rows: along, and two across, the last nearest to depth.
    bend : ndarray, shape (3, 2)
        Coefficients of the places across on 1, s and s squared along.
    """

    centre: Floats
    axes: Floats
    bend: Floats

    def straight(self, points: Floats) -> Floats:
        """Coordinates along the body and across it, without its bend."""
        found = (points - self.centre) @ self.axes.T
        found[:, 1:] -= _powers(found[:, 0]) @ self.bend
        return found

    def bent(self, straight: Floats) -> Floats:
        """Inverse of `straight`."""
        found = straight.copy()
        found[:, 1:] += _powers(found[:, 0]) @ self.bend
        return np.asarray(found @ self.axes + self.centre)


def body_of(points: Floats, like: Floats | None = None) -> Body:
    """The body through points; `like` is a direction that its axis must not oppose."""
    centre = np.median(points, axis=0)
    _, _, axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    along = axes[0] if len(axes) else np.array([1.0, 0, 0])
    if like is not None and along @ like < 0:
        along = -along
    depth = np.array([0.0, 0.0, 1.0]) - along[2] * along
    if np.linalg.norm(depth) < 0.1:  # the body lies along depth
        depth = np.array([0.0, 1.0, 0.0]) - along[1] * along
    depth /= np.linalg.norm(depth)
    frame = np.stack([along, np.cross(depth, along), depth])
    local = (points - centre) @ frame.T
    powers = _powers(local[:, 0])
    weight = np.ones(len(points))
    bend = np.zeros((3, 2))
    for _ in range(5):  # points far from the body count less
        root = np.sqrt(weight)[:, None]
        ridge = 1e-3 * np.diag([0.0, 1.0, 1.0])
        left = (powers * root).T @ (powers * root) / len(points) + ridge
        bend = np.linalg.solve(left, (powers * root).T @ (local[:, 1:] * root) / len(points))
        away = np.linalg.norm(local[:, 1:] - powers @ bend, axis=1)
        weight = 1 / (1 + (away / max(float(np.median(away)), 1e-9)) ** 2)
    return Body(centre, frame, bend)


def _powers(s: Floats) -> Floats:
    return np.stack([np.ones_like(s), s, s**2], axis=1)


@dataclass(frozen=True, eq=False)
class _State:
    moved: Floats
    variance: Floats
    posterior: Floats
    evidence: float


@dataclass(frozen=True, eq=False)
class _Drift:
    """One pair of point sets, lengths relative to the source's."""

    x: Floats
    y: Floats
    likely: Floats
    motion: Motion

    def best_of(self, begun: list[Floats]) -> _State:
        """The start whose first steps explain most, carried to the end."""
        noises = np.geomspace(self.motion.start_noise, self.motion.noise, N_STEPS)
        tried = [self.run(place, noises[: N_STEPS // 2]) for place in begun]
        order = np.argsort([-each.evidence for each in tried], kind="stable")
        ended = [self.run(tried[k].moved, noises[N_STEPS // 3 :]) for k in order[:FINALISTS]]
        return max(ended, key=lambda each: each.evidence)

    def run(self, moved: Floats, noises: Floats) -> _State:
        """Expectation and maximisation from some places, with the noise let down."""
        kernel = self._kernel()
        variance = np.zeros(len(self.x))
        for noise in noises:
            posterior, _ = self._expect(moved, variance + noise**2)
            moved, variance = self._move(kernel, posterior, noise)
        posterior, evidence = self._expect(moved, variance + noises[-1] ** 2)
        return _State(moved, variance, posterior, evidence)

    def _kernel(self) -> Floats:
        """Covariance of the displacement between source points."""
        m = self.motion
        centred = (self.x - self.x.mean(axis=0)) / max(float(self.x.std(axis=0).max()), 1e-9)
        dot = centred @ centred.T
        apart = np.square(self.x[:, None] - self.x[None]).sum(axis=2)
        return np.asarray(
            m.shift**2
            + m.linear**2 * dot
            + m.quadratic**2 * dot**2
            + m.local**2 * np.exp(-apart / (2 * m.reach**2))
        )

    def _expect(self, moved: Floats, variance: Floats) -> tuple[Floats, float]:
        """Posterior that each source point made each target point, and the evidence."""
        squared = np.square(moved[:, None] - self.y[None]).sum(axis=2)
        log = -0.5 * squared / variance[:, None] - 1.5 * np.log(2 * np.pi * variance)[:, None]
        log += self.likely + np.log((1 - self.motion.outliers) / len(self.x))
        anywhere = np.log(self.motion.outliers) - self._volume()
        top = np.maximum(log.max(axis=0), anywhere)
        weight = np.exp(log - top)
        total = weight.sum(axis=0) + np.exp(anywhere - top)
        evidence = float(np.mean(np.log(total) + top + self._volume()))
        return weight / total, evidence

    def _volume(self) -> float:
        """Log of the volume in which outliers lie."""
        extent = np.ptp(self.y, axis=0)
        return float(np.log(np.maximum(extent, 0.05)).sum())

    def _move(self, kernel: Floats, posterior: Floats, noise: float) -> tuple[Floats, Floats]:
        """Posterior mean and variance of the field, given soft partners."""
        from scipy.linalg import cho_factor, cho_solve

        mass = posterior.sum(axis=1)
        seen = mass > 1e-3
        if not seen.any():
            return self.x, np.diag(kernel).copy()
        partner = posterior[seen] @ self.y / mass[seen, None]
        blurred = kernel[np.ix_(seen, seen)] + np.diag(noise**2 / mass[seen])
        factor = cho_factor(blurred, lower=True)
        across = kernel[:, seen]
        moved = self.x + across @ cho_solve(factor, partner - self.x[seen])
        gained = (across * cho_solve(factor, across.T).T).sum(axis=1)
        return moved, np.maximum(np.diag(kernel) - gained, 0)


def assigned(posterior: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """One-to-one pairs of greatest total log-odds, with their probability.

    A pair must be likelier than `LEAST` to be taken at all.
    """
    from scipy.optimize import linear_sum_assignment

    n, _ = posterior.shape
    worth = np.log(np.maximum(posterior, 1e-12) / LEAST)
    left, right = linear_sum_assignment(np.maximum(worth, 0), maximize=True)
    kept = posterior[left, right] > LEAST
    index, probability = np.full(n, NOBODY, np.int64), np.zeros(n)
    index[left[kept]] = right[kept]
    probability[left[kept]] = posterior[left[kept], right[kept]]
    return index, probability


def _length(points: Floats) -> float:
    """Extent of points along their body: between the 2nd and the 98th percentile."""
    body = body_of(points)
    low, high = np.percentile((points - body.centre) @ body.axes[0], [2, 98])
    return float(high - low)


def _points(values: Any, name: str) -> Floats:
    points = np.asarray(values, np.float64)
    if points.ndim != 2 or points.shape[1:] != (3,) or not np.isfinite(points).all():
        raise BadArgumentError(
            f"{name} points (n, 3) that are numbers",
            f"shape {points.shape}",
            "Leave points without a place out.",
        )
    return points
