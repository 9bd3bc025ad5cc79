"""Temporal shapes of spikes: a basis that all templates share, and prototypes to detect with.

Prototypes are cut on the peak by parts of a sample, and then moved so that each comes when the
commonest one does. Otherwise prototypes differ by phase, a unit is detected by one or the other,
and its spikes make two heaps for no reason but the moment at which they were cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.finding.clustering import kmeans
from nissl.annotators.spikes.own.finding.detection import crossings
from nissl.annotators.spikes.own.templates.projection import N_PHASES, phases, project_at, shifted
from nissl.annotators.spikes.own.windows import Windows

Samples = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

LARGE = (10.0, 7.0, 5.5)
"""Crossings that the shapes are learnt from: the first threshold with enough of them."""
ENOUGH = 300
FEWEST = 30
N_SHAPES = 6
N_PROTOTYPES = 10
ALIKE = 0.95
"""Correlation from which two prototypes are one."""
REACH = 6
"""Samples by which prototypes are moved at most."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """Temporal shapes of spikes.

    Parameters
    ----------
    basis : ndarray, shape (n_shapes, n_scored), float32
        Orthonormal.
    prototypes : ndarray, shape (n_prototypes, n_shapes), float32
        Of unit norm, in the basis.
    """

    basis: Samples
    prototypes: Samples


def learn_shapes(
    z: Samples, position_um: Values, rate_hz: float, windows: Windows, rng: np.random.Generator
) -> Shapes | None:
    """Temporal shapes from large spikes on their own channels; None where there are too few.

    Parameters
    ----------
    z : ndarray, shape (n, n_channels), float32
        White samples.
    position_um : ndarray, shape (n_channels, 2)
    rate_hz : float
    windows : Windows
    rng : numpy Generator
    """
    for threshold in LARGE:
        large = crossings(z, position_um, threshold, rate_hz)
        if large.at.size >= ENOUGH:
            break
    first = large.at - windows.before
    large = large.taken((first >= 1) & (first + windows.scored < len(z)))
    if large.at.size < FEWEST:
        return None
    rows = (large.at - windows.before)[:, None] + np.arange(windows.scored)
    cut = z[rows, large.channel[:, None]]
    cut /= np.linalg.norm(cut, axis=1, keepdims=True)
    _, _, vectors = np.linalg.svd(cut, full_matrices=False)
    basis = np.ascontiguousarray(vectors[:N_SHAPES], dtype=np.float32)
    left, middle, right = (np.abs(z[large.at + late, large.channel]) for late in (-1, 0, 1))
    bend = np.maximum(2 * middle - left - right, 1e-6)
    shift = np.clip(0.5 * (right - left) / bend, -0.5, 0.5).astype(np.float32)
    channel = large.channel[:, None].astype(np.int32)
    inside = project_at(z, large.at, shift, channel, phases(basis), windows.before)[:, :, 0]
    inside /= np.maximum(np.linalg.norm(inside, axis=1, keepdims=True), 1e-9)
    labels = kmeans(inside, min(N_PROTOTYPES, len(inside)), rng)
    order = np.argsort(-np.bincount(labels), kind="stable")
    centres = np.stack([inside[labels == k].mean(axis=0) for k in order])
    return Shapes(basis, in_step(centres.astype(np.float32), basis))


def in_step(centres: Samples, basis: Samples) -> Samples:
    """Prototypes moved to where they are most like the first, none twice.

    Parameters
    ----------
    centres : ndarray, shape (n, n_shapes), float32
        In the basis.
    basis : ndarray, shape (n_shapes, n_scored), float32

    Returns
    -------
    ndarray, shape (<= n, n_shapes), float32
        Of unit norm.
    """
    kept: list[Samples] = []
    for centre in centres:
        wave = np.pad(centre @ basis, 2 * REACH)
        steps = range(-REACH * N_PHASES, REACH * N_PHASES + 1) if kept else (0,)
        moved = np.stack([shifted(wave, i / N_PHASES)[2 * REACH : -2 * REACH] for i in steps])
        inside = moved @ basis.T
        inside /= np.maximum(np.linalg.norm(inside, axis=1, keepdims=True), 1e-9)
        best = inside[int(np.argmax(inside @ kept[0]))] if kept else inside[0]
        if all(float(best @ other) < ALIKE for other in kept):
            kept.append(best.astype(np.float32))
    return np.stack(kept)
