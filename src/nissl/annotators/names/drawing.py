"""Worms drawn from an atlas, to train on: real scatter, bodies that bend, neurons that hide.

Scatter of each neuron is that of the animals that the atlas is made of. A part of it is shared by
neighbours, as when a body bends or is squeezed: a smooth Gaussian field over the body whose reach
and share of the scatter are those of the same animals' residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import least_squares, moved
from nissl.annotators.names.animals import Animals
from nissl.annotators.names.atlas import Atlas, aligned

Floats = npt.NDArray[np.float64]

REACHES = (0.15, 0.3, 0.6)
"""Distances over which neighbours may move together, in the atlas's unit."""
_MOST = 0.9
"""Share of scatter that neighbours may have in common."""
_FRAME, _SHIFT = 0.04, 0.03
"""Largest errors of the animal's frame beyond the best one, for it is found from doubtful names."""
_SEEN = 0.6
"""Standard deviation of an animal's own log-odds to show a neuron."""
_LIGHT = 0.1
"""Standard deviation of shift and log-gain of an animal's normal colours."""
_STRANGERS = 0.04
"""Largest share of points that are no neuron of the atlas."""
_BOX, _PAINT = 1.1, 1.5


@dataclass(frozen=True, eq=False)
class Herd:
    """Animals that were drawn, padded to the largest.

    Parameters
    ----------
    xyz : ndarray, shape (n_animals, n_points, 3)
        In the frame of the atlas, up to an error of it.
    colours : ndarray, shape (n_animals, n_points, n_colours)
        Normal colours.
    name : ndarray, shape (n_animals, n_points), int64
        Index into the atlas's names; `n_names` where a point has none of them.
    there : ndarray, shape (n_animals, n_points), bool
        False where it is padding.
    """

    xyz: Floats
    colours: Floats
    name: npt.NDArray[np.int64]
    there: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Bodies:
    """How animals of an atlas differ; `draw` makes more of them.

    Parameters
    ----------
    atlas : Atlas
    share : float
        Of scatter that is shared by neighbours.
    reach : float
        Over which distance, in the atlas's unit.
    """

    atlas: Atlas
    share: float
    reach: float

    def draw(self, rng: np.random.Generator, n: int) -> Herd:
        """Draw some animals, each in a frame with some error."""
        place, m = self.atlas.place, len(self.atlas.names)
        odds = np.log(self.atlas.presence / (1 - self.atlas.presence))
        odds = odds + rng.normal(0, _SEEN, (n, 1))
        seen = rng.random((n, m)) < 1 / (1 + np.exp(-odds))
        seen[~seen.any(axis=1)] = True
        field = np.einsum("ij,wja->wia", self._root, rng.standard_normal((n, m, 3)))
        own = rng.standard_normal((n, m, 3))
        off = np.sqrt(self.share) * field + np.sqrt(1 - self.share) * own
        off = off * _heavy(rng, place.freedom, n)
        off = np.einsum("jab,wjb->wja", np.linalg.cholesky(place.scale), off)
        xyz = self._framed(rng, place.centre + off, seen)
        colours = self._painted(rng, n)
        extra = int(np.ceil(_STRANGERS * m))
        strangers = rng.random((n, extra)) < rng.uniform(0, 1, (n, 1))
        half = np.ptp(place.centre, axis=0) * _BOX / 2
        middle = (place.centre.max(axis=0) + place.centre.min(axis=0)) / 2
        around = middle + rng.uniform(-1, 1, (n, extra, 3)) * half
        paint = _PAINT * rng.standard_normal((n, extra, colours.shape[2]))
        name = np.concatenate([np.tile(np.arange(m), (n, 1)), np.full((n, extra), m)], axis=1)
        there = np.concatenate([seen, strangers], axis=1)
        return _packed(
            np.concatenate([xyz, around], axis=1),
            np.concatenate([colours, paint], axis=1),
            name,
            there,
        )

    @property
    def _root(self) -> Floats:
        kernel = _kernel(self.atlas.place.centre, self.reach)
        return np.asarray(np.linalg.cholesky(kernel + 1e-6 * np.eye(len(kernel))))

    def _framed(self, rng: np.random.Generator, xyz: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
        """Animals in the frame that fits the neurons that are seen best, and a little beside it."""
        n, centre = len(xyz), self.atlas.place.centre
        fits = (least_squares(each[k], centre[k]) for each, k in zip(xyz, seen, strict=True))
        xyz = np.stack([moved(each, fit) for each, fit in zip(xyz, fits, strict=True)])
        size = rng.uniform(0, 1, (n, 1, 1))
        turn = np.eye(3) + size * _FRAME * rng.standard_normal((n, 3, 3))
        return np.asarray(xyz @ turn + size * _SHIFT * rng.standard_normal((n, 1, 3)))

    def _painted(self, rng: np.random.Generator, n: int) -> Floats:
        colour, m = self.atlas.colour, len(self.atlas.names)
        if colour is None:
            return np.zeros((n, m, 0))
        d = colour.centre.shape[1]
        off = rng.standard_normal((n, m, d)) * _heavy(rng, colour.freedom, n)
        light = colour.centre + np.einsum("jab,wjb->wja", np.linalg.cholesky(colour.scale), off)
        gain = np.exp(rng.normal(0, _LIGHT, (n, 1, d)))
        return np.asarray(light * gain + rng.normal(0, _LIGHT, (n, 1, d)))


def bodies(animals: Animals, atlas: Atlas) -> Bodies:
    """Learn how far neighbours move together from the animals that the atlas is made of.

    Parameters
    ----------
    animals : Animals
    atlas : Atlas
        Made of them.
    """
    there = animals.seen.any(axis=0)
    xyz = aligned(animals.xyz[:, there])
    off = np.einsum("jab,wjb->wja", atlas.place.root_precision, xyz - atlas.place.centre)
    seen = np.isfinite(off[..., 0])
    off = np.where(seen[..., None], off, 0.0)
    # Means are of the same few animals, which makes residuals smaller than scatter is.
    counted = np.maximum(seen.sum(axis=0), 2)
    off = off * np.sqrt((counted + 1) / (counted - 1))[:, None]
    together = np.einsum("wia,wja->ij", off, off) / 3
    pairs = np.einsum("wi,wj->ij", seen.astype(float), seen.astype(float))
    best = (0.0, 0.0, REACHES[0])
    for reach in REACHES:
        kernel = _kernel(atlas.place.centre, reach)
        np.fill_diagonal(kernel, 0.0)
        weight = float((pairs * kernel**2).sum())
        share = float(np.clip((kernel * together).sum() / max(weight, 1e-12), 0.0, _MOST))
        best = max(best, (share**2 * weight, share, reach))
    return Bodies(atlas, best[1], best[2])


def _kernel(centre: Floats, reach: float) -> Floats:
    square = ((centre[:, None] - centre[None]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-square / (2 * reach**2)))


def _heavy(rng: np.random.Generator, freedom: Floats, n: int) -> Floats:
    """Factors that make Gaussian scatter one of Student's t, shape (n, n_names, 1)."""
    return np.asarray(np.sqrt(freedom / rng.chisquare(freedom, (n, freedom.size)))[..., None])


def _packed(
    xyz: Floats,
    colours: Floats,
    name: npt.NDArray[np.int64],
    there: npt.NDArray[np.bool_],
) -> Herd:
    """Points that are there first, cut to the largest animal; colours on their common scale."""
    order = np.argsort(~there, axis=1, kind="stable")[:, : int(there.sum(axis=1).max())]
    xyz = np.take_along_axis(xyz, order[..., None], axis=1)
    colours = np.take_along_axis(colours, order[..., None], axis=1)
    there = np.take_along_axis(there, order, axis=1)
    mask = there[..., None]
    n = np.maximum(there.sum(axis=1), 1)[:, None, None]
    colours = colours - (colours * mask).sum(axis=1, keepdims=True) / n
    spread = np.sqrt((colours**2 * mask).sum(axis=1, keepdims=True) / n)
    colours = np.where(mask, colours / np.maximum(spread, 1e-9), 0.0)
    return Herd(np.where(mask, xyz, 0.0), colours, np.take_along_axis(name, order, axis=1), there)
