"""A small network over time that reads a trace and says spikes per second; runs on NumPy alone.

Convolutions of rising dilation with residuals, after Bai, Kolter and Koltun 2018
(arXiv:1803.01271), but looking both ways. It sees a trace on three scales (`prepared`) and
nothing else about it: given numbers of the trace as a whole, it learnt which training set a trace
is from, and did worse on others. `nissl.annotators.rates.twin` is the same network in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.rates.noise import sd_of

Array = npt.NDArray[np.float32]

DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)
SMOOTH_S = 0.15
USUAL = 0.2
"""dF/F of a few spikes of common indicators; up to there the third scale is linear."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Parameters
    ----------
    inputs : int
        Channels of the prepared trace.
    width : int
        Channels within.
    kernel : int
        Taps of the dilated convolutions, odd.
    first : int
        Taps of the first convolution, odd.
    dilations : tuple of int
    """

    inputs: int = 3
    width: int = 16
    kernel: int = 5
    first: int = 7
    dilations: tuple[int, ...] = DILATIONS

    @property
    def reach(self) -> int:
        """Frames to each side that an answer depends on."""
        return self.first // 2 + self.kernel // 2 * sum(self.dilations)


@dataclass(frozen=True, eq=False)
class Weights:
    """A trained network.

    Parameters
    ----------
    shape : Shape
    arrays : mapping of str to ndarray, float32
        By the names that its twin gives them.
    """

    shape: Shape
    arrays: Mapping[str, Array] = field(repr=False)

    @property
    def n_parameters(self) -> int:
        """Numbers that were learnt."""
        return sum(int(a.size) for a in self.arrays.values())

    def __call__(self, inputs: Array) -> Array:
        """Answer for one trace.

        Parameters
        ----------
        inputs : ndarray, shape (n_inputs, n_frames), float32

        Returns
        -------
        ndarray, shape (n_frames,), float32
        """
        w = self.arrays
        h = _convolved(inputs, w["first.weight"], w["first.bias"], 1)
        for k, dilation in enumerate(self.shape.dilations):
            a = _convolved(h, w[f"blocks.{k}.a.weight"], w[f"blocks.{k}.a.bias"], dilation)
            h = h + w[f"blocks.{k}.b.weight"][:, :, 0] @ _silu(a)
            h += w[f"blocks.{k}.b.bias"][:, None]
        out: Array = w["last.weight"][0, :, 0] @ h + w["last.bias"][0]
        return out


@dataclass(frozen=True)
class Scale:
    """What the network takes from a trace as a whole; dF/F.

    Parameters
    ----------
    sd : float
        Of the noise.
    base : float
        10th percentile.
    low, high : float
        10th and 99th percentile of the smoothed trace.
    """

    sd: float
    base: float
    low: float
    high: float

    @classmethod
    def of(cls, dff: npt.NDArray[Any], rate_hz: float) -> Scale:
        """That of a trace; see `prepared`."""
        from scipy.ndimage import gaussian_filter1d

        x = np.asarray(dff, np.float64)
        low, high = np.percentile(gaussian_filter1d(x, SMOOTH_S * rate_hz), (10, 99))
        return cls(sd_of(x) + 1e-6, float(np.percentile(x, 10)), float(low), float(high))

    def __call__(self, dff: npt.NDArray[Any]) -> Array:
        """A trace over its noise, over its own range, and as dF/F, (3, n_frames)."""
        over = np.asarray(dff, np.float64) - self.base
        span = self.high - self.low + self.sd / 2
        seen = (np.arcsinh(over / (2 * self.sd)), over / span, np.arcsinh(over / USUAL))
        return np.stack(seen).astype(np.float32)


def prepared(dff: npt.NDArray[Any], rate_hz: float) -> Array:
    """A trace as the network sees it: over its noise, over its own range, and as dF/F.

    Parameters
    ----------
    dff : ndarray, shape (n_frames,), dF/F, 1 = 100 %; finite
    rate_hz : float
        Frames per second.

    Returns
    -------
    ndarray, shape (3, n_frames), float32
    """
    return Scale.of(dff, rate_hz)(dff)


def _convolved(x: Array, weight: Array, bias: Array, dilation: int) -> Array:
    """Convolution along the last axis with zeros beyond the ends, (n_out, n_frames)."""
    n, taps = x.shape[1], weight.shape[2]
    margin = dilation * (taps // 2)
    padded = np.pad(x, ((0, 0), (margin, margin)))
    out = np.repeat(bias[:, None], n, axis=1)
    for tap in range(taps):
        out += weight[:, :, tap] @ padded[:, tap * dilation : tap * dilation + n]
    return out


def _silu(x: Array) -> Array:
    with np.errstate(over="ignore"):  # the exponential of a large negative value: 0 is right
        return np.asarray(x / (1 + np.exp(-x)), np.float32)


__all__ = ["DILATIONS", "Scale", "Shape", "Weights", "prepared"]
