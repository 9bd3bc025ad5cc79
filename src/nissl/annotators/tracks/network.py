"""The network: from a volume to features of each place, and from those to which neuron it is.

A pyramid of convolutions: planes are halved at once, z only where a plane is small already, for
voxels are longer along z; the coarsest level sees the whole animal, so that a neuron is known by
where it lies in it. All levels are added up at half the resolution of the planes (lateral
connections as in Lin et al. 2017, arXiv:1612.03144). One linear layer gives the scores of the
classes, background last; it need be asked only where there is something to know. Needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nissl.nets.backend import pytorch

torch: Any = pytorch()
nn: Any = torch.nn

STRIDE = 2
"""Voxels of a plane, along y and x, that features of one place stand for."""


@dataclass(frozen=True)
class NetworkSettings:
    """Shape of the network.

    Parameters
    ----------
    n_in : int
        Channels of a volume.
    n_classes : int
        Neurons; background comes on top.
    width : int
        Features of the finest level.
    """

    n_in: int
    n_classes: int
    width: int = 16


def _conv(n_in: int, n_out: int, size: tuple[int, int, int], stride: Any = 1) -> Any:
    padding = tuple(k // 2 for k in size)
    return nn.Sequential(
        nn.Conv3d(n_in, n_out, size, stride=stride, padding=padding, bias=False),
        nn.GroupNorm(4, n_out),
        nn.ReLU(),
    )


class TrackNet(nn.Module):
    """The network; `forward` gives features, `classify` scores of features.

    Parameters
    ----------
    settings : NetworkSettings
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        a, b, c, d = (settings.width * k for k in (1, 2, 4, 6))
        joined = 3 * settings.width
        flat, full = (1, 3, 3), (3, 3, 3)
        self.levels = nn.ModuleList(
            [
                nn.Sequential(_conv(settings.n_in, a, (3, 5, 5), (1, 2, 2)), _conv(a, a, flat)),
                nn.Sequential(_conv(a, b, flat, (1, 2, 2)), _conv(b, b, full)),
                nn.Sequential(_conv(b + 3, c, full, (2, 2, 2)), _conv(c, c, full)),
                nn.Sequential(_conv(c, d, full, (2, 2, 2)), _conv(d, d, full), _conv(d, d, full)),
            ]
        )
        self.lateral = nn.ModuleList([nn.Conv3d(n, joined, 1) for n in (a, b, c, d)])
        self.join = _conv(joined, joined, flat)
        self.last = nn.Linear(joined, settings.n_classes + 1)

    def forward(self, x: Any) -> Any:
        """Features (n, n_features, z, y / 2, x / 2) of volumes (n, n_in, z, y, x)."""
        maps = []
        out = x
        for k, level in enumerate(self.levels):
            if k == 2:  # the first level whose places are few: where each lies in the animal
                out = torch.cat([out, _places(x, out)], dim=1)
            out = level(out)
            maps.append(out)
        total = self.lateral[3](maps[3])
        for k in (2, 1):
            total = self.lateral[k](maps[k]) + _resized(total, maps[k])
        total = self.join(total)
        return nn.functional.relu(self.lateral[0](maps[0]) + _resized(total, maps[0]))

    def classify(self, features: Any) -> Any:
        """Scores (..., n_classes + 1) of features (..., n_features)."""
        return self.last(features)


def _resized(coarse: Any, fine: Any) -> Any:
    return nn.functional.interpolate(
        coarse, size=fine.shape[2:], mode="trilinear", align_corners=False
    )


def _places(x: Any, like: Any) -> Any:
    """Place (n, 3, ...) of each voxel from the centre of the light, in spreads of the light."""
    light = nn.functional.interpolate(x[:, :1].clamp_min(0), size=like.shape[2:]) ** 2 + 1e-6
    weight = light / light.sum(dim=(2, 3, 4), keepdim=True)
    made = []
    for axis in (2, 3, 4):
        shape = [1, 1, 1, 1, 1]
        shape[axis] = like.shape[axis]
        place = torch.arange(like.shape[axis], device=x.device, dtype=weight.dtype).view(shape)
        centre = (weight * place).sum(dim=(2, 3, 4), keepdim=True)
        spread = (weight * (place - centre) ** 2).sum(dim=(2, 3, 4), keepdim=True)
        made.append(((place - centre) / spread.sqrt().clamp_min(0.5)).expand_as(light))
    return torch.cat(made, dim=1).to(like.dtype)


__all__ = ["STRIDE", "NetworkSettings", "TrackNet"]
