"""Encoders of curves: small networks, trained without labels, that run without PyTorch.

One encoder per modality takes a curve on the common axis with what is known of it, and gives a
few numbers. They are trained by `nissl.annotators.celltypes.pretrain`; here are the forward pass
and its gradient, by which a decision is traced back to samples of the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import MODALITIES

Values = npt.NDArray[np.float64]

STEPS = 16
"""Points on the way from the mean curve to a unit's at which gradients are taken."""

FEWEST_KNOWN = 0.25
"""Share of a curve that must be known for it to say anything."""


def squeezed(modality: str, curve: Values) -> Values:
    """Curve with its large values brought in: correlograms by log(1 + x), intervals by roots.

    Parameters
    ----------
    modality : str
        A key of `nissl.annotators.celltypes.axes.MODALITIES`.
    curve : ndarray, shape (n_units, n_samples), float64
        NaN where not known.
    """
    if modality == "waveform":
        return curve
    positive = np.where(np.isfinite(curve), np.maximum(curve, 0.0), np.nan)
    return np.asarray(np.sqrt(positive) if modality == "isi" else np.log1p(positive))


@dataclass(frozen=True, eq=False)
class Encoder:
    """A network of two layers.

    Parameters
    ----------
    modality : str
    centre, scale : ndarray, shape (n_samples,), float64
        Of squeezed curves of the training units.
    layers : tuple of (ndarray, ndarray)
        Weights (n_in, n_out) and biases; hyperbolic tangent between them. The first takes the
        standardised curve, then which samples are known.
    """

    modality: str
    centre: Values
    scale: Values
    layers: tuple[tuple[Values, Values], ...]

    @property
    def n_latents(self) -> int:
        """Numbers that it gives."""
        return int(self.layers[-1][1].size)

    def standardised(self, curve: Values) -> tuple[Values, npt.NDArray[np.bool_]]:
        """Curve about its usual course, 0 where not known, and what is known of it."""
        raw = squeezed(self.modality, curve)
        known = np.isfinite(raw)
        return np.where(known, (raw - self.centre) / self.scale, 0.0), known

    def encode(self, curve: Values) -> Values:
        """Latents; NaN for units of which too little is known.

        Parameters
        ----------
        curve : ndarray, shape (n_units, n_samples), float64
            On the common axis, NaN where not known.

        Returns
        -------
        ndarray, shape (n_units, n_latents), float64
        """
        x, known = self.standardised(curve)
        out = self._forward(x, known)
        out[known.mean(axis=1) < FEWEST_KNOWN] = np.nan
        return out

    def attributions(self, curve: Values, direction: Values) -> Values:
        """How much each sample moves the latents along directions of each unit.

        Integrated gradients from the mean curve (Sundararajan, Taly and Yan 2017, Axiomatic
        attribution for deep networks, ICML): the values of a unit sum to what its curve moves.

        Parameters
        ----------
        curve : ndarray, shape (n_units, n_samples), float64
        direction : ndarray, shape (n_units, n_directions, n_latents), float64

        Returns
        -------
        ndarray, shape (n_units, n_samples, n_directions), float64
            0 where a curve is not known.
        """
        x, known = self.standardised(curve)
        out = np.zeros((*x.shape, direction.shape[1]))
        (first, bias), (last, _) = self.layers
        towards = direction @ last.T
        weight = first[: x.shape[1]]
        still = known @ first[x.shape[1] :] + bias
        moving = x @ weight
        for step in (np.arange(STEPS) + 0.5) / STEPS:
            slope = 1 - np.tanh(step * moving + still) ** 2
            for k in range(direction.shape[1]):
                out[:, :, k] += (slope * towards[:, k]) @ weight.T / STEPS
        out *= x[:, :, None]
        out[known.mean(axis=1) < FEWEST_KNOWN] = 0.0
        return out

    def _forward(self, x: Values, known: npt.NDArray[np.bool_]) -> Values:
        value = np.hstack([x, known])
        for k, (weight, bias) in enumerate(self.layers):
            value = value @ weight + bias
            if k < len(self.layers) - 1:
                value = np.tanh(value)
        return np.asarray(value)


Encoders = Mapping[str, Encoder]


def to_arrays(encoders: Encoders) -> dict[str, Values]:
    """Arrays by name from which `from_arrays` makes the same encoders."""
    out: dict[str, Values] = {}
    for name, encoder in encoders.items():
        out |= {f"{name}/centre": encoder.centre, f"{name}/scale": encoder.scale}
        for k, (weight, bias) in enumerate(encoder.layers):
            out |= {f"{name}/{k}/weight": weight, f"{name}/{k}/bias": bias}
    return out


def from_arrays(arrays: Mapping[str, Values]) -> dict[str, Encoder]:
    """Inverse of `to_arrays`; names of other things are left alone."""
    out = {}
    for name in MODALITIES:
        if f"{name}/centre" in arrays:
            layers = tuple(
                (arrays[f"{name}/{k}/weight"], arrays[f"{name}/{k}/bias"]) for k in range(2)
            )
            centre, scale = arrays[f"{name}/centre"], arrays[f"{name}/scale"]
            out[name] = Encoder(name, centre, scale, layers)
    return out
