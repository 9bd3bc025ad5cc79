"""Teaching the screen's network, in PyTorch.

What it learns from are windows with one of four classes. Channels of a vicinity are dropped at
random, as on tetrodes and at the ends of probes, and signs are turned, for a channel's sign is
the amplifier's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.spikes.own.screen.network import (
    CLASSES,
    DILATED,
    DILATIONS,
    STEP,
    TAPS,
    ScreenNetwork,
    from_arrays,
)
from nissl.annotators.spikes.own.screen.vicinity import LENGTH, N_NEAR
from nissl.nets.backend import one_thread, pytorch, seeded

Array = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

FEW = (4, 6)
"""Of all windows some keep so many channels only, and no far ones."""


@dataclass(frozen=True)
class Plan:
    """Sizes and course of a training.

    Parameters
    ----------
    filters, width : int
        Temporal filters, and channels within.
    steps, batch : int
    rate : float
        Largest learning rate; it rises over the first twentieth and falls along half a cosine.
    decay : float
        Of the weights.
    """

    filters: int = 8
    width: int = 24
    steps: int = 1500
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1e-3


def train(
    x: npt.NDArray[np.floating[Any]], y: Ints, rng: np.random.Generator, plan: Plan | None = None
) -> ScreenNetwork:
    """Train a network on windows.

    Parameters
    ----------
    x : ndarray, shape (n, N_NEAR + 1, LENGTH)
        From `vicinities`.
    y : ndarray, shape (n,), int64
        Indices into `CLASSES`.
    rng : numpy.random.Generator
    plan : Plan, optional
    """
    torch, how = pytorch(), plan or Plan()
    count = np.bincount(y, minlength=len(CLASSES)).astype(np.float64)
    weight = (count.sum() / np.maximum(count, 1)) ** 0.5
    weight = torch.as_tensor((weight / weight.mean()).astype(np.float32))
    with one_thread(), seeded(rng):
        net = fresh(how)
        optimiser = torch.optim.AdamW(net.parameters(), lr=how.rate, weight_decay=how.decay)
        for step in range(how.steps):
            warm = min(1.0, (step + 1) / (0.05 * how.steps))
            fallen = 0.5 * (1 + np.cos(np.pi * step / how.steps))
            for group in optimiser.param_groups:
                group["lr"] = how.rate * warm * fallen
            rows = rng.integers(len(x), size=how.batch)
            given = torch.as_tensor(varied(x[rows].astype(np.float32), rng))
            loss = torch.nn.functional.cross_entropy(
                net(given)[:, :, 0], torch.as_tensor(y[rows]), weight=weight
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return exported(net)


def varied(x: Array, rng: np.random.Generator) -> Array:
    """Windows with signs turned and channels dropped at random; changed in place."""
    x[rng.random(len(x)) < 0.3, :N_NEAR] *= -1
    drawn = rng.random(len(x))
    x[drawn < 0.15, -1] = 0
    for share, kept in zip((0.1, 0.05), FEW, strict=True):
        x[drawn < share, kept:] = 0
    return x


def fresh(plan: Plan) -> Any:
    """An untrained network as a PyTorch module: (n, rows, times) to (n, 4, times - LENGTH + 1)."""
    torch = pytorch()
    nn = torch.nn

    class Net(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.time = nn.Conv2d(1, plan.filters, (1, TAPS), bias=False)
            self.mix = nn.Conv2d(plan.filters, plan.width, (N_NEAR + 1, 1))
            wide = plan.width
            self.a = nn.Conv1d(wide, wide, DILATED[0], dilation=DILATIONS[0])
            self.b = nn.Conv1d(wide, wide, DILATED[1], dilation=DILATIONS[1])
            self.last = nn.Conv1d(wide, len(CLASSES), 1)

        def forward(self, x: Any) -> Any:
            step = STEP if x.shape[2] == LENGTH else 1
            of = nn.functional
            h = of.conv2d(x[:, None], self.time.weight, stride=(1, step))
            h = torch.relu(self.mix(h)[:, :, 0])
            for layer, taps, apart in zip((self.a, self.b), DILATED, DILATIONS, strict=True):
                more = of.conv1d(h, layer.weight, layer.bias, dilation=apart // step)
                more, first = torch.relu(more), (taps // 2) * (apart // step)
                h = h[:, :, first : first + more.shape[2]] + more
            return self.last(h)

    return Net()


def exported(net: Any) -> ScreenNetwork:
    """The module's weights as NumPy runs them."""
    held = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    width = held["mix.bias"].size
    arrays = {
        "time": held["time.weight"][:, 0, 0],
        # (width, filters, rows, 1) to rows of (row, filter)
        "mix.weight": held["mix.weight"][:, :, :, 0].transpose(0, 2, 1).reshape(width, -1),
        "mix.bias": held["mix.bias"],
        "last.weight": held["last.weight"][:, :, 0],
        "last.bias": held["last.bias"],
    }
    for name in "ab":
        arrays[f"{name}.weight"] = held[f"{name}.weight"].transpose(0, 2, 1).reshape(width, -1)
        arrays[f"{name}.bias"] = held[f"{name}.bias"]
    return from_arrays({k: np.ascontiguousarray(v, np.float32) for k, v in arrays.items()})


def module(network: ScreenNetwork) -> Any:
    """A trained network as a PyTorch module, to go on from or to write in other formats."""
    torch, w = pytorch(), network.arrays
    filters, width = len(w["time"]), w["mix.bias"].size
    net = fresh(Plan(filters=filters, width=width))
    mix = w["mix.weight"].reshape(width, N_NEAR + 1, filters).transpose(0, 2, 1)[..., None]
    held = {
        "time.weight": w["time"][:, None, None],
        "mix.weight": mix,
        "mix.bias": w["mix.bias"],
        "last.weight": w["last.weight"][:, :, None],
        "last.bias": w["last.bias"],
    }
    for name, taps in zip("ab", DILATED, strict=True):
        held[f"{name}.weight"] = w[f"{name}.weight"].reshape(width, taps, width).transpose(0, 2, 1)
        held[f"{name}.bias"] = w[f"{name}.bias"]
    net.load_state_dict({k: torch.as_tensor(np.array(v)) for k, v in held.items()})
    return net.eval()
