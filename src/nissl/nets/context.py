"""Classes of epochs from what lies in them and around them.

Each channel of each epoch is read by one small stack of convolutions; channels are pooled by
attention; then a context model runs over the epochs: dilated convolutions (Bai, Kolter and Koltun
2018, arXiv:1803.01271), a recurrent unit (Cho et al. 2014, arXiv:1406.1078), or attention between
epochs (Vaswani et al. 2017, arXiv:1706.03762). Needs PyTorch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from nissl.errors import BadArgumentError
from nissl.nets.backend import pytorch
from nissl.nets.encoder import Encoder, EncoderSettings
from nissl.nets.layers import Vote, heard

torch: Any = pytorch()
nn: Any = torch.nn

KINDS = ("convolution", "recurrent", "attention")


@dataclass(frozen=True)
class ContextSettings:
    """Shape of a model over epochs.

    Parameters
    ----------
    n_classes : int
    kind : {"convolution", "recurrent", "attention"}
        What runs over the epochs.
    width : int
        Features of an epoch; even, and a multiple of 4 for attention.
    layers : int
        Of the context model.
    dropout : float
    encoder : EncoderSettings
        Of a channel of an epoch.
    """

    n_classes: int
    kind: str = "recurrent"
    width: int = 32
    layers: int = 2
    dropout: float = 0.2
    encoder: EncoderSettings = field(default_factory=EncoderSettings)

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.width % 4:
            raise BadArgumentError(
                f"a kind among {KINDS} and a width that is a multiple of 4",
                f"{self.kind!r}, width {self.width}",
                "Change the settings.",
            )


class ContextNet(nn.Module):
    """The network; `forward` gives scores of classes.

    Parameters
    ----------
    settings : ContextSettings
    """

    def __init__(self, settings: ContextSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Encoder(settings.encoder)
        self.widen = nn.Linear(settings.encoder.n_features, settings.width)
        self.vote = Vote("attention", settings.width)
        self.drop = nn.Dropout(settings.dropout)
        make: dict[str, Any] = {
            "convolution": Dilated,
            "recurrent": Recurrent,
            "attention": Attention,
        }
        self.context = make[settings.kind](settings.width, settings.layers)
        self.classify = nn.Conv1d(settings.width, settings.n_classes, 1)

    def forward(self, x: Any) -> Any:
        """Say classes.

        Parameters
        ----------
        x : tensor, shape (n, n_epochs, n_channels, n_samples), float32
            A channel with NaN is not heard.

        Returns
        -------
        tensor, shape (n, n_classes, n_epochs), float32
        """
        x, known = heard(x)
        n, e, c, t = x.shape
        own = self.widen(self.encoder(x.reshape(n * e * c, 1, t)))
        own = own.reshape(n * e, c, self.settings.width, 1)
        pooled = (own * self.vote(own, known.reshape(n * e, c))).sum(dim=1)
        epochs = self.drop(pooled.reshape(n, e, self.settings.width))
        return self.classify(self.context(epochs.transpose(1, 2)))


class Dilated(nn.Module):
    """Convolutions over epochs, each reaching twice as far; (n, width, n_epochs) to the same."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(width, width, 3, padding=2**k, dilation=2**k),
                nn.BatchNorm1d(width),
                nn.ELU(),
            )
            for k in range(layers)
        )

    def forward(self, x: Any) -> Any:
        """Add each layer's answer to what it was given."""
        for layer in self.layers:
            x = x + layer(x)
        return x


class Recurrent(nn.Module):
    """A gated unit that runs over epochs in both directions."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.unit = nn.GRU(width, width // 2, layers, batch_first=True, bidirectional=True)

    def forward(self, x: Any) -> Any:
        """Add what the surroundings say to each epoch."""
        around, _ = self.unit(x.transpose(1, 2))
        return x + around.transpose(1, 2)


class Attention(nn.Module):
    """Blocks of attention between epochs, normalised before (four heads)."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.before = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.ask = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.answer = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.after = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 2 * width),
                nn.GELU(),
                nn.Linear(2 * width, width),
            )
            for _ in range(layers)
        )

    def forward(self, x: Any) -> Any:
        """Mix the epochs; sines tell how far apart they are."""
        x = x.transpose(1, 2)
        n, e, w = x.shape
        at = torch.arange(e, dtype=x.dtype, device=x.device)[:, None]
        pace = torch.exp(
            torch.arange(0, w, 2, dtype=x.dtype, device=x.device) * (-math.log(1000.0) / w)
        )
        x = x + torch.cat([torch.sin(at * pace), torch.cos(at * pace)], dim=1)
        for before, ask, answer, after in zip(
            self.before, self.ask, self.answer, self.after, strict=True
        ):
            parts = ask(before(x)).reshape(n, e, 3, 4, w // 4).permute(2, 0, 3, 1, 4)
            mixed = nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
            x = x + answer(mixed.transpose(1, 2).reshape(n, e, w))
            x = x + after(x)
        return x.transpose(1, 2)


__all__ = ["KINDS", "ContextNet", "ContextSettings"]
