"""Masks of the same movie, shown in the view of tracks: which neuron each voxel of a plane is.

They are the current set of the task `masks` on the source and stream of a desk of points, as
people have decided on it; the neuron is the item in both.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from nissl.annotators.masks.masks import Masks
from nissl.errors import BadLabelsError
from nissl.labels import Kind
from nissl.labels.replay import majority, replay
from nissl.review.desk import Desk
from nissl.review.point_desks import point_desk
from nissl.review.volume_slices import Cuts
from nissl.store import LabelRow

TASK = "masks"
_lock = threading.Lock()


class MaskLayer:
    """Masks beside a desk of points; one for each set.

    Parameters
    ----------
    masks : Masks
    author : str
    """

    def __init__(self, masks: Masks, author: str) -> None:
        self.masks, self.author = masks, author

    @cached_property
    def items(self) -> npt.NDArray[np.int64]:
        """Neurons with a mask, increasing; a voxel of the first is 1."""
        return self.masks.items

    def cuts(self, frame: int, place: Sequence[int], *, flat: bool, level: int = 0) -> Cuts:
        """Planes of numbers through a place of a volume, or what each ray meets first.

        Parameters
        ----------
        frame : int
        place : (z, y, x)
        flat : bool
            Whether all masks are wanted along z, y and x, those in front before others.
        level : int
            Halvings along x and y, of which every so many-th voxel is left.

        Returns
        -------
        Cuts
            uint16, (1, rows, columns) each.
        """
        volume = self.masks.volume(frame, self.items).astype(np.uint16)[None]
        step = 2**level
        volume = volume[:, :, ::step, ::step]
        if flat:
            return Cuts(_first(volume, 1), _first(volume, 2), _first(volume, 3).transpose(0, 2, 1))
        at = (place[0], place[1] // step, place[2] // step)
        z, y, x = (min(max(k, 0), n - 1) for k, n in zip(at, volume.shape[1:], strict=True))
        return Cuts(volume[:, z], volume[:, :, y], volume[:, :, :, x].transpose(0, 2, 1))


def _first(volume: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """First number above 0 along an axis, 0 where there is none."""
    there = np.expand_dims(np.argmax(volume > 0, axis=axis), axis)
    return np.take_along_axis(volume, there, axis).squeeze(axis)


_LAYERS: WeakKeyDictionary[Desk, tuple[tuple[str, int], MaskLayer | None]] = WeakKeyDictionary()


def mask_layer(desk: Desk) -> MaskLayer | None:
    """Masks of the movie of a desk of points; None where there are none that fit it.

    Raises
    ------
    BadArgumentError
        The desk holds no points.
    """
    shape = point_desk(desk).shape
    row = _current(desk)
    if row is None:
        return None
    edits = desk.store.edits(base=row.digest)
    key = (row.digest, len(edits))
    with _lock:
        known = _LAYERS.get(desk)
    if known is None or known[0] != key:
        labels = desk.store.get_labels(row.digest)
        if edits:
            labels = replay(labels, edits, resolve=majority).labels
        try:
            layer = MaskLayer(Masks.from_labels(labels, shape), labels.provenance.author.name)
        except BadLabelsError:  # of a movie of another size, or overlapping after a merge
            layer = None
        known = (key, layer)
        with _lock:
            _LAYERS[desk] = known
    return known[1]


def _current(desk: Desk) -> LabelRow | None:
    """The head of the task on the desk's source, else its newest set, on the desk's stream."""
    store, source = desk.store, desk.source.fingerprint
    rows = [
        row
        for row in store.label_sets(source=source, task=TASK, kind=Kind.REGIONS.value)
        if row.stream == desk.row.stream
    ]
    head = store.head(source, TASK)
    return next((row for row in rows if row.digest == head), rows[-1] if rows else None)


__all__ = ["MaskLayer", "mask_layer"]
