"""What people annotated: the volumes that methods follow neurons from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Recording
from nissl.errors import BadArgumentError, BadLabelsError, BadMetadataError
from nissl.labels import LabelSet

Spacing = tuple[float, float, float]


def annotated(labels: LabelSet, volumes: Volumes, frames: Sequence[int] | None = None) -> Positions:
    """Places that people gave, by volume.

    Parameters
    ----------
    labels : LabelSet
        POINTS with identity, in `item`.
    volumes : Volumes
    frames : sequence of int, optional
        Which of the volumes a person annotated; by default all that a person's set speaks of.

    Raises
    ------
    BadLabelsError
        No neuron; one twice in a volume; one outside the volumes; a machine's proposal, of
        which nobody says which volumes a person looked at.
    """
    told = Positions.from_labels(labels)
    require_looked_at(labels, told.frames.tolist(), frames, "points")
    if frames is not None:
        told = told.take(np.isin(told.frames, np.asarray(list(frames), np.int64)))
    if not told.seen.any():
        raise BadLabelsError(
            "a volume with a neuron at least",
            "none",
            "Annotate some neurons first; tracks/blobs proposes where they are.",
        )
    require_inside(told, volumes)
    return told


def require_looked_at(
    labels: LabelSet, have: Sequence[int], frames: Sequence[int] | None, what: str
) -> None:
    """Raise `BadLabelsError` unless it is known which volumes a person looked at.

    Parameters
    ----------
    labels : LabelSet
    have : sequence of int
        Volumes that the labels speak of.
    frames : sequence of int or None
        Those that were named; None where all are meant, which only a person's set can mean.
    what : str
        "points" or "masks".
    """
    if frames is None and labels.provenance.author.kind != "person":
        raise BadLabelsError(
            f"volumes that a person annotated, with {what} that a person drew",
            f"the proposal of {labels.provenance.author.name!r}",
            "Name the volumes that were looked at with --set 'frames=[0,250]', or import the "
            f"{what} anew with --author.",
        )
    missing = sorted(set(frames or ()) - set(have))
    if missing:
        raise BadLabelsError(
            f"annotated volumes among {list(have)!r:.200}",
            f"{missing!r:.200}",
            f"Name volumes that have {what}.",
        )


def require_inside(told: Positions, volumes: Volumes) -> None:
    """Raise `BadLabelsError` for places outside the volumes, or volumes after the last."""
    z, y, x = volumes.shape
    late = told.frames[(told.frames < 0) | (told.frames >= volumes.n_frames)]
    if late.size:
        raise BadLabelsError(
            f"volumes from 0 to {volumes.n_frames - 1}",
            f"points in volume {int(late[0])}",
            "The labels belong to another movie, or count volumes from 1.",
        )
    size = np.asarray((x, y, z))
    with np.errstate(invalid="ignore"):
        outside = ((told.xyz < -0.5) | (told.xyz > size - 0.5)).any(axis=2)
    if outside.any():
        row, column = (int(k[0]) for k in np.nonzero(outside))
        place = ", ".join(f"{v:.1f}" for v in told.xyz[row, column])
        raise BadLabelsError(
            f"places (x, y, z) within {x} x {y} x {z} voxels",
            f"{int(outside.sum())} outside, the first of neuron {int(told.items[column])} in "
            f"volume {int(told.frames[row])}: ({place})",
            "Check the order of the axes and whether places are in voxels, counted from 0.",
        )


def channels_of(recording: Recording, stream: str, named: Sequence[str] | None) -> Volumes:
    """The channels to read: those named, or the annotated stream and the next of its shape.

    Raises
    ------
    BadArgumentError
        No such channel; a stream that is no volume.
    """
    if named is not None:
        volumes = Volumes.of(recording, list(named))
    else:
        first = Volumes.of(recording, [stream]).channels[0]
        like = [
            name
            for name, movie in recording.movies.items()
            if name != stream and movie.shape == first.shape and movie.n_frames == first.n_frames
        ]
        volumes = Volumes.of(recording, [stream, *like[:1]])
    if volumes.shape[0] < 2:
        raise BadArgumentError(
            "volumes of several planes",
            f"{volumes.channels[0].name!r} of one plane",
            "State the planes that take turns with --planes when the movie is added.",
        )
    return volumes


def spacing_of(volumes: Volumes, told: Sequence[float] | None) -> Spacing:
    """Size of a voxel along z, y and x in micrometres, as told or as the movie says.

    Raises
    ------
    BadMetadataError
        Nobody says: it is asked for, never assumed.
    """
    if told is not None:
        try:
            z, y, x = (float(v) for v in told)
        except (TypeError, ValueError):
            z = y = x = float("nan")
        if not all(np.isfinite(v) and v > 0 for v in (z, y, x)):
            raise BadArgumentError(
                "spacing_um as three sizes above 0 along z, y and x",
                f"{told!r}",
                "Write --set 'spacing_um=[1.5,0.33,0.33]'.",
            )
        return (z, y, x)
    if volumes.spacing_um is None:
        raise BadMetadataError(
            "the size of a voxel along z, y and x",
            "none in the file",
            "Give it with --spacing Z,Y,X (micrometres) when the movie is added, or with "
            "--set 'spacing_um=[Z,Y,X]' now; planes lie further apart than pixels.",
        )
    return volumes.spacing_um
