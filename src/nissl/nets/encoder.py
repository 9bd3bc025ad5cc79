"""Encoder of one channel: a window to tokens along time, and to one vector. Needs PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from nissl.errors import BadArgumentError
from nissl.nets.backend import pytorch
from nissl.nets.layers import block

torch: Any = pytorch()
nn: Any = torch.nn


@dataclass(frozen=True)
class EncoderSettings:
    """Shape of an encoder.

    Parameters
    ----------
    width : int
        Features of a token.
    strides : tuple of int
        Of each convolution; a token stands for their product in samples.
    kernel : int
        Samples of the first convolution, in units of its stride; the others see 3 strides.
    """

    width: int = 32
    strides: tuple[int, ...] = (4, 4, 2)
    kernel: int = 8

    def __post_init__(self) -> None:
        if self.width < 4 or not self.strides or min(self.strides) < 1:
            raise BadArgumentError(
                "at least four features and strides of at least 1",
                f"width {self.width}, strides {self.strides}",
                "Change the settings.",
            )

    @property
    def stride(self) -> int:
        """Samples of a token."""
        return prod(self.strides)

    @property
    def n_features(self) -> int:
        """Features of a window: mean and spread over its tokens."""
        return 2 * self.width


class Encoder(nn.Module):
    """The network.

    Parameters
    ----------
    settings : EncoderSettings
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        n_in, layers = 1, []
        for k, stride in enumerate(settings.strides):
            kernel = stride * (settings.kernel if k == 0 else 3)
            layers.append(block(n_in, settings.width, kernel, stride))
            n_in = settings.width
        self.layers = nn.Sequential(*layers)

    def tokens(self, x: Any) -> Any:
        """Tokens, (n, width, about n_samples / stride), of windows (n, 1, n_samples)."""
        return self.layers(x)

    def forward(self, x: Any) -> Any:
        """Features of windows, (n, 2 width): mean and standard deviation over the tokens."""
        tokens = self.tokens(x)
        mean = tokens.mean(dim=2)
        spread = ((tokens - mean[:, :, None]) ** 2).mean(dim=2)
        return torch.cat([mean, torch.sqrt(spread + 1e-5)], dim=1)


__all__ = ["Encoder", "EncoderSettings"]
