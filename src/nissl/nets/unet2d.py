"""A U-Net of two-dimensional convolutions (Ronneberger et al. 2015, arXiv:1505.04597).

Small on purpose: with a hundred thousand parameters it runs on a laptop's processor in
about a second per megapixel. Needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from nissl.nets.backend import pytorch

torch: Any = pytorch()
nn: Any = torch.nn


@dataclass(frozen=True)
class UNet2dSettings:
    """Shape of the network.

    Parameters
    ----------
    n_in, n_out : int
        Images that it reads, and maps that it gives.
    widths : tuple of int
        Features of each level; each is half as fine as the one before.
    """

    n_in: int
    n_out: int
    widths: tuple[int, ...] = (12, 20, 32, 48)

    @property
    def multiple(self) -> int:
        """Pixels of which height and width must be multiples."""
        return int(2 ** (len(self.widths) - 1))


def _block(n_in: int, n_out: int) -> Any:
    layers: list[Any] = []
    for first, last in ((n_in, n_out), (n_out, n_out)):
        layers += [nn.Conv2d(first, last, 3, padding=1), nn.BatchNorm2d(last), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet2d(nn.Module):
    """The network; `forward` gives scores, not probabilities.

    Parameters
    ----------
    settings : UNet2dSettings
    """

    def __init__(self, settings: UNet2dSettings) -> None:
        super().__init__()
        self.settings = settings
        pairs = list(pairwise(settings.widths))
        self.first = _block(settings.n_in, settings.widths[0])
        self.down = nn.ModuleList([_block(a, b) for a, b in pairs])
        self.up = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairs])
        self.join = nn.ModuleList([_block(2 * a, a) for a, _ in pairs])
        self.last = nn.Conv2d(settings.widths[0], settings.n_out, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Any) -> Any:
        """Scores, (n, n_out, h, w), of images (n, n_in, h, w)."""
        levels = [self.first(x.contiguous(memory_format=torch.channels_last))]
        for down in self.down:
            levels.append(down(nn.functional.max_pool2d(levels[-1], 2)))
        out = levels.pop()
        for k in reversed(range(len(self.down))):
            finer = nn.functional.interpolate(self.up[k](out), scale_factor=2.0)
            out = self.join[k](torch.cat([finer, levels[k]], dim=1))
        return self.last(out)


__all__ = ["UNet2d", "UNet2dSettings"]
