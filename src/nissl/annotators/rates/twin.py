"""The network of `nissl.annotators.rates.network` in PyTorch, for training."""

from __future__ import annotations

from typing import Any

import numpy as np

from nissl.annotators.rates.network import Shape, Weights
from nissl.nets.backend import pytorch

torch: Any = pytorch()
nn: Any = torch.nn


class Block(nn.Module):  # type: ignore[misc]  # PyTorch brings no types here
    """One dilated convolution whose outcome is added to its input; nothing at first."""

    def __init__(self, shape: Shape, dilation: int) -> None:
        super().__init__()
        width, taps = shape.width, shape.kernel
        self.a = nn.Conv1d(width, width, taps, padding=dilation * (taps // 2), dilation=dilation)
        self.b = nn.Conv1d(width, width, 1)
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)

    def forward(self, x: Any) -> Any:
        """Output of the same shape as `x`, (n, width, n_frames)."""
        return x + self.b(nn.functional.silu(self.a(x)))


class Twin(nn.Module):  # type: ignore[misc]
    """The network, with weights drawn anew."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.first = nn.Conv1d(shape.inputs, shape.width, shape.first, padding=shape.first // 2)
        self.blocks = nn.ModuleList([Block(shape, d) for d in shape.dilations])
        self.last = nn.Conv1d(shape.width, 1, 1)

    def forward(self, inputs: Any) -> Any:
        """Answers, (n, n_frames), of inputs (n, n_inputs, n_frames)."""
        h = self.first(inputs)
        for block in self.blocks:
            h = block(h)
        return self.last(h)[:, 0]

    def weights(self) -> Weights:
        """What it has learnt, without PyTorch."""
        arrays = {
            name: np.ascontiguousarray(value.detach().cpu().numpy().astype(np.float32))
            for name, value in self.state_dict().items()
        }
        return Weights(self.shape, arrays)


def twin_of(weights: Weights) -> Twin:
    """Twin that goes on where weights stand."""
    twin = Twin(weights.shape)
    twin.load_state_dict({name: torch.tensor(value) for name, value in weights.arrays.items()})
    return twin


__all__ = ["Twin", "twin_of"]
