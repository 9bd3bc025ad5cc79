"""A statistical atlas: where each neuron lies and what colour it has, over animals.

Animals are brought into one frame by affine maps, each in turn fitted to the mean of all, until
nothing moves (generalised Procrustes analysis, Gower 1975, Psychometrika 40:33-51, with affine
maps), as in statistical atlases of neurons of the worm (Varol et al. 2020, MICCAI, LNCS 12265).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.affine import least_squares, moved
from nissl.annotators.names.animals import Animals, normal_colours
from nissl.annotators.names.scatter import TIES, Scatter, chosen, fitted
from nissl.annotators.names.vocabulary import kinds

Floats = npt.NDArray[np.float64]

_ROUNDS = 12
_SMALLEST = 1e-4
_PATTERNS, _ANOTHER = 3, 0.2
"""Patterns of what is seen, and by how much of the neurons they differ at least."""
_PRESENCE = 0.5
"""Animals that a neuron counts as seen in, and as not seen in, before any is looked at."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """What is known of neurons by name.

    Parameters
    ----------
    names : tuple of str
        Those that were seen in some animal.
    place : Scatter
        In the frame of the atlas, whose unit is the root mean square distance from its centre.
    colour : Scatter, optional
        Of normal colours (`normal_colours`).
    presence : ndarray, shape (n_names,)
        Probability of a neuron to be seen in an animal.
    n_animals : int
    patterns : ndarray, shape (n_patterns, n_names)
        Which neurons may be seen together: `presence`, and animals that showed quite another part.
    settings : tuple of float
        Strength of the place's prior, strength and tie of the colour's.
    """

    names: tuple[str, ...]
    place: Scatter
    colour: Scatter | None
    presence: Floats
    n_animals: int
    patterns: Floats
    settings: tuple[float, float, float]


def built(animals: Animals) -> Atlas:
    """The atlas of some animals; strengths of its priors are chosen by leaving animals out."""
    there = animals.seen.any(axis=0)
    names = tuple(np.array(animals.names)[there].tolist())
    kind = kinds(names)
    xyz = aligned(animals.xyz[:, there])
    strength, _ = chosen(xyz, names)
    colours = np.stack([normal_colours(each[there]) for each in animals.colours])
    colour, colour_strength, tie = None, 0.0, 0.0
    if colours.shape[2]:
        known = np.isfinite(colours).all(axis=2) & animals.seen[:, there]
        colours[~known] = np.nan
        if known.any(axis=0).all():
            colour_strength, tie = chosen(colours, kind, TIES)
            colour = fitted(colours, kind, colour_strength, tie)
    presence = (animals.seen[:, there].sum(axis=0) + _PRESENCE) / (
        animals.n_animals + 2 * _PRESENCE
    )
    settings = (strength, colour_strength, tie)
    place = fitted(xyz, names, strength, 0.0)
    shown = patterns(presence, animals.seen[:, there])
    return Atlas(names, place, colour, presence, animals.n_animals, shown, settings)


def patterns(presence: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    """Presence, then animals that differ most from all patterns so far.

    Parameters
    ----------
    presence : ndarray, shape (n_names,)
    seen : ndarray, shape (n_animals, n_names)

    Returns
    -------
    ndarray, shape (n_patterns, n_names)
    """
    out = [presence]
    for _ in range(_PATTERNS - 1):
        apart = np.min([np.abs(seen - each).mean(axis=1) for each in out], axis=0)
        if apart.max() < _ANOTHER:
            break
        out.append(seen[int(apart.argmax())].astype(float))
    return np.stack(out)


def aligned(shapes: Floats) -> Floats:
    """Shapes of the same neurons in one frame.

    Parameters
    ----------
    shapes : ndarray, shape (n_shapes, n_neurons, 3)
        NaN where a neuron was not seen.

    Returns
    -------
    ndarray, same shape
        Around the origin; the mean shape has a root mean square distance of 1 from it.
    """
    first = int(np.isfinite(shapes[..., 0]).sum(axis=1).argmax())
    mean = _standard(shapes[first])
    out = shapes.copy()
    for _ in range(_ROUNDS):
        for k, shape in enumerate(shapes):
            both = np.isfinite(shape[:, 0]) & np.isfinite(mean[:, 0])
            if both.sum() >= 4:
                out[k] = moved(shape, least_squares(shape[both], mean[both]))
            else:
                out[k] = np.nan
        seen = np.isfinite(out[..., 0])
        total = np.where(seen[..., None], out, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            fresh = total / seen.sum(axis=0)[:, None]
        fresh = _standard(fresh)
        both = np.isfinite(mean[:, 0]) & np.isfinite(fresh[:, 0])
        if both.any() and np.abs(fresh[both] - mean[both]).max() < _SMALLEST:
            break
        mean = fresh
    return out


def _standard(shape: Floats) -> Floats:
    off = shape - np.nanmean(shape, axis=0)
    return np.asarray(off / np.sqrt(np.nanmean((off**2).sum(axis=1))))
