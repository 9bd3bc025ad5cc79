"""Classes of windows from a few labels, on an encoder that was pretrained or is fresh.

Needs PyTorch. Where the encoder shall stay as it is, a head of `nissl.nets.softmax` on what
`nissl.embed` gives is the cheaper way, and with few labels often the better one.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from nissl.nets.augment import Change
from nissl.nets.backend import pytorch, seeded
from nissl.nets.encoder import Encoder, EncoderSettings
from nissl.nets.layers import heard
from nissl.nets.training import Recipe, Trained, Windows, fit
from nissl.run.progress import Progress

torch: Any = pytorch()
nn: Any = torch.nn


class WindowNet(nn.Module):
    """An encoder for each channel of a fixed montage, and one linear layer.

    Parameters
    ----------
    encoder : Encoder
    n_channels, n_classes : int
    """

    def __init__(self, encoder: Encoder, n_channels: int, n_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        n = n_channels * encoder.settings.n_features
        self.say = nn.Sequential(nn.BatchNorm1d(n), nn.Dropout(0.5), nn.Linear(n, n_classes))

    def forward(self, x: Any) -> Any:
        """Scores, (n, n_classes), of windows (n, n_channels, n_samples)."""
        x, known = heard(x)
        n, c, t = x.shape
        features = self.encoder(x.reshape(n * c, 1, t)).reshape(n, c, -1)
        return self.say((features * known[:, :, None]).flatten(1))


def finetuned(
    encoder: Encoder | EncoderSettings,
    known: Windows,
    kept: Windows | None = None,
    *,
    n_classes: int,
    rng: np.random.Generator,
    recipe: Recipe | None = None,
    augment: Change | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> Trained:
    """Train encoder and head together.

    Parameters
    ----------
    encoder : Encoder or EncoderSettings
        Pretrained, of which a copy is changed; or the settings of a fresh one.
    known, kept : Windows
        `x` of shape (n, n_channels, n_samples), `y` of shape (n,).
    n_classes : int
    rng : numpy.random.Generator
    recipe, augment, progress, checkpoint : optional
        See `nissl.nets.training.fit`.
    """
    with seeded(rng):
        own = Encoder(encoder) if isinstance(encoder, EncoderSettings) else deepcopy(encoder)
        net = WindowNet(own, known.x.shape[1], n_classes)
    return fit(
        net,
        known,
        kept,
        rng=rng,
        recipe=recipe,
        augment=augment,
        progress=progress,
        checkpoint=checkpoint,
    )


__all__ = ["WindowNet", "finetuned"]
