"""Volumes: the channels of a volumetric movie, read one volume at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nissl.data import Movie, Recording
from nissl.errors import BadArgumentError, BadMetadataError


@dataclass(frozen=True)
class Volumes:
    """Channels that were recorded together; the first is the one that shows where neurons are.

    Parameters
    ----------
    channels : tuple of Movie
        Of the same shape and clock.
    """

    channels: tuple[Movie, ...]

    def __post_init__(self) -> None:
        if not self.channels:
            raise BadArgumentError("a channel at least", "none", "Name the streams to read.")
        first = self.channels[0]
        for movie in self.channels[1:]:
            if movie.shape != first.shape or movie.n_frames != first.n_frames:
                raise BadMetadataError(
                    f"channels of {first.n_frames} volumes of {first.shape}, as {first.name!r}",
                    f"{movie.n_frames} of {movie.shape} in {movie.name!r}",
                    "Leave that channel out, or mend the file.",
                )

    @classmethod
    def of(cls, recording: Recording, names: Sequence[str]) -> Volumes:
        """The channels of a recording by the names of their streams, the first for finding."""
        missing = [name for name in names if name not in recording.movies]
        if missing:
            raise BadArgumentError(
                f"channels among {sorted(recording.movies)}",
                f"{missing}",
                "Name the streams that hold the channels.",
            )
        return cls(tuple(recording.movies[name] for name in names))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) of a volume."""
        return self.channels[0].shape

    @property
    def n_frames(self) -> int:
        """Number of volumes."""
        return self.channels[0].n_frames

    @property
    def spacing_um(self) -> tuple[float, float, float] | None:
        """Size of a voxel along z, y and x; None where nothing says."""
        return self.channels[0].spacing_um

    def __getitem__(self, frame: int) -> npt.NDArray[np.float32]:
        """One volume, shape (n_channels, z, y, x), float32."""
        read = [movie.read(frame, frame + 1)[0] for movie in self.channels]
        return np.stack(read).astype(np.float32)
