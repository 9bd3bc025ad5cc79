"""What a classifier of cell types sees of a unit: ranked numbers, and what encoders say.

Both are 0 where they are missing, and so speak for no class: a unit without spike times, without
a waveform or without a depth is classified by the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.axes import MODALITIES
from nissl.annotators.celltypes.curves import CURVE_NAMES, curve_features, curves_of
from nissl.annotators.celltypes.encoder import Encoders
from nissl.annotators.celltypes.scaling import Scaling, fit_scaling
from nissl.labels import FeatureTable

Values = npt.NDArray[np.float64]

PLAIN = (*CURVE_NAMES, "firing_rate_hz")
"""Numbers that every source of units can give."""

FURTHER = (
    "trough_to_peak_ms",
    "trough_to_peak_derivative_ms",
    "ab_ratio",
    "cv2",
    "theta_modulation",
    "acg_tau_rise_ms",
    "acg_tau_decay_ms",
    "acg_tau_burst_ms",
    "acg_c",
    "acg_d",
    "acg_h",
    "acg_asymptote",
    "acg_refractory_ms",
    "depth_um",
    "layer",
)
"""Numbers of CellExplorer, which collections of cell types give beside the curves; and where the
unit lies, for collections that tell. What no training unit has is not used."""

SCALARS = (*PLAIN, *FURTHER)

FEWEST = 2
"""Training units that must have a number or a curve for it to be used."""

LATENT_WEIGHT = 0.3
"""Standard deviation of a latent, where that of a number is 1: twelve of them say together what
curves say beyond the numbers read off them."""


@dataclass(frozen=True, eq=False)
class Frame:
    """From a feature table to the inputs of a linear classifier.

    Parameters
    ----------
    scaling : Scaling
        Of the numbers.
    encoders : mapping of str to Encoder
        By modality; modalities without one are not used.
    centre, scale : mapping of str to ndarray, shape (n_latents,), float64
        Of the latents of the training units.
    """

    scaling: Scaling
    encoders: Encoders
    centre: Mapping[str, Values]
    scale: Mapping[str, Values]

    @property
    def size(self) -> int:
        """Number of inputs."""
        return len(self.scaling.names) + sum(e.n_latents for e in self.encoders.values())

    @property
    def latents(self) -> dict[str, slice]:
        """Where each modality's latents stand among the inputs."""
        out, at = {}, len(self.scaling.names)
        for name, encoder in self.encoders.items():
            out[name] = slice(at, at + encoder.n_latents)
            at += encoder.n_latents
        return out

    def inputs(self, table: FeatureTable) -> Values:
        """Inputs of every unit, shape (n_units, size); 0 where missing."""
        parts = [self.scaling.apply(numbers(table, self.scaling.names))]
        for name, encoder in self.encoders.items():
            latent = encoder.encode(curve(table, name))
            scaled = (latent - self.centre[name]) / self.scale[name] * LATENT_WEIGHT
            parts.append(np.where(np.isfinite(scaled), scaled, 0.0))
        return np.hstack(parts)

    def attributions(self, table: FeatureTable, name: str, slopes: Values) -> Values:
        """How much each sample of a modality's curve adds to functions of the inputs.

        Parameters
        ----------
        table : FeatureTable
        name : str
            A modality with an encoder.
        slopes : ndarray, shape (n_units, n_functions, size), float64
            Of the functions, by the inputs.

        Returns
        -------
        ndarray, shape (n_units, n_samples, n_functions), float64
        """
        direction = slopes[:, :, self.latents[name]] / self.scale[name] * LATENT_WEIGHT
        return self.encoders[name].attributions(curve(table, name), direction)

    def to_json(self) -> dict[str, Any]:
        """Plain values, all but the encoders."""
        return {
            "scaling": self.scaling.to_json(),
            "latents": {
                name: {"centre": self.centre[name].tolist(), "scale": self.scale[name].tolist()}
                for name in self.encoders
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], encoders: Encoders) -> Frame:
        """Inverse of `to_json`."""
        latents = value["latents"]
        kept = {name: encoders[name] for name in MODALITIES if name in latents}
        read = {
            key: {name: np.asarray(latents[name][key], np.float64) for name in kept}
            for key in ("centre", "scale")
        }
        scaling = Scaling.from_json(value["scaling"])
        return cls(scaling, kept, read["centre"], read["scale"])


def fit_frame(
    table: FeatureTable, weight: Values, encoders: Encoders, scalars: tuple[str, ...] = SCALARS
) -> Frame:
    """Frame of weighted training units; encoders that none of them has a curve for are left out.

    Parameters
    ----------
    table : FeatureTable
    weight : ndarray, shape (n_units,), float64
    encoders : mapping of str to Encoder
    scalars : tuple of str
    """
    values = numbers(table, scalars)
    told = np.isfinite(values[weight > 0]).sum(axis=0) >= FEWEST
    used_names = tuple(name for name, known in zip(scalars, told, strict=True) if known)
    scaling = fit_scaling(values[:, told], used_names, weight)
    used, centre, scale = {}, {}, {}
    for name, encoder in encoders.items():
        latent = encoder.encode(curve(table, name))
        known = np.isfinite(latent).all(axis=1) & (weight > 0)
        if known.sum() < FEWEST:
            continue
        used[name] = encoder
        centre[name] = np.average(latent[known], axis=0, weights=weight[known])
        spread = np.average((latent[known] - centre[name]) ** 2, axis=0, weights=weight[known])
        scale[name] = np.sqrt(spread) + 1e-6
    return Frame(scaling, used, centre, scale)


def numbers(table: FeatureTable, names: tuple[str, ...]) -> Values:
    """Columns by name, read off the curves where the table lacks them, NaN where nothing tells."""
    place = {name: k for k, name in enumerate(table.names)}
    own: Values | None = None
    out = np.full((len(table.items), len(names)), np.nan)
    for k, name in enumerate(names):
        if name in place:
            out[:, k] = table.values[:, place[name]]
        elif name in CURVE_NAMES:
            own = curve_features(*curves_of(table)) if own is None else own
            out[:, k] = own[:, CURVE_NAMES.index(name)]
    return out


def curve(table: FeatureTable, modality: str) -> Values:
    """Curves of a modality, shape (n_units, n_samples); NaN where the table has none."""
    place = {name: k for k, name in enumerate(table.names)}
    columns = MODALITIES[modality]
    if not all(name in place for name in columns):
        return np.full((len(table.items), len(columns)), np.nan)
    return np.asarray(table.values[:, [place[name] for name in columns]])
