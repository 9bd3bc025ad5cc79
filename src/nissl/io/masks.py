"""What the formats of tracked masks have in common: volumes of numbers, a number per neuron."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from nissl.annotators.masks.masks import Masks
from nissl.errors import ExportError
from nissl.io.contracts import Imported
from nissl.io.regions import field_of
from nissl.io.sidecar import Sidecar
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Dossier

MOST = 2**15 - 1
"""Largest number of a voxel that every program reads."""


@dataclass(frozen=True, eq=False)
class FoundMasks:
    """Masks by one author.

    Parameters
    ----------
    masks : Masks
    author : Author
    stream : str
        Whose voxels are counted, where the file holds the movie too.
    notes : tuple of str
        What is missing or uncertain.
    """

    masks: Masks
    author: Author
    stream: str = ""
    notes: tuple[str, ...] = ()


def imported_masks(found: Sequence[FoundMasks], name: str, *, fingerprint: str | None) -> Imported:
    """Labels and facts of what was found in a file of format `name`, a set for each author."""
    mark = fingerprint or fingerprint_of(found[0].masks)
    sets, tables = [], []
    for each in found:
        shape = list(each.masks.shape)
        made = Provenance(
            task="masks",
            source=mark,
            author=each.author,
            stream=each.stream,
            parameters={"imported_from": name, "shape": shape},
        )
        labels = each.masks.to_labels(made)
        counts = np.unique(each.masks.item, return_counts=True)[1]
        columns = {"item": pa.array(labels.items, pa.int64()), "n_frames": pa.array(counts)}
        sets.append(labels)
        tables.append(ItemTable(labels.digest, pa.table(columns), context={"grid": shape}))
    unseen = () if found[0].stream else ("The file names no movie that was opened; add the movie.",)
    return Imported(
        labels=tuple(sets),
        items=tuple(tables),
        what_is_missing=(*(note for each in found for note in each.notes), *unseen),
        format=name,
        fingerprint=mark,
    )


def is_masks(labels: LabelSet) -> bool:
    """Whether a set holds masks of volumes: regions with a frame each."""
    return labels.kind is Kind.REGIONS and not labels.table.column("frame").null_count


def masks_of(dossier: Dossier) -> Masks:
    """Return the masks of a dossier; `ExportError` where its labels are something else."""
    if not dossier.labels.n_rows or not is_masks(dossier.labels):
        raise ExportError(
            "masks of volumes: REGIONS with a frame each",
            f"{dossier.labels.n_rows} rows of {dossier.labels.kind.value}",
            "csv and parquet hold every kind.",
        )
    return Masks.from_labels(dossier.labels, field_of(dossier))


def renumbered(masks: Masks) -> Masks:
    """The same masks with items that can be voxels: as they are, or counted from 1."""
    items = masks.items
    if items.size > MOST:
        raise ExportError(f"at most {MOST} neurons", f"{items.size}", "Export in parts.")
    if items[0] >= 1 and items[-1] <= MOST:
        return masks
    numbers = np.searchsorted(items, masks.item) + 1
    return Masks(masks.shape, masks.frame, numbers, masks.voxels, masks.confidence)


def same_masks(a: Masks, b: Masks) -> bool:
    """Whether two have the same voxels for the same neurons in the same volumes."""
    return (
        a.shape == b.shape
        and np.array_equal(a.frame, b.frame)
        and np.array_equal(a.item, b.item)
        and all(np.array_equal(x, y) for x, y in zip(a.voxels, b.voxels, strict=True))
    )


def untouched(sidecar: Sidecar | None, found: Masks, name: str) -> Imported | None:
    """The work as it was exported, while every voxel is still the same."""
    if sidecar is None or sidecar.labels is None or not is_masks(sidecar.labels):
        return None
    wanted = Masks.from_labels(sidecar.labels, found.shape)
    if not wanted.frame.size or not same_masks(renumbered(wanted), found):
        return None
    return sidecar.imported(sidecar.labels, name)


def fingerprint_of(masks: Masks) -> str:
    """Fingerprint of masks whose movie is not known."""
    digest = hashlib.sha256(f"nissl masks 1 {masks.shape}\n".encode())
    for array in (masks.frame, masks.item, *masks.voxels):
        digest.update(np.ascontiguousarray(array).astype("<i8").tobytes())
    return digest.hexdigest()


__all__ = [
    "FoundMasks",
    "imported_masks",
    "is_masks",
    "masks_of",
    "renumbered",
    "same_masks",
    "untouched",
]
