"""Masks: which voxels of some volumes belong to which neuron.

As a label set they are REGIONS with a frame: one row for each neuron in each volume, its `item`
the neuron, its `pixels` flat C-order indices into the volume's ``(z, y, x)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.vocabulary import NEURON, TRACKS
from nissl.errors import BadLabelsError
from nissl.labels import Kind, LabelSet, Provenance

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Masks:
    """Neurons of some volumes as sets of voxels that do not overlap within a volume.

    Parameters
    ----------
    shape : tuple of int
        ``(z, y, x)`` of a volume.
    frame, item : ndarray, shape (n_rows,), int64
        Volume and neuron of each row; by frame, then item.
    voxels : tuple of ndarray, int64
        Of each row the flat indices into `shape`, increasing, one at least.
    confidence : ndarray, shape (n_rows,), float32
        Calibrated probability that the row is right; NaN where there is none.
    """

    shape: Shape
    frame: Ints
    item: Ints
    voxels: tuple[Ints, ...]
    confidence: Floats

    @classmethod
    def build(
        cls,
        shape: Shape,
        frame: npt.ArrayLike,
        item: npt.ArrayLike,
        voxels: Iterable[npt.NDArray[Any]],
        confidence: npt.ArrayLike | None = None,
    ) -> Masks:
        """Masks of rows in any order.

        Raises
        ------
        BadLabelsError
            A neuron twice in a volume, a voxel of two neurons, or one outside the volume.
        """
        frames, items = np.asarray(frame, np.int64), np.asarray(item, np.int64)
        sure = np.full(frames.size, np.nan) if confidence is None else np.asarray(confidence)
        order = np.lexsort((items, frames))
        every = [np.sort(np.asarray(each, np.int64)) for each in voxels]
        made = cls(
            shape,
            frames[order],
            items[order],
            tuple(every[k] for k in order.tolist()),
            sure[order].astype(np.float32),
        )
        _require_sound(made)
        return made

    @classmethod
    def of_volumes(
        cls, volumes: Iterable[tuple[int, npt.NDArray[Any]]], shape: Shape | None = None
    ) -> Masks:
        """Masks of volumes of numbers, 0 for none, with their frames; a number is an item.

        Raises
        ------
        BadLabelsError
            Volumes of different shapes, or none at all when no `shape` is given.
        """
        frame: list[int] = []
        item: list[int] = []
        voxels: list[Ints] = []
        for at, volume in volumes:
            shape = (int(volume.shape[0]), *volume.shape[1:]) if shape is None else shape
            if volume.shape != shape:
                raise BadLabelsError(
                    f"volumes of {shape} voxels (z, y, x), as the first",
                    f"{volume.shape} in volume {at}",
                    "Give masks of one shape, that of the movie.",
                )
            for number, inside in numbered(volume):
                frame.append(int(at))
                item.append(number)
                voxels.append(inside)
        if shape is None:
            raise BadLabelsError("volumes of masks", "none", "Annotate some volumes first.")
        return cls.build(shape, frame, item, voxels)

    @classmethod
    def from_labels(cls, labels: LabelSet, shape: Shape) -> Masks:
        """Masks of a REGIONS set; rows that are called no neuron are left out.

        Raises
        ------
        BadLabelsError
            Another kind of labels, rows without a frame, and what `build` refuses.
        """
        if labels.kind is not Kind.REGIONS:
            raise BadLabelsError("REGIONS", labels.kind.value, "Give masks.")
        if labels.table.column("frame").null_count:
            raise BadLabelsError(
                "the volume of every region, in `frame`",
                f"{labels.table.column('frame').null_count} regions without one",
                "These are regions of a whole movie (cells), not masks of its volumes.",
            )
        kept = labels.column("label") == NEURON
        table = labels.table.filter(pa.array(kept))
        return cls.build(
            shape,
            table.column("frame").to_numpy(),
            table.column("item").to_numpy(),
            parts_of(table),
            table.column("confidence").to_numpy(),
        )

    def to_labels(self, provenance: Provenance) -> LabelSet:
        """REGIONS, a row for each neuron in each volume."""
        ends = np.cumsum([0, *(each.size for each in self.voxels)])
        flat = np.concatenate(self.voxels) if self.voxels else np.zeros(0, np.int64)
        pixels = pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(flat))
        return LabelSet.build(
            Kind.REGIONS,
            {
                "item": self.item,
                "label": np.full(self.frame.size, NEURON, np.int32),
                "confidence": self.confidence,
                "frame": self.frame,
                "pixels": pixels.cast(pa.list_(pa.int64())),
            },
            TRACKS,
            provenance,
        )

    @property
    def frames(self) -> Ints:
        """Volumes with a neuron at least, increasing."""
        return np.unique(self.frame)

    @property
    def items(self) -> Ints:
        """Neurons, increasing."""
        return np.unique(self.item)

    @property
    def sizes(self) -> Ints:
        """Number of voxels of each row."""
        return np.array([each.size for each in self.voxels], np.int64)

    def take(self, rows: npt.NDArray[Any]) -> Masks:
        """Those rows, by index or mask."""
        picked = np.arange(self.frame.size)[rows]
        return replace(
            self,
            frame=self.frame[picked],
            item=self.item[picked],
            voxels=tuple(self.voxels[k] for k in picked.tolist()),
            confidence=self.confidence[picked],
        )

    def volume(self, frame: int, items: Ints | None = None) -> npt.NDArray[np.int32]:
        """One volume of numbers, (z, y, x): 1 for the first of `items`, 0 for none.

        Parameters
        ----------
        frame : int
        items : ndarray of int64, optional
            Neurons to number, increasing; all by default. Others are left out.
        """
        known = self.items if items is None else items
        out = np.zeros(int(np.prod(self.shape)), np.int32)
        for row in np.flatnonzero(self.frame == frame).tolist():
            number = int(np.searchsorted(known, self.item[row]))
            if number < known.size and known[number] == self.item[row]:
                out[self.voxels[row]] = number + 1
        return out.reshape(self.shape)

    def centres(self) -> Positions:
        """Centres of all masks, with their confidence."""
        frames, items = self.frames, self.items
        row, column = np.searchsorted(frames, self.frame), np.searchsorted(items, self.item)
        xyz = np.full((frames.size, items.size, 3), np.nan, np.float32)
        sure = np.full(xyz.shape[:2], np.nan, np.float32)
        for k, each in enumerate(self.voxels):
            places = np.stack(np.unravel_index(each, self.shape)[::-1])
            xyz[row[k], column[k]] = places.mean(axis=1)
        sure[row, column] = self.confidence
        return Positions(frames, items, xyz, sure)


def numbered(volume: npt.NDArray[Any]) -> list[tuple[int, Ints]]:
    """Numbers above 0 of a volume, increasing, with the flat indices of their voxels."""
    flat = volume.ravel()
    inside = np.flatnonzero(flat)
    inside = inside[np.argsort(flat[inside], kind="stable")]
    numbers, starts = np.unique(flat[inside], return_index=True)
    parts = np.split(inside.astype(np.int64), starts[1:])
    return [(int(n), part) for n, part in zip(numbers, parts, strict=False) if n > 0]


def parts_of(table: pa.Table) -> list[Ints]:
    """Voxels of each row of a REGIONS table."""
    column = table.column("pixels").combine_chunks()
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(column).to_numpy(zero_copy_only=False)
    return np.split(np.asarray(flat, np.int64), np.cumsum(lengths)[:-1]) if lengths.size else []


def _require_sound(masks: Masks) -> None:
    same = (np.diff(masks.frame) == 0) & (np.diff(masks.item) == 0)
    if same.any():
        first = int(np.flatnonzero(same)[0])
        raise BadLabelsError(
            "each neuron once in a volume",
            f"{int(same.sum())} given twice, the first neuron {int(masks.item[first])} in volume "
            f"{int(masks.frame[first])}",
            "Join the two, or give one of them another identity.",
        )
    top = int(np.prod(masks.shape))
    outside = [k for k, each in enumerate(masks.voxels) if each[0] < 0 or each[-1] >= top]
    if outside:
        first = outside[0]
        raise BadLabelsError(
            f"voxels within {masks.shape} (z, y, x)",
            f"some outside, of neuron {int(masks.item[first])} in volume {int(masks.frame[first])}",
            "The masks belong to a movie of another size.",
        )
    for frame in masks.frames.tolist():
        rows = np.flatnonzero(masks.frame == frame).tolist()
        every = np.concatenate([masks.voxels[k] for k in rows])
        twice = every.size - np.unique(every).size
        if twice:
            raise BadLabelsError(
                "each voxel of one neuron",
                f"{twice} of two neurons in volume {frame}",
                "Masks of neurons must not overlap.",
            )


__all__ = ["Masks", "numbered", "parts_of"]
