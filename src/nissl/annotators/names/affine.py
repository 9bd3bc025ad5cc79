"""Affine maps between the frames of two animals, kept as (4, 3): the last row shifts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_FLIPS = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
_TURNS = (0.0, np.pi / 4, np.pi / 2, -np.pi / 4)
_STEPS, _HALVINGS = 8, 6


def extended(points: Floats) -> Floats:
    """Points with a column of ones, shape (n, 4)."""
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def moved(points: Floats, affine: Floats) -> Floats:
    """Points in the frame that the map leads to, shape (n, 3)."""
    return np.asarray(points @ affine[:3] + affine[3])


def least_squares(source: Floats, target: Floats) -> Floats:
    """Affine map of points onto those that they correspond to."""
    return np.asarray(np.linalg.lstsq(extended(source), target, rcond=None)[0])


def log_volume(affine: Floats) -> float:
    """Log of the factor by which the map changes volumes."""
    return float(np.linalg.slogdet(affine[:3])[1])


def starts(
    source: Floats,
    target: Floats,
    *,
    weights: Floats | None = None,
    mirrored: bool = False,
    angles: tuple[float, ...] = _TURNS,
) -> Iterator[Floats]:
    """Maps that bring the principal axes of one cloud onto those of another.

    Axes have no direction, so four maps keep handedness; each is also turned about the longest
    axis, for the two cross axes are easily confused.

    Parameters
    ----------
    source, target : ndarray, shape (n, 3), (m, 3)
    weights : ndarray, shape (m,), optional
        Probability of each target to be seen.
    mirrored : bool
        The source is a mirror image.
    angles : tuple of float
        Turns, radians.
    """
    inward, centre = _whitening(source, np.ones(len(source)))
    outward, goal = _whitening(target, np.ones(len(target)) if weights is None else weights)
    hand = np.sign(np.linalg.det(inward)) * np.sign(np.linalg.det(outward))
    hand *= -1 if mirrored else 1
    for flip in _FLIPS:
        for angle in angles:
            c, s = np.cos(angle), np.sin(angle)
            turn = np.array([[1, 0, 0], [0, c, s], [0, -s, c]]) * (np.array(flip) * hand)
            linear = inward @ turn @ np.linalg.inv(outward)
            yield np.concatenate([linear, (goal - centre @ linear)[None]])


def _whitening(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Map to principal axes of unit spread, longest first, and the centre."""
    share = weights / weights.sum()
    centre = share @ points
    off = points - centre
    values, axes = np.linalg.eigh((off * share[:, None]).T @ off)
    order = np.argsort(values)[::-1]
    spread = np.sqrt(np.maximum(values[order], 1e-12 * values.max() + 1e-300))
    return axes[:, order] / spread, centre


def likeliest(
    points: Floats, centre: Floats, precision: Floats, share: Floats, begin: Floats
) -> Floats:
    """Map under which points are likeliest, given how much each belongs to each neuron.

    Maximises ``n log |det A| - sum of share * squared distance / 2``: without the first term,
    which is that of a density that is carried along, shrinking all points would be best. Each
    step goes down the slope in the metric of the quadratic part, halved until it helps.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
    centre : ndarray, shape (m, 3)
    precision : ndarray, shape (m, 3, 3)
    share : ndarray, shape (n, m)
        How much each point belongs to each neuron, times the weight of that pair.
    begin : ndarray, shape (4, 3)

    Returns
    -------
    ndarray, shape (4, 3)
    """
    own, n = extended(points), len(points)
    moments = np.einsum("ij,ia,ib->jab", share, own, own, optimize=True)
    curve = np.einsum("jac,jbd->abcd", moments, precision, optimize=True).reshape(12, 12)
    target = np.einsum("jcd,jd->jc", precision, centre)
    pull = (own.T @ share @ target).ravel()
    curve = curve + 1e-9 * np.trace(curve) * np.eye(12)
    inverse = np.linalg.inv(curve)

    def cost(at: Floats) -> float:
        flat = at.ravel()
        return float(flat @ curve @ flat / 2 - pull @ flat - n * log_volume(at))

    affine, value = begin, cost(begin)
    for _ in range(_STEPS):
        slope = curve @ affine.ravel() - pull
        slope[:9] -= n * np.linalg.inv(affine[:3]).T.ravel()
        step = (inverse @ slope).reshape(4, 3)
        for halving in range(_HALVINGS):
            tried = affine - step * 0.5**halving
            reached = cost(tried)
            if reached < value:
                break
        else:
            return affine
        gained, affine, value = value - reached, tried, reached
        if gained < 1e-6 * n:
            break
    return affine
