"""A segmenter of time: a class for every period of a recording with any number of channels.

In the manner of U-Time and U-Sleep (Perslev et al. 2019, arXiv:1910.11162; 2021, npj Digit.
Med. 4, 72): a U-Net of one-dimensional convolutions gives dense features, which are averaged
over each period (a sample, a second, an epoch of sleep) and classified. Here one network reads
each channel by itself and channels vote, so that neither their number nor their order is built
in; recordings of any rate are resampled before (`nissl.nets.windows`). Needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import lcm, prod
from typing import Any

from nissl.errors import BadArgumentError
from nissl.nets.backend import pytorch
from nissl.nets.layers import Vote, block, heard

torch: Any = pytorch()
nn: Any = torch.nn


@dataclass(frozen=True)
class UNetSettings:
    """Shape of a segmenter.

    Parameters
    ----------
    n_classes : int
    period : int
        Samples for which one answer is given.
    pools : tuple of int
        By how much each level is coarser than the one above.
    width : int
        Features of the first level; each further one has half as many again.
    kernel : int
        Samples of a convolution, odd.
    vote : {"mean", "attention"}
        How channels are combined; see `nissl.nets.layers.Vote`.
    """

    n_classes: int
    period: int = 1
    pools: tuple[int, ...] = (4, 4, 4)
    width: int = 8
    kernel: int = 7
    vote: str = "attention"

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0 or self.n_classes < 2 or self.period < 1:
            raise BadArgumentError(
                "an odd kernel, at least two classes and a period of at least one sample",
                f"kernel {self.kernel}, {self.n_classes} classes, period {self.period}",
                "Change the settings.",
            )
        if self.vote not in ("mean", "attention"):
            raise BadArgumentError('"mean" or "attention"', repr(self.vote), "Choose one.")

    @property
    def multiple(self) -> int:
        """Samples of which the length of a window must be a multiple."""
        return lcm(prod(self.pools), self.period)


class UNet1d(nn.Module):
    """The network; `forward` gives logarithms of probabilities.

    Parameters
    ----------
    settings : UNetSettings
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = [round(settings.width * 1.5**k) for k in range(len(settings.pools) + 1)]
        k = settings.kernel
        pairs = list(pairwise(widths))
        self.first = block(1, widths[0], k)
        self.down = nn.ModuleList([block(a, b, k) for a, b in pairs])
        self.up = nn.ModuleList([block(b, a, k) for a, b in pairs])
        self.join = nn.ModuleList([block(2 * a, a, k) for a, _ in pairs])
        self.vote = Vote(settings.vote, widths[0])
        self.classify = nn.Sequential(
            nn.Conv1d(widths[0], 2 * widths[0], 1),
            nn.ELU(),
            nn.Conv1d(2 * widths[0], settings.n_classes, 1),
        )

    def forward(self, x: Any) -> Any:
        """Say classes.

        Parameters
        ----------
        x : tensor, shape (n, n_channels, n_samples), float32
            `n_samples` a multiple of `settings.multiple`; a channel with NaN is not heard.

        Returns
        -------
        tensor, shape (n, n_classes, n_samples / period), float32
        """
        x, known = heard(x)
        n, c, t = x.shape
        features = self._dense(x.reshape(n * c, 1, t))
        if self.settings.period > 1:
            features = nn.functional.avg_pool1d(features, self.settings.period)
        width, periods = features.shape[1:]
        said = torch.log_softmax(self.classify(features), dim=1)
        weights = self.vote(features.reshape(n, c, width, periods), known)
        own = said.reshape(n, c, self.settings.n_classes, periods)
        return torch.logsumexp(own + torch.log(weights.clamp_min(1e-12)), dim=1)

    def _dense(self, x: Any) -> Any:
        """Features of every sample, (n, width, n_samples), of one channel, (n, 1, n_samples)."""
        levels = [self.first(x)]
        for pool, down in zip(self.settings.pools, self.down, strict=True):
            levels.append(down(nn.functional.max_pool1d(levels[-1], pool)))
        out = levels.pop()
        for k in reversed(range(len(self.settings.pools))):
            finer = nn.functional.interpolate(out, scale_factor=float(self.settings.pools[k]))
            out = self.join[k](torch.cat([self.up[k](finer), levels[k]], dim=1))
        return out


__all__ = ["UNet1d", "UNetSettings"]
