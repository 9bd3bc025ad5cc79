"""Volumes of real worms whose neurons a person has placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.positions import Positions
from nissl.data import Movie, Recording

FOLDER = Path("imaging") / "worm_targettrack"
RATE_HZ = 5.0
"""Nothing says how often these volumes were taken; no method here uses it."""
ASSUMED_UM = (1.5, 0.325, 0.325)
"""Size of a voxel that is assumed for volumes with points, which state none: that of the same
laboratory's volumes with masks, two by two pixels together. The neurons then fill a cross-section
of 19 by 16 um, as round as a worm's."""
NAMED = ("red", "green")


@dataclass(frozen=True, eq=False)
class Annotated:
    """Real volumes as one recording, those that a person annotated first.

    Parameters
    ----------
    recording : Recording
        Streams "red" and "green".
    truth : Positions
        Of the volumes that a person annotated.
    names : tuple of str
        Of these volumes.
    spacing_um : tuple of float
    """

    recording: Recording
    truth: Positions
    names: tuple[str, ...]
    spacing_um: tuple[float, float, float]


def volume(file: Mapping[str, npt.NDArray[Any]], key: str) -> npt.NDArray[np.uint8]:
    """A volume of a file, (c, z, y, x)."""
    return np.asarray(file[key]).transpose(0, 3, 2, 1)


def points(data: Path) -> Annotated | None:
    """Every distinct volume with points of a person, and the others without; None without data."""
    seen: list[npt.NDArray[np.uint8]] = []
    places, names, others = [], [], []
    for path in sorted((data / FOLDER).glob("points_ex*.npz")):
        with np.load(path) as file:
            if "frame_gt" not in file:
                continue
            here = volume(file, "frame_gt")
            others.append(volume(file, "frame_tar"))
            if any(np.array_equal(here, each) for each in seen):
                continue
            seen.append(here)
            places.append(file["pts_gt"].astype(np.float32))
            names.append(path.stem.removeprefix("points_"))
    if not seen:
        return None
    fresh = [o for o in others if not any(np.array_equal(o, each) for each in seen)]
    frames = np.stack([*seen, *fresh])
    movies = {
        name: Movie.from_array(frames[:, k], RATE_HZ, name=name, spacing_um=ASSUMED_UM)
        for k, name in enumerate(NAMED)
    }
    recording = Recording(None, "array", {}, fingerprint="1" * 64, movies=movies)
    truth = Positions.build(np.arange(len(seen)), np.stack(places))
    return Annotated(recording, truth, tuple(names), ASSUMED_UM)
