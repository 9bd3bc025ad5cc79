"""Posture space: how alike two volumes of a moving animal are, judged by their images alone.

A volume is sketched by where its bright matter lies: spots are brought out, and along each of some
directions the places are noted below which a tenth, two tenths ... of the brightness lies. Such
quantiles move as far as matter moves, however far that is (their distance is the sliced Wasserstein
distance: Bonneel et al., J. Math. Imaging Vis. 2015), while projections that no longer overlap
all look equally unlike. Principal components of many sketches give the space; a distance in it
says how far the animal deformed, before anybody knows a neuron. It is what chooses volumes to
annotate and targets to deform to (farthest points), and the order in which to carry identities on
(steps between similar postures).

Park et al. (eLife 2024) learn the space by a small autoencoder of projections instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.fields import Triple, voxel_size
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadArgumentError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

N_DIMS = 10
N_TO_FIT = 1000
"""Volumes that the components are learnt from, at most: enough for ten of them, and little to
hold."""
DIRECTIONS = 17
"""Directions along which matter is noted, even over a half-sphere."""
RANKS = (np.arange(15) + 0.5) / 15
LEAST = 4.0
"""Brightness of spots that counts, in standard deviations of noise."""


def embed(
    volumes: Volumes,
    frames: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    n_dims: int = N_DIMS,
    scale: Triple | None = None,
) -> Floats:
    """Posture of each volume, by principal components of sketches.

    Parameters
    ----------
    volumes : Volumes
        The first channel is used.
    frames : array_like of int, shape (n_frames,)
        Volumes to embed; each is read once, and those that the components are learnt from twice.
    rng : Generator
        Draws which volumes the components are learnt from when there are very many.
    n_dims : int, 1 to 20
        Dimensions kept, fewer when there are fewer volumes.
    scale : tuple of float, optional
        Relative size of a voxel along z, y, x, for volumes without a spacing.

    Returns
    -------
    ndarray, shape (n_frames, k <= n_dims), float32
        A distance is about that by which matter moved, in micrometres or units of `scale`.

    Raises
    ------
    BadMetadataError
        Neither a spacing nor `scale`.
    """
    size = voxel_size(volumes.spacing_um, scale)
    which = np.asarray(frames, np.int64)
    if not 1 <= n_dims <= 20:
        raise BadArgumentError("n_dims from 1 to 20", str(n_dims), "Ten is a good start.")
    if not which.size:
        return np.zeros((0, n_dims), np.float32)
    learnt_from = which
    if which.size > N_TO_FIT:
        learnt_from = which[np.sort(rng.choice(which.size, N_TO_FIT, replace=False))]
    mean, components = _components(np.stack(list(_sketches(volumes, learnt_from, size))), n_dims)
    posture = [components @ (sketch - mean) for sketch in _sketches(volumes, which, size)]
    return np.stack(posture).astype(np.float32)


def sketch(volume: npt.NDArray[np.floating], size: Triple) -> Floats:
    """Where the bright matter of a volume lies, whatever its brightness and place as a whole.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        One channel; without spots it gives zeros.
    size : tuple of float
        Size of a voxel along z, y, x.

    Returns
    -------
    ndarray, shape (n_directions * n_ranks,), float32
    """
    from scipy import ndimage

    sharp, broad = (
        ndimage.gaussian_filter(np.asarray(volume, np.float32), width)
        for width in ((0.5, 1, 1), (1, 3, 3))
    )
    spots = sharp - broad
    noise = 1.4826 * float(np.median(np.abs(spots))) or float(np.ptp(spots)) / 50
    place = np.nonzero(spots > LEAST * noise)
    directions = _directions()
    if not place[0].size:
        return np.zeros(len(directions) * RANKS.size, np.float32)
    # logarithms, so that activity and one bright neuron count little
    weight = np.log1p(spots[place] / noise - LEAST)
    xyz = np.stack(place[::-1], axis=1) * np.array(size[::-1])
    along = (xyz - np.average(xyz, axis=0, weights=weight)) @ directions.T
    noted = [_quantiles(each, weight) for each in along.T]
    whole = np.concatenate(noted) / np.sqrt(len(noted) * RANKS.size)
    return np.asarray(whole, np.float32)


def farthest(
    latent: npt.NDArray[np.floating],
    have: npt.ArrayLike,
    n: int,
    *,
    weights: npt.NDArray[np.floating] | None = None,
) -> Ints:
    """Postures that are least like any that one has, one after the other.

    Parameters
    ----------
    latent : ndarray, shape (n_frames, k)
    have : array_like of int
        Rows that are annotated; with none, the first chosen is the most typical posture.
    n : int
        How many to choose, as far as there are some left.
    weights : ndarray, shape (n_frames,), optional
        Multiply the distances, for instance how unsure the network is of each volume; those
        of weight 0 are chosen last.

    Returns
    -------
    ndarray of int64, shape (<= n,)
        Rows, in the order of choice.
    """
    held = np.asarray(have, np.int64).ravel()
    weight = np.ones(len(latent)) if weights is None else np.asarray(weights, float)
    left = np.ones(len(latent), bool)
    left[held] = False
    gap = np.full(len(latent), np.inf)
    for row in held.tolist():
        gap = np.minimum(gap, _from(latent, row))
    chosen: list[int] = []
    for _ in range(min(n, int(left.sum()))):
        if held.size or chosen:
            row = int(np.argmax(np.where(left, gap * weight, -1.0)))
        else:
            row = int(np.argmin(np.linalg.norm(latent - np.median(latent, axis=0), axis=1)))
        chosen.append(row)
        left[row] = False
        gap = np.minimum(gap, _from(latent, row))
    return np.array(chosen, np.int64)


def nearest(latent: npt.NDArray[np.floating], annotated: npt.ArrayLike) -> Ints:
    """Row of the annotated posture that is most like each, shape (n_frames,)."""
    held = _annotated(annotated)
    distance = np.stack([_from(latent, row) for row in held.tolist()])
    return np.asarray(held[np.argmin(distance, axis=0)], np.int64)


@dataclass(frozen=True, eq=False)
class Steps:
    """A way from annotated volumes to every other, over similar postures.

    Parameters
    ----------
    order : ndarray of int64, shape (n_frames,)
        Rows, each after the one it is reached from; the annotated come first.
    parent : ndarray of int64, shape (n_frames,)
        Row from which each is reached; an annotated one is its own parent.
    """

    order: Ints
    parent: Ints

    def path(self, row: int) -> list[int]:
        """Rows from an annotated volume to this one, both included."""
        back = [row]
        while self.parent[back[-1]] != back[-1]:
            back.append(int(self.parent[back[-1]]))
        return back[::-1]


def steps(latent: npt.NDArray[np.floating], annotated: npt.ArrayLike) -> Steps:
    """The shortest ways from annotated postures, when a step costs the square of its length.

    Squares make two small steps cheaper than one large one, as registration does, without the
    endless detours of a minimum spanning tree.

    Parameters
    ----------
    latent : ndarray, shape (n_frames, k)
    annotated : array_like of int
        Rows, one at least.
    """
    held = _annotated(annotated)
    cost = np.full(len(latent), np.inf)
    cost[held] = 0
    parent = np.arange(len(latent))
    left = np.ones(len(latent), bool)
    order = np.empty(len(latent), np.int64)
    for at in range(len(latent)):
        row = int(np.argmin(np.where(left, cost, np.inf)))
        if not left[row]:  # the rest cannot be reached: their posture is not a number
            row = int(np.argmax(left))
        order[at], left[row] = row, False
        through = cost[row] + _from(latent, row) ** 2
        closer = left & (through < cost)
        cost[closer], parent[closer] = through[closer], row
    return Steps(order, parent)


def _annotated(rows: npt.ArrayLike) -> Ints:
    held = np.unique(np.asarray(rows, np.int64))
    if not held.size:
        raise BadArgumentError("an annotated volume at least", "none", "Annotate one first.")
    return held


def _from(latent: npt.NDArray[np.floating], row: int) -> npt.NDArray[np.float64]:
    away: npt.NDArray[np.float64] = np.linalg.norm(latent - latent[row], axis=1).astype(float)
    return away


def _sketches(volumes: Volumes, frames: Ints, size: Triple) -> Iterator[Floats]:
    first = Volumes(volumes.channels[:1])
    for frame in frames.tolist():
        yield sketch(first[frame][0], size)


def _components(sketches: Floats, n_dims: int) -> tuple[Floats, Floats]:
    """Mean, and the directions (k, n_pixels) of most variance, signs fixed."""
    mean = sketches.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(sketches - mean, full_matrices=False)
    kept = directions[:n_dims]
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    return mean.astype(np.float32), (kept * np.where(largest < 0, -1, 1)).astype(np.float32)


def _directions() -> npt.NDArray[np.float64]:
    """Unit vectors x, y, z, even over the upper half-sphere (a Fibonacci lattice)."""
    z = 1 - (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    turn = np.pi * (1 + np.sqrt(5)) * np.arange(DIRECTIONS)
    flat = np.sqrt(1 - z**2)
    return np.asarray(np.column_stack([flat * np.cos(turn), flat * np.sin(turn), z]))


def _quantiles(
    place: npt.NDArray[np.floating], weight: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Places below which each of `RANKS` of the weight lies."""
    order = np.argsort(place, kind="stable")
    below = np.cumsum(weight[order], dtype=np.float64)
    middle = (below - weight[order] / 2) / below[-1]
    return np.asarray(np.interp(RANKS, middle, place[order]))
