"""Which neuron of one volume, or animal, is which of another, by place and colour.

The second set is an atlas of one: each neuron is where it was, give or take the scatter that
neighbours leave, which is fitted; an affine map and a one-to-one assignment are found in turn,
with room for neurons that only one set has. After that, what is left of the deformation is
smooth: the rest of each point is taken from its neighbours' and the assignment is made again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import likeliest, log_volume, moved, starts
from nissl.annotators.names.animals import FEWEST, normal_colours
from nissl.annotators.names.scatter import Scatter
from nissl.annotators.names.transport import assigned, best
from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]

_WIDTHS = (6.0, 5.0, 4.0, 3.0, 2.5, 2.0, 1.6, 1.3, 1.0, 1.0, 1.0, 1.0)
_SCATTER = 0.3
"""Standard deviation of a place, in distances between neighbours, once maps are right."""
_COLOUR = 0.6
"""Standard deviation of a normal colour."""
_FREEDOM = 5.0
_REACH, _AMPLITUDE = 10.0, 5.0
"""Of the smooth rest that an affine map leaves: neighbour distances over which it is alike, and
its standard deviation. These and the widths were chosen on simulated worms."""
_SMOOTH_WIDTHS = (*(4.0,) * 4, *(3.0,) * 4, *(2.0,) * 6, *(1.4,) * 5, *(1.0,) * 6)
_PRESENCE = 0.9
_STRANGE = 0.1


@dataclass(frozen=True, eq=False)
class Match:
    """Which points of `b` those of `a` are.

    Parameters
    ----------
    index : ndarray, shape (n_a,), int64
        Index into `b`, each at most once; -1 where a point is more likely none of them.
    probability : ndarray, shape (n_a,)
        Of that index; of being none of them where it is -1. As the model says, not calibrated.
    """

    index: npt.NDArray[np.int64]
    probability: Floats


def match(
    points_a: npt.ArrayLike,
    colours_a: npt.ArrayLike | None,
    points_b: npt.ArrayLike,
    colours_b: npt.ArrayLike | None,
    *,
    same_pose: bool = True,
) -> Match:
    """Match two sets of neurons of the same animal, or of two.

    Parameters
    ----------
    points_a, points_b : array-like, shape (n_a, 3), (n_b, 3)
        Finite; both in one unit, micrometres where they are known.
    colours_a, colours_b : array-like, shape (n_a, n_colours), (n_b, n_colours), optional
        As measured, NaN where unknown; used when both are given.
    same_pose : bool
        The animal lies about the same way in both; otherwise any orientation is tried.

    Raises
    ------
    BadArgumentError
        Fewer than eight points in one of the sets, or points that are not finite.
    """
    a, b = _checked(points_a), _checked(points_b)
    centre, unit = b.mean(axis=0), _neighbours(b)
    source, target = (a - centre) / unit, (b - centre) / unit
    place = Scatter(
        target, np.tile(np.eye(3) * _SCATTER**2, (len(b), 1, 1)), np.full(len(b), _FREEDOM)
    )
    colour = _colours(colours_a, colours_b, len(a), len(b))
    if same_pose:
        shift = target.mean(axis=0) - source.mean(axis=0)
        begins = [np.concatenate([np.eye(3), shift[None]])]
    else:
        begins = list(starts(source, target))
    # what lies about the same way already would only be lost by beginning widely
    cautious = (_WIDTHS, _WIDTHS[-5:]) if same_pose else (_WIDTHS,)
    fits = [_rigid(source, place, colour, affine, w) for affine in begins for w in cautious]
    affine = max(fits, key=lambda fit: fit[0])[1]
    there = moved(source, affine)
    tries = (_SMOOTH_WIDTHS, _SMOOTH_WIDTHS[-6:]) if same_pose else (_SMOOTH_WIDTHS,)
    p = max((_smooth(there, place, colour, w) for w in tries), key=lambda each: each[0])[1]
    rows, columns = best(p)
    index, probability = np.full(len(a), -1, np.int64), 1 - p.sum(axis=1)
    sure = p[rows, columns] > probability[rows]
    index[rows[sure]] = columns[sure]
    probability[rows[sure]] = p[rows, columns][sure]
    return Match(index, np.clip(probability, 0.0, 1.0))


def _rigid(
    source: Floats, place: Scatter, colour: Floats, affine: Floats, widths: tuple[float, ...]
) -> tuple[float, Floats]:
    value = -np.inf
    for width in widths:
        wide = place.widened(width)
        there = moved(source, affine)
        p, distances, value = _step(there, wide, colour)
        weight = (wide.freedom + 3) / (wide.freedom + distances)
        root = wide.root_precision
        precision = np.einsum("jab,jac->jbc", root, root)
        affine = likeliest(source, wide.centre, precision, p * weight, affine)
    return value + len(source) * log_volume(affine), affine


def _smooth(
    there: Floats, place: Scatter, colour: Floats, widths: tuple[float, ...]
) -> tuple[float, Floats]:
    """How likely all is, and probabilities, once the rest is smoothed over neighbours."""
    apart = ((there[:, None] - there[None]) ** 2).sum(axis=2)
    kernel = _AMPLITUDE**2 * np.exp(-apart / (2 * _REACH**2))
    shift = np.zeros_like(there)
    for width in widths:
        wide = place.widened(width)
        p, distances, _ = _step(there + shift, wide, colour)
        weight = p * (wide.freedom + 3) / (wide.freedom + distances)
        mass = weight.sum(axis=1)
        goal = weight @ wide.centre - mass[:, None] * there
        # Gaussian process of the displacement, of which each matched point is a noisy reading.
        noise = (_SCATTER * width) ** 2 * np.eye(len(there))
        shift = kernel @ np.linalg.solve(mass[:, None] * kernel + noise, goal)
    p, _, value = _step(there + shift, place, colour)
    rough = np.linalg.solve(kernel + 1e-3 * _AMPLITUDE**2 * np.eye(len(there)), shift)
    return value - 0.5 * float(np.sum(shift * rough)), p


def _step(there: Floats, place: Scatter, colour: Floats) -> tuple[Floats, Floats, float]:
    distances = place.distances(there)
    score = place.density_at(distances) + colour + np.log(_PRESENCE)
    extent = np.ptp(place.centre, axis=0) + 1.0
    stranger = np.full(len(there), np.log(_STRANGE * len(there)) - np.log(extent).sum())
    absent = np.full(len(place.centre), np.log1p(-_PRESENCE))
    p, value = assigned(score, stranger, absent)
    return p, distances, value


def _colours(a: npt.ArrayLike | None, b: npt.ArrayLike | None, n_a: int, n_b: int) -> Floats:
    """Log-likelihood ratio of colours to be the same, 0 where one is unknown."""
    if a is None or b is None:
        return np.zeros((n_a, n_b))
    one, other = normal_colours(np.asarray(a)), normal_colours(np.asarray(b))
    if one.shape[0] != n_a or other.shape != (n_b, one.shape[1]):
        raise BadArgumentError(
            f"as many colours for {n_a} and {n_b} points",
            f"shapes {one.shape} and {other.shape}",
            "Give one row per point and the same channels for both.",
        )
    off = ((one[:, None] - other[None]) ** 2).sum(axis=2) / (2 * _COLOUR**2)
    same = -off - one.shape[1] * np.log(_COLOUR)
    prior = -((one**2).sum(axis=1) / 2)[:, None]
    return np.where(np.isfinite(off), same - prior, 0.0)


def _checked(points: npt.ArrayLike) -> Floats:
    places = np.asarray(points, np.float64)
    fits = places.ndim == 2 and places.shape[1:] == (3,) and len(places) >= FEWEST
    if not fits or not np.isfinite(places).all():
        raise BadArgumentError(
            f"places of {FEWEST} neurons or more, (n, 3), all finite",
            f"shape {places.shape}",
            "Leave out neurons without a place, or volumes with few neurons.",
        )
    return places


def _neighbours(points: Floats) -> float:
    """Median distance to the nearest neighbour."""
    apart = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(np.sqrt(np.median(apart.min(axis=1)))) or 1.0
