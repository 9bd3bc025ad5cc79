"""How sure a name is: learned from animals that were left out of the atlas, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.animals import Animals
from nissl.annotators.names.naming import Naming
from nissl.annotators.names.transport import best
from nissl.trust.calibration import Calibration, choose

Floats = npt.NDArray[np.float64]

Namer = Callable[[Floats, Floats | None], Naming]
"""From places (n, 3) and colours (n, n_colours) of one animal to its names."""

FEWEST_ANIMALS = 3
"""With fewer, no animal can be left out of an atlas of two."""
_MOST = 6
"""Animals that are left out, one by one; more take longer and teach little."""
_SUREST = 0.995
"""A handful of animals cannot show that a name is right more often."""
_KINDS = ("identity", "temperature", "beta")


@dataclass(frozen=True, eq=False)
class Answers:
    """The best names of an animal's points, each name once.

    Parameters
    ----------
    name : ndarray, shape (n_points,), int64
        Index into the names, -1 where there are more points than names.
    confidence : ndarray, shape (n_points,)
    """

    name: npt.NDArray[np.int64]
    confidence: Floats


def answers(naming: Naming) -> Answers:
    """Choose one name for each point."""
    rows, columns = best(naming.probability)
    name = np.full(len(naming.probability), -1, np.int64)
    name[rows] = columns
    confidence = np.zeros(len(name))
    confidence[rows] = naming.probability[rows, columns]
    return Answers(name, np.clip(confidence, 0.0, 1.0))


def calibrated(
    animals: Animals,
    learned: Callable[[Animals], Namer],
    *,
    coloured: bool,
    rng: np.random.Generator,
    folds: int = 0,
) -> Calibration | None:
    """Map from confidences to how often such names are right in animals not seen before.

    Parameters
    ----------
    animals : Animals
    learned : callable
        Makes a namer of some animals; each animal is named by one made of all others.
    coloured : bool
        Whether names are to be given by colour as well.
    rng : numpy.random.Generator
    folds : int
        Groups of animals that are left out together, where making a namer takes long; 0 leaves
        out one at a time, and at most six.

    Returns
    -------
    Calibration of two classes (right, wrong), or None where too few animals are there
    """
    if animals.n_animals < FEWEST_ANIMALS:
        return None
    confidence, right, group = [], [], []
    n = animals.n_animals
    for out in _left_out(n, folds):
        namer = learned(animals.take(np.setdiff1d(np.arange(n), out)))
        for own in out.tolist():
            seen = np.flatnonzero(animals.seen[own])
            colours = animals.colours[own, seen] if coloured else None
            naming = namer(animals.xyz[own, seen], colours)
            found = answers(naming)
            truth = np.array(animals.names)[seen]
            named = np.array([*naming.names, ""])[found.name]
            confidence.append(found.confidence)
            right.append(named == truth)
            group.append(np.full(seen.size, own))
    sure = np.concatenate(confidence)
    wrong = (~np.concatenate(right)).astype(np.int64)
    p = np.stack([sure, 1 - sure], axis=1)
    return choose(p, wrong, np.concatenate(group).tolist(), rng=rng, kinds=_KINDS)[0]


def _left_out(n: int, folds: int) -> list[npt.NDArray[np.intp]]:
    """Animals that are left out together."""
    if folds:
        return [np.arange(first, n, folds) for first in range(min(folds, n))]
    return list(np.unique(np.linspace(0, n - 1, min(n, _MOST)).round().astype(int))[:, None])


def mapped(calibration: Calibration | None, confidence: Floats) -> Floats:
    """Calibrated confidences; NaN where nothing was left out to learn it from."""
    if calibration is None:
        return np.full(confidence.shape, np.nan)
    p = calibration.apply(np.stack([confidence, 1 - confidence], axis=1))[:, 0]
    return np.minimum(p, _SUREST)
