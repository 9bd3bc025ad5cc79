"""Networks over lags: a ridge, and a small network that says what the ridge leaves.

A temporal convolution (dilated, residual: Bai, Kolter and Koltun 2018, arXiv:1803.01271) or
attention between lags (Vaswani et al. 2017, arXiv:1706.03762) reads the same columns as the ridge
and adds to it, from nothing at the start. It stops by the windows that were left out within the
training part; where it predicts these no better than the ridge alone, the ridge stands. So a
network differs from the ridge by what is not linear, and by nothing else. Needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nissl.align.fragments import Bools, Floats
from nissl.align.translation import linear
from nissl.align.translation.linear import Linear
from nissl.nets.backend import one_thread, pytorch, seeded
from nissl.nets.context import Attention, Dilated
from nissl.nets.training import Recipe, Windows
from nissl.nets.training import fit as train

torch: Any = pytorch()
nn: Any = torch.nn

KINDS: Mapping[str, Any] = {"tcn": Dilated, "transformer": Attention}
WIDTH, LAYERS, DROPOUT = 32, 2, 0.2
RECIPE = Recipe(epochs=60, patience=6, batch=128, rate=1e-3, decay=1e-2, device="cpu")
"""Set once; not compared with others."""


class Corrected(nn.Module):
    """The network; (n, n_lags * n_x) to (n, n_y), both in the units of the recordings.

    Parameters
    ----------
    kind : {"tcn", "transformer"}
    n_lags : int
    base : Linear
        What it adds to.
    mean, spread : ndarray, shape (n_lags * n_x,)
        Of the columns, for its eyes.
    size : ndarray, shape (n_y,)
        Standard deviation of what the base leaves.
    """

    def __init__(
        self, kind: str, n_lags: int, base: Linear, mean: Floats, spread: Floats, size: Floats
    ) -> None:
        super().__init__()
        self.n_lags = n_lags
        given = {"weights": base.weights, "offset": base.offset, "mean": mean, "spread": spread}
        for name, value in {**given, "size": size}.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        self.read = nn.Conv1d(len(mean) // n_lags, WIDTH, 1)
        self.mix = KINDS[kind](WIDTH, LAYERS)
        self.drop = nn.Dropout(DROPOUT)
        self.add = nn.Linear(WIDTH * n_lags, len(size))
        self.silence()

    def silence(self) -> None:
        """Let it add nothing."""
        nn.init.zeros_(self.add.weight)
        nn.init.zeros_(self.add.bias)

    def forward(self, x: Any) -> Any:
        """Predict."""
        n, columns = x.shape
        seen = ((x - self.mean) / self.spread).reshape(n, self.n_lags, columns // self.n_lags)
        mixed = self.drop(self.mix(self.read(seen.transpose(1, 2))))
        return x @ self.weights + self.offset + self.size * self.add(mixed.reshape(n, -1))


@dataclass(frozen=True, eq=False)
class Networked:
    """A fitted network.

    Parameters
    ----------
    net : Corrected
        On the CPU, in evaluation mode.
    gained : float
        By how much it lowered the ridge's squared error on the windows that it was stopped by, as
        a part of it; 0 where the ridge stands alone.
    """

    net: Any
    gained: float

    def predict(self, x: Floats) -> Floats:
        """What the columns say, shape (n, n_y)."""
        with torch.no_grad(), one_thread():
            return np.asarray(self.net(torch.as_tensor(x, dtype=torch.float32)), float)

    def arrays(self) -> dict[str, Any]:
        """Its numbers by name."""
        return {f"net/{k}": v.numpy() for k, v in self.net.state_dict().items()}


def fit(
    kind: str,
    x: Floats,
    y: Floats,
    left: Bools,
    n_lags: int,
    rng: np.random.Generator,
    recipe: Recipe = RECIPE,
) -> Networked:
    """Fit a network.

    Parameters
    ----------
    kind : {"tcn", "transformer"}
    x, y : ndarray, shapes (n, n_lags * n_x) and (n, n_y)
    left : ndarray of bool, shape (n,)
        Rows (whole windows) that nothing is fitted on: the ridge is chosen and training stops by
        them.
    n_lags : int
    rng : numpy.random.Generator
    recipe : Recipe
    """
    setting = linear.chosen(x, y, left, linear.settings(y.shape[1]))
    base = linear.fit(x[~left], y[~left], *setting)
    spread, size = x[~left].std(axis=0), (y[~left] - base.predict(x[~left])).std(axis=0)
    with seeded(rng):
        net = Corrected(kind, n_lags, base, x[~left].mean(axis=0), _nonzero(spread), _nonzero(size))

    def lost(own: Any, given: Any, goal: Any) -> Any:
        return (((own(given) - goal) / own.size) ** 2).mean()

    known, kept = (Windows(x[r].astype(np.float32), y[r].astype(np.float32)) for r in (~left, left))
    with one_thread():
        trained = train(net, known, kept, rng=rng, recipe=recipe, loss=lost).net
    found = Networked(trained, 0.0)
    alone, with_it = (
        float((((said - y[left]) / net.size.numpy()) ** 2).sum())
        for said in (base.predict(x[left]), found.predict(x[left]))
    )
    if not with_it < alone:
        trained.silence()
        return found
    return Networked(trained, 1 - with_it / alone)


def _nonzero(spread: Floats) -> Floats:
    return np.where(spread > 1e-9 * max(float(spread.max()), 1e-300), spread, 1.0)
