"""EEGNet, a compact convolutional network for trials: `decoding/eegnet`.

Lawhern, Solon, Waytowich, Gordon, Hung and Lance 2018, EEGNet: a compact convolutional neural
network for EEG-based brain-computer interfaces, J. Neural Eng. 15, 056013, table 2: temporal
filters, spatial filters of each with norm at most 1, separable convolution, one linear layer. Here
the spatial filter comes first, with a temporal filter of its own: both are linear, so their order
is free, and this one costs as many times less as there are channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nissl.annotators.decoding.estimator import (
    Chances,
    Codes,
    Trials,
    checked_examples,
    checked_trials,
    softmax,
)
from nissl.errors import BadArgumentError, MissingDependencyError
from nissl.nets.augment import Change

INSTALL = "pip install 'nissl[train]'"
MAX_NORM, MAX_NORM_OUT = 1.0, 0.25


def missing() -> Mapping[str, str]:
    """PyTorch with the command that installs it, where it is not there."""
    from importlib.util import find_spec

    return {} if find_spec("torch") else {"torch": INSTALL}


@dataclass(frozen=True)
class EegNet:
    """EEGNet with its training.

    Parameters
    ----------
    rate_hz : float
        Of the trials; the temporal filters last half a second.
    n_filters : int
        Spatial filters, each with a temporal one (F1 x D).
    dropout : float
    epochs : int
        At most.
    patience : int
        Epochs without improvement on the last fifth of each class's trials, which are not
        trained on, before it stops; the best state is kept.
    batch : int
    step : float
        Of Adam.
    augment : callable, optional
        See `nissl.nets.augment.augmenter`; applied to each batch.
    """

    rate_hz: float
    n_filters: int = 16
    dropout: float = 0.5
    epochs: int = 150
    patience: int = 30
    batch: int = 32
    step: float = 2e-3
    augment: Change | None = None

    def fit(self, x: Trials, y: Codes, *, rng: np.random.Generator) -> FittedNet:
        """Train on trials; the same generator state gives the same network."""
        if missing():
            raise MissingDependencyError("PyTorch", "no such package", f"Install it: {INSTALL}")
        import torch

        trials, codes, n_classes = checked_examples(x, y)
        if trials.shape[2] < 32:
            raise BadArgumentError(
                "windows of at least 32 samples", f"{trials.shape[2]}", "Cut longer windows."
            )
        scale = trials.std(axis=(0, 2), keepdims=True)
        scale = np.where(scale > 0, scale, 1.0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31 - 1)))
            net = network(self, trials.shape[1], trials.shape[2], n_classes)
            _train(self, net, trials / scale, codes, n_classes, rng)
        return FittedNet(net.eval(), scale)


@dataclass(frozen=True)
class FittedNet:
    """What `EegNet.fit` returns."""

    net: Any
    scale: Trials

    def predict_proba(self, x: Trials) -> Chances:
        """Probabilities, (n_trials, n_classes)."""
        import torch

        values = checked_trials(x) / self.scale
        with torch.no_grad():
            scores = self.net(torch.as_tensor(values, dtype=torch.float32)[:, None])
        return softmax(np.asarray(scores.numpy(), dtype=np.float64))


def network(settings: EegNet, n_channels: int, n_samples: int, n_classes: int) -> Any:
    """The layers, as one ``torch.nn.Sequential`` of (n, 1, n_channels, n_samples)."""
    from torch import nn

    f2 = settings.n_filters
    length = min(round(settings.rate_hz / 2), n_samples // 2) | 1  # odd, to be centred
    pooled = n_samples // 4 // 8
    return nn.Sequential(
        nn.Conv2d(1, f2, (n_channels, 1), bias=False),
        nn.Conv2d(f2, f2, (1, length), padding="same", groups=f2, bias=False),
        nn.BatchNorm2d(f2),
        nn.ELU(),
        nn.AvgPool2d((1, 4)),
        nn.Dropout(settings.dropout),
        nn.Conv2d(f2, f2, (1, 15), padding="same", groups=f2, bias=False),
        nn.Conv2d(f2, f2, 1, bias=False),
        nn.BatchNorm2d(f2),
        nn.ELU(),
        nn.AvgPool2d((1, 8)),
        nn.Dropout(settings.dropout),
        nn.Flatten(),
        nn.Linear(f2 * pooled, n_classes),
    )


def _train(
    settings: EegNet,
    net: Any,
    x: Trials,
    y: Codes,
    n_classes: int,
    rng: np.random.Generator,
) -> None:
    """Train in place and leave the state that was best on the trials kept aside."""
    import torch

    aside = _last_fifth(y)
    weight = torch.as_tensor(len(y) / (n_classes * np.bincount(y)), dtype=torch.float32)
    loss_of = torch.nn.CrossEntropyLoss(weight=weight)
    optimiser = torch.optim.Adam(net.parameters(), lr=settings.step)
    kept = torch.as_tensor(x[aside], dtype=torch.float32)[:, None]
    kept_y = torch.as_tensor(y[aside])
    best, state, waited = np.inf, None, 0
    rows = np.flatnonzero(~aside)
    for _ in range(settings.epochs):
        net.train()
        order = rng.permutation(rows)
        for part in np.array_split(order, max(1, round(order.size / settings.batch))):
            seen, label = x[part], y[part]
            if settings.augment is not None:
                seen, label = settings.augment(seen, label, rng)
            optimiser.zero_grad()
            scores = net(torch.as_tensor(seen, dtype=torch.float32)[:, None])
            loss_of(scores, torch.as_tensor(label)).backward()
            optimiser.step()
            _bounded(net)
        net.eval()
        with torch.no_grad():
            loss = float(loss_of(net(kept), kept_y))
        if loss < best:
            best, waited = loss, 0
            state = {name: value.clone() for name, value in net.state_dict().items()}
        else:
            waited += 1
        if waited >= settings.patience:
            break
    if state is not None:
        net.load_state_dict(state)


def _bounded(net: Any) -> None:
    """Keep the norm of each spatial filter, and of each output's weights, within its bound."""
    import torch

    with torch.no_grad():
        for layer, most in ((net[0], MAX_NORM), (net[-1], MAX_NORM_OUT)):
            layer.weight.copy_(torch.renorm(layer.weight, p=2, dim=0, maxnorm=most))


def _last_fifth(y: Codes) -> Any:
    """Whether each trial is among the last fifth of its class, at least one of each."""
    aside = np.zeros(len(y), bool)
    for k in np.unique(y):
        own = np.flatnonzero(y == k)
        aside[own[-max(1, own.size // 5) :]] = True
    return aside
