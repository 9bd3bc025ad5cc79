"""From features of a volume to masks, plane by plane, so that memory does not grow with neurons.

Each voxel is of its most probable class; a neuron is its largest piece, holes filled. Needs
PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.decode import look
from nissl.annotators.tracks.mask_synthesis import tidied
from nissl.annotators.tracks.network import TrackNet
from nissl.annotators.tracks.prepare import Grid
from nissl.nets.backend import pytorch

Floats = npt.NDArray[np.float32]
LEAST_VOXELS = 2
"""Of a mask; less is noise."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Masks of one volume.

    Parameters
    ----------
    mask : ndarray, shape (z, y, x), int32
        1 for the first neuron, 0 for none.
    probability : ndarray, shape (n_neurons,)
        Mean probability of the own class over the neuron's voxels, by the network, which is
        surer than right; NaN where it has none.
    size : ndarray, shape (n_neurons,), int64
        Voxels.
    """

    mask: npt.NDArray[np.int32]
    probability: Floats
    size: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Drawer:
    """A network that draws masks, and how far a voxel must stand out to be a neuron's.

    Teaching asks for as many voxels of neurons as of ground, so that the network takes too many
    for neurons; a margin for each neuron makes masks as large as those that people drew.

    Parameters
    ----------
    net : TrackNet
    grid : Grid
    margin : ndarray, shape (n_neurons,)
        By which a neuron's score must exceed that of the ground.
    usual : ndarray, shape (n_neurons,)
        Voxels of a neuron in annotated volumes, the median. A neuron that is there at all gets
        half of them at least, its clearest, for the network is less sure of new volumes.
    device : {"auto", "cpu", "cuda"}
    """

    net: TrackNet
    grid: Grid
    margin: Floats
    usual: Floats
    device: str = "auto"

    def __call__(self, volume: npt.NDArray[np.float32]) -> Drawn:
        """Masks of a volume (c, z, y, x)."""
        best, lead, sure = _scored(self.net, self.grid, volume, self.device)
        mask = np.zeros(best.shape, np.int32)
        likely = np.flatnonzero(lead.ravel() > 0)
        owner, clear = best.ravel()[likely], lead.ravel()[likely]
        for k in np.unique(owner).tolist():
            own = np.flatnonzero(owner == k)
            n = max(int((clear[own] > self.margin[k]).sum()), int(np.ceil(self.usual[k] / 2)))
            own = own[np.argsort(-clear[own], kind="stable")[:n]]
            mask.ravel()[likely[own]] = k + 1
        return _summed(tidied(mask), sure, len(self.margin))


def fitted(
    net: TrackNet,
    grid: Grid,
    annotated: Iterable[tuple[npt.NDArray[np.float32], npt.NDArray[np.integer[Any]]]],
    device: str = "auto",
) -> Drawer:
    """Margins by which masks of annotated volumes are as large as they were drawn.

    Parameters
    ----------
    net : TrackNet
    grid : Grid
    annotated : iterable of (volume, mask)
        (c, z, y, x), and (z, y, x) with 1 for the first neuron.
    device : {"auto", "cpu", "cuda"}
    """
    n = net.settings.n_classes
    leads: list[list[Floats]] = [[] for _ in range(n)]
    sizes = []
    for volume, mask in annotated:
        best, lead, _ = _scored(net, grid, volume, device)
        size = np.bincount(mask.ravel(), minlength=n + 1)[1 : n + 1]
        sizes.append(size)
        for k in np.flatnonzero(size).tolist():
            leads[k].append(lead[(best == k) & (lead > 0)])
    margin, table = np.zeros(n, np.float32), np.stack(sizes)
    wanted = table.sum(axis=0)
    usual = np.array([np.median(row[row > 0]) if row.any() else 0 for row in table.T], np.float32)
    for k in range(n):
        own = np.concatenate(leads[k]) if leads[k] else np.zeros(0, np.float32)
        if own.size > wanted[k] > 0:
            margin[k] = np.partition(own, own.size - wanted[k])[own.size - wanted[k]] - 1e-6
    return Drawer(net, grid, margin, usual, device)


def _summed(mask: npt.NDArray[np.int32], sure: Floats, n: int) -> Drawn:
    size = np.bincount(mask.ravel(), minlength=n + 1)[1 : n + 1]
    mask[np.isin(mask, np.flatnonzero(size < LEAST_VOXELS) + 1)] = 0
    size = np.where(size < LEAST_VOXELS, 0, size)
    total = np.bincount(mask.ravel(), sure.ravel(), minlength=n + 1)[1 : n + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(size > 0, total / size, np.nan)
    return Drawn(mask, mean.astype(np.float32), size.astype(np.int64))


def _scored(
    net: TrackNet, grid: Grid, volume: npt.NDArray[np.float32], device: str
) -> tuple[npt.NDArray[np.int32], Floats, Floats]:
    """Most probable neuron of each voxel, its lead before the ground, and its probability."""
    torch = pytorch()
    seen = look(net, grid, grid.read(volume), on=device)
    depth, height, width = grid.shape
    best = np.zeros((depth, height, width), np.int32)
    lead = np.full((depth, height, width), -np.inf, np.float32)
    sure = np.zeros((depth, height, width), np.float32)
    rows, columns = (n * grid.factor for n in grid.size[1:])
    with torch.no_grad():
        for z in range(depth):
            plane = torch.nn.functional.interpolate(
                seen.features[None, :, z].float(), size=(rows, columns), mode="bilinear",
                align_corners=False,
            )[0]  # fmt: skip
            scores = net.classify(plane.flatten(1).T)
            most, which = scores[:, :-1].max(dim=1)
            here = best[z, :rows, :columns], lead[z, :rows, :columns], sure[z, :rows, :columns]
            told = which, most - scores[:, -1], (most - scores.logsumexp(dim=1)).exp()
            for into, values in zip(here, told, strict=True):
                into[:] = values.reshape(rows, columns).cpu().numpy()
    return best, lead, sure


__all__ = ["Drawer", "Drawn", "fitted"]
