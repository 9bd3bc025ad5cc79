"""From features of a volume to where each neuron is.

Two ways: dense, as published methods go (each class is where its probability is largest), and at
given places (blobs), where the probability of each class is asked for. Needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.network import TrackNet
from nissl.annotators.tracks.prepare import Grid
from nissl.nets.backend import device, pytorch

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Seen:
    """A volume as a network sees it.

    Parameters
    ----------
    net : TrackNet
    grid : Grid
    features : torch.Tensor, shape (n_features, z, y, x)
        At half the resolution of the planes of the grid.
    """

    net: TrackNet
    grid: Grid
    features: Any

    def at(self, xyz: npt.NDArray[Any]) -> Floats:
        """Logarithms of the probabilities of the classes at places, (n, n_classes + 1).

        Parameters
        ----------
        xyz : ndarray, shape (n, 3), voxels of the volume
        """
        torch = pytorch()
        if not len(xyz):
            return np.zeros((0, self.net.settings.n_classes + 1), np.float32)
        size = np.asarray(self.grid.size[::-1], np.float32)
        unit = (self.grid.to_grid(xyz) + 0.5) / size * 2 - 1
        with torch.no_grad():
            at = torch.as_tensor(unit, device=self.features.device)[None, None, None]
            read = torch.nn.functional.grid_sample(
                self.features[None].float(), at.float(), align_corners=False, padding_mode="border"
            )[0, :, 0, 0].T
            said = torch.log_softmax(self.net.classify(read), dim=1)
        return np.asarray(said.cpu().numpy(), np.float32)

    def probabilities(self) -> Floats:
        """Probabilities of the classes at each voxel, (n_classes + 1, z, y / 2, x / 2)."""
        torch = pytorch()
        with torch.no_grad():
            flat = self.features.float().flatten(1).T
            said = torch.softmax(self.net.classify(flat), dim=1).T
        shape = (said.shape[0], *self.features.shape[1:])
        return np.asarray(said.reshape(shape).cpu().numpy(), np.float32)

    def places(self) -> tuple[Floats, Floats]:
        """Where each class is most probable, (n_classes, 3) voxels of the volume, and how much.

        The place is the mean of the voxels around the best, weighted by probability.
        """
        maps = self.probabilities()[:-1]
        best = maps.reshape(len(maps), -1).argmax(axis=1)
        peak = np.stack(np.unravel_index(best, maps.shape[1:]), axis=1)
        sure = maps.reshape(len(maps), -1)[np.arange(len(maps)), best]
        size = np.asarray(maps.shape[1:])
        offsets = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1], indexing="ij"), -1)
        around = peak[:, None] + offsets.reshape(1, -1, 3)
        inside = np.all((around >= 0) & (around < size), axis=2)
        z, y, x = np.moveaxis(np.clip(around, 0, size - 1), 2, 0)
        weight = maps[np.arange(len(maps))[:, None], z, y, x] * inside + 1e-9
        mean = (around * weight[..., None]).sum(axis=1) / weight.sum(axis=1, keepdims=True)
        stride = np.asarray(self.grid.size) / size
        zyx = (mean + 0.5) * stride - 0.5
        return self.grid.from_grid(zyx[:, ::-1]), np.asarray(sure, np.float32)


def look(net: TrackNet, grid: Grid, read: Floats, *, on: str = "auto") -> Seen:
    """Show a volume to a network.

    Parameters
    ----------
    net : TrackNet
        In evaluation mode; moved to the device.
    grid : Grid
    read : ndarray, shape (n_channels, z, y, x)
        On the working grid; see `Grid.read`.
    on : {"auto", "cpu", "cuda"}
    """
    torch = pytorch()
    where = device(on)
    net.to(where)
    half = where.type == "cuda"
    with torch.no_grad(), torch.autocast(where.type, dtype=torch.bfloat16, enabled=half):
        features = net(torch.as_tensor(read, device=where)[None])[0]
    return Seen(net, grid, features)


__all__ = ["Seen", "look"]
