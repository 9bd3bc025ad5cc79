"""Velocity from spike counts by convolution and recurrence: the end-to-end decoder.

Counts of each bin go through a convolution over the last bins and a gated recurrent unit (Cho et
al. 2014, arXiv:1406.1078), and one linear layer. It looks back only. PyTorch is imported inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nissl.annotators.decoding.eegnet import INSTALL, missing
from nissl.annotators.decoding.kinematics import Array, Stretches, checked, parted
from nissl.errors import MissingDependencyError, MissingInputError


@dataclass(frozen=True)
class Recurrent:
    """Convolution over `n_lags` bins, GRU, linear layer; an ensemble of `members`.

    Parameters
    ----------
    n_lags : int
        Bins that the convolution sees.
    hidden : int
    history : int
        Bins of a training example; gradients go back so far.
    dropout : float
        Of counts and of hidden values.
    epochs, patience : int
        At most so many; stops after `patience` without improvement on the last third.
    batch : int
    step : float
        Of Adam.
    members : int
        Networks whose answers are averaged.
    """

    n_lags: int = 3
    hidden: int = 64
    history: int = 15
    dropout: float = 0.4
    epochs: int = 60
    patience: int = 8
    batch: int = 128
    step: float = 2e-3
    members: int = 1

    def fit(
        self, counts: Array, target: Array, stretches: Stretches, *, rng: np.random.Generator
    ) -> FittedRecurrent:
        """Train; the same generator state gives the same networks."""
        if missing():
            raise MissingDependencyError("PyTorch", "no such package", f"Install it: {INSTALL}")
        import torch

        x, y = checked(counts, target)
        x = np.sqrt(x)  # steadies the variance of counts
        used = np.concatenate([x[a:b] for a, b in stretches])
        wanted = np.concatenate([y[a:b] for a, b in stretches])
        frame = (used.mean(axis=0), used.std(axis=0), wanted.mean(axis=0), wanted.std(axis=0))
        frame = (frame[0], np.where(frame[1] > 0, frame[1], 1.0), *frame[2:])
        x, y = (x - frame[0]) / frame[1], (y - frame[2]) / np.where(frame[3] > 0, frame[3], 1.0)
        early, late = parted(stretches)
        known = _examples(x, y, early, self.history)
        kept = _examples(x, y, late, self.history)
        nets = []
        with torch.random.fork_rng(devices=[]):
            for _ in range(self.members):
                torch.manual_seed(int(rng.integers(2**31 - 1)))
                net = _network(self, x.shape[1], y.shape[1])
                n_epochs = _train(self, net, known, kept, rng)
                whole = _examples(x, y, stretches, self.history)
                net = _network(self, x.shape[1], y.shape[1])
                _train(self, net, whole, None, rng, n_epochs)
                nets.append(net.eval())
        return FittedRecurrent(tuple(nets), frame, self.history)


@dataclass(frozen=True)
class FittedRecurrent:
    """What `Recurrent.fit` returns."""

    nets: tuple[Any, ...]
    frame: tuple[Array, Array, Array, Array]
    history: int

    def predict(self, counts: Array) -> Array:
        """Target of each bin, from `history` bins; NaN in the first ones."""
        import torch

        middle, scale, offset, size = self.frame
        x = (np.sqrt(np.asarray(counts, np.float64)) - middle) / scale
        out = np.full((len(x), len(offset)), np.nan)
        if len(x) < self.history:
            return out
        windows = np.lib.stride_tricks.sliding_window_view(x, self.history, axis=0)
        given = torch.as_tensor(np.moveaxis(windows, 2, 1).copy(), dtype=torch.float32)
        with torch.no_grad():
            said = np.mean([_last(net, given).numpy() for net in self.nets], axis=0)
        out[self.history - 1 :] = said * size + offset
        return out


def _network(settings: Recurrent, n_units: int, n_dims: int) -> Any:
    from torch import nn

    return nn.ModuleDict(
        {
            "drop_in": nn.Dropout(settings.dropout / 2),
            "conv": nn.Conv1d(n_units, settings.hidden, settings.n_lags),
            "drop": nn.Dropout(settings.dropout),
            "gru": nn.GRU(settings.hidden, settings.hidden, batch_first=True),
            "out": nn.Linear(settings.hidden, n_dims),
        }
    )


def _last(net: Any, x: Any) -> Any:
    """Answer for the last bin of each window; `x` (n, history, n_units)."""
    import torch

    seen = torch.nn.functional.elu(net["conv"](net["drop_in"](x).transpose(1, 2)))
    hidden, _ = net["gru"](net["drop"](seen).transpose(1, 2))
    return net["out"](net["drop"](hidden[:, -1]))


def _examples(x: Array, y: Array, stretches: Stretches, history: int) -> tuple[Any, Any]:
    import torch

    parts = [(x[a:b], y[a:b]) for a, b in stretches if b - a >= history]
    if not parts:
        raise MissingInputError(
            f"stretches of at least {history} bins", "shorter ones", "Record longer."
        )
    windows = [
        np.moveaxis(np.lib.stride_tricks.sliding_window_view(p, history, axis=0), 2, 1)
        for p, _ in parts
    ]
    targets = [q[history - 1 :] for _, q in parts]
    return (
        torch.as_tensor(np.concatenate(windows), dtype=torch.float32),
        torch.as_tensor(np.concatenate(targets), dtype=torch.float32),
    )


def _train(
    settings: Recurrent,
    net: Any,
    known: tuple[Any, Any],
    kept: tuple[Any, Any] | None,
    rng: np.random.Generator,
    n_epochs: int | None = None,
) -> int:
    """Train in place; the number of epochs after which `kept` was predicted best."""
    import torch

    x, y = known
    optimiser = torch.optim.Adam(net.parameters(), lr=settings.step, weight_decay=1e-5)
    best, at, waited = np.inf, 1, 0
    for epoch in range(settings.epochs if n_epochs is None else n_epochs):
        net.train()
        order = torch.as_tensor(rng.permutation(len(x)))
        for part in torch.split(order, settings.batch):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(_last(net, x[part]), y[part]).backward()
            optimiser.step()
        if kept is None:
            continue
        net.eval()
        with torch.no_grad():
            loss = float(torch.nn.functional.mse_loss(_last(net, kept[0]), kept[1]))
        waited += 1
        if loss < best:
            best, at, waited = loss, epoch + 1, 0
        if waited >= settings.patience:
            break
    return at
