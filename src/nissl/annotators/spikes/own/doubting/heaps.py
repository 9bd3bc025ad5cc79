"""How far the spikes of a unit, or of two units together, make two heaps rather than one.

Units are matched once more to some seconds of the recording; their spikes, freed of all others,
are divided in two where they are most unlike, or between two units, and looked at along the line
between the two parts (`finding.regrouping.between`). Parts that take turns in time are not told
from one: the tissue may have moved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.clustering import kmeans, reduce_features
from nissl.annotators.spikes.own.finding.regrouping import Pair, alike, between, cleaned
from nissl.annotators.spikes.own.finding.seeking import sought
from nissl.annotators.spikes.own.matching.matching import screen_of
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.matching.sparing import pursue_screened
from nissl.annotators.spikes.own.matching.subtraction import subtract
from nissl.annotators.spikes.own.preprocessing.front import Front
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.data import Signal

Samples = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

SECONDS = 30.0
MOST_VALUES = 30_000_000
"""White samples times channels that are looked at."""
LIKENESS = 0.6
"""Correlation of templates from which two units might be one."""
FEWEST = 40
"""Spikes below which nothing is said of a unit."""
LEAST = 10
"""Spikes of the smaller part."""
N_CHANNELS = 8
STARTS = 3
TOGETHER, PIECES = 0.4, 20
"""Overlap of the trains, over so many pieces of what is looked at, below which two take turns."""


@dataclass(frozen=True, eq=False)
class Looked:
    """Some seconds of a recording in which units were matched once more.

    Parameters
    ----------
    templates : Templates
    spikes : Matched
    residual : ndarray, shape (n, n_channels), float32
        White samples without all spikes.
    """

    templates: Templates
    spikes: Matched
    residual: Samples

    def features(self, template: int, channels: Ints, lag: float = 0.0) -> tuple[Samples, Ints]:
        """Of a template's spikes freed of all others.

        Returns
        -------
        features : ndarray, shape (n, n_shapes, n_near), float32
            Noise of unit variance.
        piece : ndarray, shape (n,), int64
            In which of `PIECES` pieces of what is looked at each lies.
        """
        found, rows = cleaned(self.templates, self.residual, self.spikes, template, channels, lag)
        return found, self.spikes.at[rows] * PIECES // max(len(self.residual), 1)

    def channels(self, template: int) -> Ints:
        """The largest channels of a template."""
        power = np.sum(self.templates.waveforms[template] ** 2, axis=0)
        return np.sort(np.argsort(-power, kind="stable")[:N_CHANNELS])


@dataclass(frozen=True)
class Heaps:
    """Two parts of some spikes.

    Parameters
    ----------
    ratio : float
        Log likelihood ratio of two heaps over one, along the line between the parts; 0 where they
        take turns.
    share : float
        Of the spikes that are in the smaller part.
    """

    ratio: float = 0.0
    share: float = 0.5


def looked(signal: Signal, front: Front, templates: Templates) -> Looked:
    """Match the units to some stretches that are spread over the recording."""
    n_channels = len(front.whitening.matrix)
    seconds = min(SECONDS, MOST_VALUES / (front.rate_hz * n_channels))
    z = sought(signal, front, seconds).z
    z, spikes = pursue_screened(z, templates, front.rate_hz, screen_of(signal, front))
    return Looked(templates, spikes, subtract(z, spikes, templates))


def of_unit(at: Looked, templates: Ints, rng: np.random.Generator) -> Heaps | None:
    """Heaps of one unit, which may have several templates; None where it has too few spikes."""
    count = np.bincount(at.spikes.unit, minlength=len(at.templates))[templates]
    if count.sum() < FEWEST:
        return None
    main = int(templates[np.argmax(count)])
    channels = at.channels(main)
    parts = [at.features(int(k), channels) for k in templates[count > 0]]
    features, pieces = (np.concatenate(each) for each in zip(*parts, strict=True))
    return divided(features, pieces, norm(at, main), rng)


def divided(features: Samples, piece: Ints, size: float, rng: np.random.Generator) -> Heaps:
    """Heaps of spikes that are cut in two where they are most unlike; see `parted`."""
    return parted(features, piece, size, rng)[0]


def parted(
    features: Samples, piece: Ints, size: float, rng: np.random.Generator
) -> tuple[Heaps, npt.NDArray[np.bool_]]:
    """Cut spikes in two where they are most unlike: the most of some cuts.

    Parameters
    ----------
    features : ndarray, shape (n, n_shapes, n_near), float32
        Noise of unit variance.
    piece : ndarray, shape (n,), int64
        When each spike was, 0 to `PIECES` - 1.
    size : float
        Norm of the template.
    rng : numpy.random.Generator

    Returns
    -------
    Heaps
    ndarray, shape (n,), bool
        The smaller part; nothing in it where no cut makes two heaps.
    """
    best, smaller = Heaps(), np.zeros(len(features), bool)
    reduced = reduce_features(features)
    for _ in range(STARTS):
        label = kmeans(reduced, 2, rng)
        count = np.bincount(label, minlength=2)
        if count.min() >= LEAST and together(piece[label == 0], piece[label == 1]) >= TOGETHER:
            ratio = between(reduced[label == 0], reduced[label == 1], size)
            if ratio > best.ratio:
                best = Heaps(ratio, float(count.min() / count.sum()))
                smaller = label == int(np.argmin(count))
    return best, smaller


def of_pair(at: Looked, pair: Pair) -> Heaps | None:
    """Heaps of the spikes of two templates; None where either has too few, or they take turns."""
    sizes = norm(at, pair.one), norm(at, pair.other)
    channels = at.channels(pair.one if sizes[0] >= sizes[1] else pair.other)
    one, early = at.features(pair.one, channels)
    other, late = at.features(pair.other, channels, pair.lag)
    count = len(one), len(other)
    if min(count) < LEAST or sum(count) < FEWEST:
        return None
    if together(early, late) < TOGETHER:
        return None
    flat = reduce_features(np.concatenate([one, other]))
    ratio = between(flat[: len(one)], flat[len(one) :], max(sizes))
    return Heaps(ratio, min(count) / sum(count))


def together(one: Ints, other: Ints) -> float:
    """How far two fire at the same time: overlap of their shares over pieces, 0 to 1."""
    counts = [np.bincount(each, minlength=PIECES) / max(each.size, 1) for each in (one, other)]
    return float(np.minimum(*counts).sum())


def near_pairs(at: Looked, unit: Ints) -> list[Pair]:
    """Templates of different units that are alike."""
    return [pair for pair in alike(at.templates, LIKENESS) if unit[pair.one] != unit[pair.other]]


def norm(at: Looked, template: int) -> float:
    """Norm of a template, noise SDs."""
    return float(np.sqrt(at.templates.norms[template]))
