"""What is named: one place for each track, and its colours where they are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.names.atlas import aligned
from nissl.annotators.tracks.describing import light_at
from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.volumes import Volumes
from nissl.errors import BadArgumentError
from nissl.labels import ItemTable
from nissl.tasks import Inputs

Floats = npt.NDArray[np.float64]

COLOURS = ("red", "green", "blue")
_VOLUMES = 50
"""Volumes, spread over the movie, whose places are averaged, and whose light is read."""


def shape_of(
    positions: Positions, spacing_um: tuple[float, float, float] | None
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Mean place of each track over volumes that are brought onto each other, and its item.

    A neuron that is missing in one volume is found in another; volumes are affinely aligned, for
    the animal moves and is squeezed. Handedness stays that of the volumes.

    Parameters
    ----------
    positions : Positions
    spacing_um : tuple of float, optional
        Size of a voxel along z, y and x. Names need none, for any affine map is allowed, but
        where planes lie much further apart than pixels, the long axis of the body is found
        only with it.

    Returns
    -------
    places : ndarray, shape (n_named, 3)
    items : ndarray, shape (n_named,), int64
        Tracks that were seen somewhere.
    """
    enough = np.flatnonzero(positions.seen.sum(axis=1) >= 4)
    if not enough.size:
        raise BadArgumentError(
            "a volume with four neurons or more", "none", "Follow more neurons first."
        )
    number = positions.seen.sum(axis=1)
    order = enough[np.argsort(-number[enough], kind="stable")][:_VOLUMES]
    xyz = positions.xyz[np.sort(order)].astype(np.float64)
    xyz *= np.asarray((1.0, 1.0, 1.0) if spacing_um is None else spacing_um[::-1])
    if len(xyz) > 1:
        xyz = aligned(xyz)
    seen = np.isfinite(xyz[..., 0])
    there = seen.any(axis=0)
    total = np.where(seen[..., None], xyz, 0.0).sum(axis=0)[there]
    return total / seen.sum(axis=0)[there, None], positions.items[there]


def colours_of(
    inputs: Inputs,
    positions: Positions,
    items: npt.NDArray[np.int64],
    channels: tuple[str, ...],
) -> Floats | None:
    """Colours of tracks, (n, n_colours), from their item table or from named channels.

    Parameters
    ----------
    inputs : Inputs
    positions : Positions
    items : ndarray, shape (n,)
    channels : tuple of str
        Streams of the recording, one per colour in the order of the atlas; empty takes the
        columns red, green and blue of the tracks' item table, where there are any.
    """
    if channels:
        return _light(Volumes.of(inputs.recording, channels), positions, items)
    table = inputs.items.get("tracks")
    if table is None or not set(COLOURS) <= set(table.table.column_names):
        return None
    return _columns(table, items)


def _columns(table: ItemTable, items: npt.NDArray[np.int64]) -> Floats:
    row = {int(item): k for k, item in enumerate(table.items.tolist())}
    values: dict[str, Any] = {
        name: table.table.column(name).to_numpy(zero_copy_only=False) for name in COLOURS
    }
    out = np.full((items.size, len(COLOURS)), np.nan)
    for k, item in enumerate(items.tolist()):
        if item in row:
            out[k] = [float(values[name][row[item]]) for name in COLOURS]
    return out


def _light(volumes: Volumes, positions: Positions, items: npt.NDArray[np.int64]) -> Floats:
    """Mean light around each track over some volumes."""
    within = np.flatnonzero((positions.frames >= 0) & (positions.frames < volumes.n_frames))
    few = np.linspace(0, within.size - 1, min(within.size, _VOLUMES)).round().astype(np.intp)
    column = np.searchsorted(positions.items, items)
    read = np.full((few.size, items.size, len(volumes.channels)), np.nan)
    for k, row in enumerate(within[few].tolist()):
        seen = np.flatnonzero(positions.seen[row, column])
        frame = int(positions.frames[row])
        read[k, seen] = light_at(volumes[frame], positions.xyz[row, column[seen]]).T
    known = np.isfinite(read)
    total = np.where(known, read, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / known.sum(axis=0))
