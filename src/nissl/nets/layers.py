"""Parts that networks over time share. Needs PyTorch."""

from __future__ import annotations

from typing import Any

from nissl.nets.backend import pytorch

torch: Any = pytorch()
nn: Any = torch.nn

NEVER = -1e4
"""Score of a channel that is not heard; finite, so that a window without any stays defined."""


def block(n_in: int, n_out: int, kernel: int, stride: int = 1) -> Any:
    """Convolution, normalisation by batch and a smooth rectifier; keeps length / stride."""
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, kernel, stride=stride, padding=(kernel - stride + 1) // 2),
        nn.BatchNorm1d(n_out),
        nn.ELU(),
    )


def heard(x: Any) -> tuple[Any, Any]:
    """Samples with zeros for NaN, and which channels hold no NaN.

    Parameters
    ----------
    x : tensor, shape (..., n_channels, n_samples)

    Returns
    -------
    tensor, same shape
    tensor, shape (..., n_channels), bool
    """
    known = torch.isfinite(x)
    return torch.where(known, x, torch.zeros_like(x)), known.all(dim=-1)


class Vote(nn.Module):
    """Weights of channels that add up to one: alike, or by how much each has to say.

    Parameters
    ----------
    how : {"mean", "attention"}
        Perslev et al. 2021 (U-Sleep, npj Digit. Med. 4, 72) vote with equal weights;
        "attention" learns a score per channel and time, as Ilse et al. 2018
        (arXiv:1802.04712) pool a bag.
    width : int
        Features that the score is computed from.
    """

    def __init__(self, how: str, width: int) -> None:
        super().__init__()
        self.score = nn.Conv1d(width, 1, 1) if how == "attention" else None

    def forward(self, features: Any, known: Any) -> Any:
        """Weights, (n, n_channels, 1, time), of features (n, n_channels, width, time)."""
        n, c, width, time = features.shape
        out = torch.where(known, 0.0, NEVER).reshape(n, c, 1, 1).expand(n, c, 1, time)
        if self.score is not None:
            flat = features.reshape(n * c, width, time)
            out = out + self.score(flat).reshape(n, c, 1, time)
        return torch.softmax(out, dim=1)


__all__ = ["NEVER", "Vote", "block", "heard"]
