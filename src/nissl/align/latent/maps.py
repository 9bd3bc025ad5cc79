"""What alignment gives: a linear map from each population into the common space, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nissl.align.fragments import Floats, Fragment
from nissl.align.latent.gpfa import Process, roots
from nissl.align.latent.smoothing import smoothed
from nissl.errors import BadArgumentError


@dataclass(frozen=True, eq=False)
class Map:
    """Linear map of one population into a space of few axes.

    Parameters
    ----------
    mean : ndarray, shape (n_units,)
        Of the prepared activity (`prepared`) of the calibration part.
    weights : ndarray, shape (n_units, n_axes)
        Zero rows are units that take no part.
    smooth_s : float
        Standard deviation of the Gaussian that activity is smoothed with, s.
    process : Process, optional
        Takes the Gaussian's place: activity is what the process makes of it, from all bins of a
        window.
    """

    mean: Floats
    weights: Floats
    smooth_s: float = 0.0
    process: Process | None = None

    @property
    def n_axes(self) -> int:
        """Number of axes of the space."""
        return int(self.weights.shape[1])

    def transform(self, fragment: Fragment) -> Floats:
        """Latents of a fragment of this population, shape (n_bins, n_axes)."""
        return (self.prepared(fragment) - self.mean) @ self.weights

    def prepared(self, fragment: Fragment) -> Floats:
        """Activity as the map reads it; `BadArgumentError` of another number of units."""
        if fragment.n_units != len(self.mean):
            raise BadArgumentError(
                f"the {len(self.mean)} units that the map was fitted to",
                f"{fragment.n_units} in {fragment.name!r}",
                "A map belongs to one population: fit another one.",
            )
        if self.process is not None:
            return self.process.denoised(roots(fragment), fragment.windows)
        return smoothed(fragment, self.smooth_s)

    def inverse(self, latents: Floats) -> Floats:
        """Prepared activity that latents speak of, least squares, shape (n_bins, n_units)."""
        return np.asarray(latents @ np.linalg.pinv(self.weights) + self.mean, float)

    def turned(self, by: Floats) -> Map:
        """The same map followed by a matrix, shape (n_axes, n_axes of the new space)."""
        return replace(self, weights=self.weights @ by)


@dataclass(frozen=True, eq=False)
class Aligned:
    """Populations in one space.

    Parameters
    ----------
    method : str
    maps : tuple of Map
        One per fragment, in the order given; the first is the reference's.
    facts : mapping
        What the method says of itself: plain numbers, and sentences under "doubts".
    couplings : tuple of ndarray, shape (n_windows, n_windows of the reference)
        Of methods that pair windows by themselves: the share of each pair, one array per fragment
        that is not the reference, in its order.
    """

    method: str
    maps: tuple[Map, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    couplings: tuple[Floats, ...] = ()

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the alignment may be wrong, in sentences."""
        return tuple(self.facts.get("doubts", ()))
