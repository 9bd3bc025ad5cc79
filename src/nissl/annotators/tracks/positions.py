"""Positions: where each neuron is in some volumes of a movie.

Places are ``x, y, z`` in voxels, centres of voxels at integers, as columns of POINTS are; arrays
of voxels are ``(z, y, x)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.vocabulary import NEURON, TRACKS
from nissl.errors import BadArgumentError, BadLabelsError, BadMetadataError
from nissl.labels import Kind, LabelSet, Provenance

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Positions:
    """Places of neurons by volume; a neuron without a place was not seen there.

    Parameters
    ----------
    frames : ndarray, shape (n_frames,), int64
        Volumes of the movie, increasing.
    items : ndarray, shape (n_neurons,), int64
        Tracks, increasing.
    xyz : ndarray, shape (n_frames, n_neurons, 3), float32, voxels
        NaN where a neuron has no place.
    confidence : ndarray, shape (n_frames, n_neurons), float32
        Calibrated probability that the place is right; NaN where there is none.
    """

    frames: Ints
    items: Ints
    xyz: Floats
    confidence: Floats

    def __post_init__(self) -> None:
        n, m = self.frames.size, self.items.size
        if self.xyz.shape != (n, m, 3) or self.confidence.shape != (n, m):
            raise BadArgumentError(
                f"a place and a confidence for each of {m} neurons in {n} volumes",
                f"shapes {self.xyz.shape} and {self.confidence.shape}",
                "Give arrays of (n_frames, n_neurons, 3) and (n_frames, n_neurons).",
            )
        for name, ids in (("frames", self.frames), ("items", self.items)):
            if np.any(np.diff(ids) <= 0):
                raise BadArgumentError(
                    f"{name} that increase", f"{ids.tolist()!r:.200}", "Sort them; each once."
                )

    @classmethod
    def build(
        cls,
        frames: npt.ArrayLike,
        xyz: npt.NDArray[Any],
        *,
        items: npt.ArrayLike | None = None,
        confidence: npt.NDArray[Any] | None = None,
    ) -> Positions:
        """Positions of arrays of any number type, without confidence by default."""
        places = np.asarray(xyz, np.float32)
        known = np.arange(places.shape[1]) if items is None else items
        sure = np.full(places.shape[:2], np.nan) if confidence is None else confidence
        return cls(
            np.asarray(frames, np.int64),
            np.asarray(known, np.int64),
            places,
            np.asarray(sure, np.float32),
        )

    @classmethod
    def from_labels(cls, labels: LabelSet) -> Positions:
        """Positions of a POINTS set; rows that are not visible, or called no neuron, have none.

        Raises
        ------
        BadLabelsError
            Another kind of labels, or a neuron that is twice in one volume.
        """
        if labels.kind is not Kind.POINTS:
            raise BadLabelsError("POINTS", labels.kind.value, "Give tracks.")
        seen = labels.column("visible") & (labels.column("label") == NEURON)
        frame, item = labels.column("frame")[seen], labels.column("item")[seen]
        frames, row = np.unique(frame, return_inverse=True)
        items, column = np.unique(labels.column("item"), return_inverse=True)
        column = column[seen]
        twice = np.unique(row * items.size + column, return_counts=True)[1] > 1
        if twice.any():
            raise BadLabelsError(
                "each neuron once in a volume",
                f"{int(twice.sum())} places given twice, the first in volume "
                f"{_first_twice(frame, item)}",
                "Remove one of the two, or give one of them another identity.",
            )
        xyz = np.full((frames.size, items.size, 3), np.nan, np.float32)
        sure = np.full((frames.size, items.size), np.nan, np.float32)
        for axis, name in enumerate("xyz"):
            xyz[row, column, axis] = labels.column(name)[seen]
        sure[row, column] = labels.column("confidence")[seen]
        return cls(frames.astype(np.int64), items.astype(np.int64), xyz, sure)

    def to_labels(self, provenance: Provenance) -> LabelSet:
        """POINTS, one row per neuron and volume in which it was seen, by volume."""
        row, column = np.nonzero(self.seen)
        xyz = self.xyz[row, column]
        return LabelSet.build(
            Kind.POINTS,
            {
                "item": self.items[column],
                "label": np.full(row.size, NEURON, np.int32),
                "confidence": self.confidence[row, column],
                "frame": self.frames[row],
                "x": xyz[:, 0],
                "y": xyz[:, 1],
                "z": xyz[:, 2],
                "visible": np.ones(row.size, bool),
            },
            TRACKS,
            provenance,
        )

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """Which neurons have a place, shape (n_frames, n_neurons)."""
        return np.asarray(np.isfinite(self.xyz).all(axis=2))

    def take(self, rows: npt.NDArray[Any]) -> Positions:
        """Those in some of the volumes, by index or mask; every neuron is kept."""
        return Positions(self.frames[rows], self.items, self.xyz[rows], self.confidence[rows])

    def in_um(self, spacing_um: tuple[float, float, float] | None) -> npt.NDArray[np.float64]:
        """Places in micrometres, (n_frames, n_neurons, 3), x y z.

        Parameters
        ----------
        spacing_um : tuple of float, along z, y, x

        Raises
        ------
        BadMetadataError
            No spacing: it is asked for, never assumed.
        """
        if spacing_um is None:
            raise BadMetadataError(
                "the size of a voxel along z, y and x",
                "none in the file",
                "Give it with --spacing Z,Y,X in micrometres; planes lie further apart than "
                "pixels, so distances in voxels mean little.",
            )
        return np.asarray(self.xyz * np.asarray(spacing_um[::-1], np.float64))


def _first_twice(frame: Ints, item: Ints) -> str:
    order = np.lexsort((item, frame))
    same = (np.diff(frame[order]) == 0) & (np.diff(item[order]) == 0)
    first = order[int(np.flatnonzero(same)[0])]
    return f"{int(frame[first])} (neuron {int(item[first])})"
