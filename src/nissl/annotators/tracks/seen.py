"""What a volume shows: its blobs with their brightness, and the same of annotated places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.describing import light_at
from nissl.annotators.tracks.detect import Spacing, blobs, likely_diameter
from nissl.annotators.tracks.registration import normal_scores
from nissl.annotators.tracks.volumes import Volumes

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Seen:
    """Blobs of one volume.

    Parameters
    ----------
    xyz : ndarray, shape (n, 3), voxels
    light : ndarray, shape (n, n_channels)
        Mean brightness at each.
    score : ndarray, shape (n,)
        Over the noise.
    """

    xyz: Floats
    light: Floats
    score: Floats

    @property
    def facts(self) -> Floats:
        """Ranks of brightness as normal scores, (n, n_channels)."""
        return ranks(self.light)

    def in_um(self, spacing: Spacing) -> Floats:
        """Places in micrometres."""
        return np.asarray(self.xyz * np.asarray(spacing[::-1], np.float64))


@dataclass(frozen=True)
class Looking:
    """How volumes are looked at.

    Parameters
    ----------
    spacing : tuple of float, along z, y, x, um
    diameter_um : float
    threshold : float
    most : int or None
        Keep so many of the clearest blobs of a volume.
    """

    spacing: Spacing
    diameter_um: float
    threshold: float
    most: int | None

    def at(self, volume: npt.NDArray[np.float32]) -> Seen:
        """Blobs of a volume (n_channels, z, y, x), found in its first channel."""
        found = blobs(
            volume[0],
            self.spacing,
            diameter_um=self.diameter_um,
            threshold=self.threshold,
            most=self.most,
        )
        light = light_at(volume, found.xyz).T.reshape(len(found.xyz), len(volume))
        return Seen(found.xyz.astype(np.float64), light, found.score.astype(np.float64))


def ranks(light: npt.NDArray[Any]) -> Floats:
    """Normal scores of each column."""
    columns = [normal_scores(column) for column in np.asarray(light).T]
    return np.stack(columns, axis=1) if columns else np.zeros((len(light), 0))


def usual_diameter(volumes: Volumes, frames: list[int], spacing: Spacing) -> float:
    """Median over some volumes of the width that nuclei are likely to have, um."""
    told = [likely_diameter(volumes[frame][0], spacing) for frame in frames]
    return float(np.median(told))
