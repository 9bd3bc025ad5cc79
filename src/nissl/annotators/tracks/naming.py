"""Which neuron each blob of a volume is, and where those are that no blob shows.

What networks say of each blob is joined with where each neuron should lie: a smooth displacement
(`nissl.annotators.tracks.assign.expected`) from volumes whose neurons have places. Both are
improved in turn, from wide to narrow, as in registration by coherent drift (Myronenko and Song
2010, arXiv:0905.2635). What comes out depends on where it began; of several beginnings (what the
networks say, the volume before, the volume after) the one that explains the blobs best stays.
Lengths are micrometres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.assign import Expected, Smoothness, best, expected, marginals

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rules:
    """How evidence and neighbours are joined.

    Parameters
    ----------
    widths : tuple of float
        Distance between a blob and its neuron that is tolerated, round by round, micrometres.
    floor : float
        Least logarithm of a probability that networks may give: they can be wrong.
    ground : float
        Logarithm of the density of blobs that are no neuron, per cubic micrometre.
    absent : float
        Logarithm of the odds that a neuron has no blob.
    smooth : Smoothness
    """

    widths: tuple[float, ...] = (1.5, 0.9, 0.6)
    floor: float = -6.0
    ground: float = -6.0
    absent: float = -3.0
    smooth: Smoothness = field(default_factory=lambda: Smoothness(0.8, 0.15, 0.02))


@dataclass(frozen=True, eq=False)
class Named:
    """The neurons of one volume.

    Parameters
    ----------
    blob : ndarray, shape (n_neurons,)
        Which blob each is, -1 for none.
    probability : ndarray, shape (n_neurons,)
        That it is that blob, as far as evidence tells; 0 for none.
    xyz : ndarray, shape (n_neurons, 3), um
        Of the blob, or where neighbours say that it is; NaN if they cannot tell.
    field : ndarray, shape (n_neurons, 3), um
        Where neighbours say that it is.
    spread : ndarray, shape (n_neurons,), um
        How far off that may be.
    score : float
        How well the blobs are explained, by blob.
    """

    blob: Ints
    probability: Floats
    xyz: Floats
    field: Floats
    spread: Floats
    score: float


def name_blobs(
    blobs: Floats,
    evidence: Floats,
    references: Sequence[Floats],
    rules: Rules | None = None,
    *,
    start: Floats | None = None,
) -> Named:
    """Name the blobs of a volume.

    Parameters
    ----------
    blobs : ndarray, shape (n_blobs, 3), um
    evidence : ndarray, shape (n_blobs, n_neurons + 1)
        Logarithms of probabilities, none of the neurons last.
    references : sequence of ndarray, shape (n_neurons, 3), um
        Places in similar volumes, NaN where unknown.
    rules : Rules, optional
    start : ndarray, shape (n_neurons, 3), um, optional
        Where neurons are about, to begin from; from evidence alone by default.
    """
    how = rules or Rules()
    bounded = np.maximum(evidence, how.floor)
    n = evidence.shape[1] - 1
    if start is None:
        where = None
        target, trust, _, _ = _assigned(blobs, evidence, how)
    else:
        where = Expected(start, np.full(n, how.widths[0]))
    blob, sure, score = np.full(n, -1, np.int64), np.zeros(n), -np.inf
    for width in how.widths:
        if where is None or width != how.widths[0]:
            where = _by_neighbours(references, target, trust, how.smooth)
        if not (len(blobs) and np.isfinite(where.xyz).any()):
            return Named(blob, sure, where.xyz, where.xyz, where.spread, -np.inf)
        joined, score = _joined(blobs, bounded, where, width, how)
        target, trust, blob, sure = _assigned(blobs, joined, how)
    last = _by_neighbours(references, target, trust, how.smooth)
    keep = (blob >= 0) & (sure > 0.3)
    xyz = np.where(keep[:, None], target, last.xyz)
    return Named(blob, sure, xyz, last.xyz, last.spread, score)


def _assigned(blobs: Floats, evidence: Floats, how: Rules) -> tuple[Floats, Floats, Ints, Floats]:
    """Place (NaN for none) and trust by neuron, and the blob with its probability."""
    chosen, share = best(evidence, how.absent), marginals(evidence, how.absent)
    has = chosen >= 0
    target = np.full((len(chosen), 3), np.nan)
    trust = np.zeros(len(chosen))
    if has.any():
        target[has] = blobs[chosen[has]]
        trust[has] = share[chosen[has], np.flatnonzero(has)]
    return target, trust, chosen, trust


def _joined(
    blobs: Floats, evidence: Floats, where: Expected, width: float, how: Rules
) -> tuple[Floats, float]:
    """Evidence with distances, normalised by blob; and the mean of what it was normalised by."""
    variance = np.nan_to_num(where.spread, nan=50.0) ** 2 + width**2
    apart = ((blobs[:, None] - where.xyz[None]) ** 2).sum(axis=2)
    near = -0.5 * np.nan_to_num(apart, nan=1e4) / variance - 1.5 * np.log(2 * np.pi * variance)
    joined = np.column_stack([evidence[:, :-1] + near, evidence[:, -1] + how.ground])
    top = joined.max(axis=1, keepdims=True)
    total = top + np.log(np.exp(joined - top).sum(axis=1, keepdims=True))
    return joined - total, float(total.mean())


def _by_neighbours(
    references: Sequence[Floats], target: Floats, trust: Floats, smooth: Smoothness
) -> Expected:
    """Mean of what several references say, weighted by how sure each is."""
    said = [expected(reference, target, trust, smooth) for reference in references]
    xyz = np.stack([each.xyz for each in said])
    spread = np.stack([each.spread for each in said])
    known = np.isfinite(xyz).all(axis=2) & np.isfinite(spread)
    weight = np.where(known, 1 / np.where(known, spread, 1.0) ** 2, 0.0)
    total = weight.sum(axis=0)
    mean = (np.nan_to_num(xyz) * weight[..., None]).sum(axis=0) / np.maximum(total, 1e-12)[:, None]
    wide = np.sqrt(known.sum(axis=0) / np.maximum(total, 1e-12))
    nothing = total <= 0
    mean[nothing], wide[nothing] = np.nan, np.nan
    return Expected(mean, wide)


__all__ = ["Named", "Rules", "name_blobs"]
