"""Names of the points of one animal by an atlas: where it lies in it, and which point is which.

The affine map from the animal to the atlas and the assignment are found in turn (expectation
maximisation, as in coherent registration of points: Myronenko and Song 2010, IEEE TPAMI
32:2262-2275), from several starts and from coarse to fine; the assignment is one to one through
optimal transport. Since any affine map is allowed, neither voxel size nor posture of the head
matters; handedness does, for mirroring a worm exchanges the names of its sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import likeliest, log_volume, moved, starts
from nissl.annotators.names.animals import FEWEST, normal_colours
from nissl.annotators.names.atlas import Atlas
from nissl.annotators.names.scatter import Scatter
from nissl.annotators.names.transport import assigned
from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float64]

STRANGE = 0.02
"""Share of points that is expected to have none of the names."""

_COARSE = (4.0, 3.0, 2.5, 2.0, 1.7, 1.4)
_NARROWER = (2.0, 1.7, 1.4)
_FINE = (1.4, 1.2, *(1.0,) * 14)
_NEAR = (1.2, 1.0, 1.0, 1.0, 1.0)
_KEPT = 3
_ITERATIONS, _LAST = 12, 200
_ROOM = 1.2
"""Extent along each axis in which strangers may be, in that of the atlas."""
_WIDE = 3.0
"""Standard deviations of normal colours of a stranger, in those of all neurons."""


@dataclass(frozen=True, eq=False)
class Naming:
    """Names of the points of an animal.

    Parameters
    ----------
    names : tuple of str
    probability : ndarray, shape (n_points, n_names)
        Rows sum to at most 1; the rest is that of none of the names.
    affine : ndarray, shape (4, 3)
        From the animal's frame to that of the atlas.
    value : float
        What was maximised; higher is a better fit to the atlas.
    """

    names: tuple[str, ...]
    probability: Floats
    affine: Floats
    value: float


def named(
    atlas: Atlas,
    xyz: Floats,
    colours: Floats | None = None,
    *,
    strange: float = STRANGE,
    mirrored: bool = False,
) -> Naming:
    """Name the points of one animal.

    Parameters
    ----------
    atlas : Atlas
    xyz : ndarray, shape (n_points, 3)
        In any unit, finite.
    colours : ndarray, shape (n_points, n_colours), optional
        As measured, NaN where unknown; used when the atlas has colours.
    strange : float
        Share of points that is expected to have none of the names, above 0.
    mirrored : bool
        The animal's axes are of the other handedness than those of the atlas.

    Raises
    ------
    BadArgumentError
        Too few points, or points on one plane.
    """
    points, back = _standard(xyz)
    problem = _Problem(atlas, points, _colour_score(atlas, colours), strange)
    # An animal that shows half of its neurons has other principal axes than one with all. Where
    # the pattern fits, so do they, and wide scatter to begin with would only lose them.
    begun = [
        problem.fitted(affine, _COARSE if k == 0 else _NARROWER)
        for k, shown in enumerate(atlas.patterns)
        for affine in starts(points, atlas.place.centre, weights=shown, mirrored=mirrored)
    ]
    begun.sort(key=lambda fit: -fit[0])
    finished = [problem.fitted(affine, _FINE) for _, affine in begun[:_KEPT]]
    value, affine = max(finished, key=lambda fit: fit[0])
    probability, _, value = problem.assigned(affine, atlas.place, _LAST)
    whole = np.concatenate([back[:3] @ affine[:3], (back[3] @ affine[:3] + affine[3])[None]])
    return Naming(atlas.names, probability, whole, value)


def settled(atlas: Atlas, points: Floats) -> Floats:
    """Map at which places alone come to rest that lie in the atlas's frame already, or nearly.

    Parameters
    ----------
    atlas : Atlas
    points : ndarray, shape (n_points, 3)

    Returns
    -------
    ndarray, shape (4, 3)
    """
    nothing = np.concatenate([np.eye(3), np.zeros((1, 3))])
    return _Problem(atlas, points, None, STRANGE).fitted(nothing, _NEAR)[1]


@dataclass(frozen=True, eq=False)
class _Problem:
    atlas: Atlas
    points: Floats
    colour: tuple[Floats, Floats] | None
    strange: float

    def assigned(
        self, affine: Floats, place: Scatter, n_iterations: int
    ) -> tuple[Floats, Floats, float]:
        """Probabilities, squared distances and value under a map."""
        distances = place.distances(moved(self.points, affine))
        score = place.density_at(distances) + np.log(self.atlas.presence)
        stranger = np.full(len(score), -np.log(np.ptp(place.centre, axis=0) * _ROOM).sum())
        if self.colour is not None:
            score, stranger = score + self.colour[0], stranger + self.colour[1]
        n = len(self.points)
        stranger = stranger + np.log(self.strange * n)
        p, value = assigned(score, stranger, np.log1p(-self.atlas.presence), n_iterations)
        return p, distances, value + n * log_volume(affine)

    def fitted(self, affine: Floats, widths: tuple[float, ...]) -> tuple[float, Floats]:
        """Value and map after one round for each width of scatter."""
        value, width, place = -np.inf, 0.0, self.atlas.place
        for wanted in widths:
            if wanted != width:
                width, place = wanted, self.atlas.place.widened(wanted)
                root = place.root_precision
                precision = np.einsum("jab,jac->jbc", root, root)
            p, distances, value = self.assigned(affine, place, _ITERATIONS)
            weight = (place.freedom + 3) / (place.freedom + distances)
            affine = likeliest(self.points, place.centre, precision, p * weight, affine)
        return value, affine


def _standard(xyz: Floats) -> tuple[Floats, Floats]:
    """Points around the origin at unit spread, and the map that made them so, (4, 3)."""
    points = np.asarray(xyz, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise BadArgumentError(
            "places (n_points, 3), all finite", f"shape {points.shape}", "Leave out what is NaN."
        )
    flat = len(points) < FEWEST or np.linalg.matrix_rank(points - points.mean(axis=0)) < 3
    if flat:
        raise BadArgumentError(
            f"{FEWEST} neurons or more that do not lie in one plane",
            f"{len(points)} points",
            "Names come from the arrangement of neurons: find more of them first.",
        )
    centre = points.mean(axis=0)
    spread = np.sqrt(np.mean(((points - centre) ** 2).sum(axis=1)))
    back = np.concatenate([np.eye(3) / spread, (-centre / spread)[None]])
    return (points - centre) / spread, back


def _colour_score(atlas: Atlas, colours: Floats | None) -> tuple[Floats, Floats] | None:
    """Log-densities of colours for each name and for a stranger, 0 where a colour is unknown."""
    if atlas.colour is None or colours is None or not np.size(colours):
        return None
    n_colours = atlas.colour.centre.shape[1]
    if colours.shape[1] != n_colours:
        raise BadArgumentError(
            f"{n_colours} colours, as the atlas has",
            f"{colours.shape[1]}",
            "Give the same channels in the same order.",
        )
    normal = normal_colours(colours)
    known = np.asarray(np.isfinite(normal).all(axis=1))
    filled = np.where(known[:, None], normal, 0.0)
    own = np.where(known[:, None], atlas.colour.log_density(filled), 0.0)
    spread = np.cov(atlas.colour.centre, rowvar=False) * _WIDE**2
    distance = np.einsum("ia,ab,ib->i", filled, np.linalg.inv(spread), filled)
    constant = -0.5 * (np.linalg.slogdet(spread)[1] + n_colours * np.log(2 * np.pi))
    return own, np.where(known, constant - distance / 2, 0.0)
