"""Masks of volumes, and the contract suite of formats that hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from nissl.annotators.masks.masks import Masks
from nissl.labels import Author, ItemTable, LabelSet, Provenance
from nissl.project.adding import keep
from nissl.tasks import Dossier
from nissl.testing.exporters import ExporterContract, example_dossier
from nissl.testing.worms import SPACING_UM, TrackedWorm

GRID = (4, 20, 30)
PERSON = Author("person", "ada")


def example_masks(rng: np.random.Generator, n_frames: int, n_neurons: int = 4) -> Masks:
    """Balls that wander a little, each in a column of its own; some are missing in some volumes."""
    z, y, x = np.indices(GRID)
    width = GRID[2] // n_neurons
    volumes = []
    for frame in range(n_frames):
        volume = np.zeros(GRID, np.int32)
        for k in range(n_neurons):
            if frame and rng.uniform() < 0.1:
                continue
            at = rng.uniform((1, 4, k * width + 3), (3, GRID[1] - 4, (k + 1) * width - 3))
            away = (z - at[0]) ** 2 + ((y - at[1]) / 2) ** 2 + ((x - at[2]) / 2) ** 2
            volume[away < 1.3] = 3 * k + 2
        volumes.append((2 * frame, volume))
    found = Masks.of_volumes(volumes)
    return replace(found, confidence=rng.uniform(0, 1, found.frame.size).astype(np.float32))


def mask_dossier(seed: int = 0, *, n_frames: int = 5) -> Dossier:
    """Masks by a model with names of the neurons."""
    rng = np.random.default_rng(seed)
    masks = example_masks(rng, n_frames)
    made = Provenance(
        "masks", "f" * 64, Author("model", "masks/example", "1"), "red", {"shape": list(GRID)}
    )
    labels = masks.to_labels(made)
    names = [f"AV{chr(65 + k)}R" for k in range(labels.items.size)]
    items = ItemTable(
        labels.digest, pa.table({"item": labels.items, "name": names}), context={"grid": list(GRID)}
    )
    return replace(
        example_dossier(seed), labels=labels, items=items, stream="red", classes=(), events={}
    )


class MaskExporterContract(ExporterContract):
    """What formats of masks keep to."""

    noun = "masks"

    def example(self, seed: int = 0, *, n_rows: int = 200) -> Dossier:
        """Masks of about as many rows."""
        return mask_dossier(seed, n_frames=max(n_rows // 40, 2))

    def unwritable(self, dossier: Dossier) -> Dossier:
        """Spans are no masks."""
        return Dossier(labels=example_dossier().events["trials"], stream="red")


def masks_beside(
    worm: TrackedWorm,
    *,
    radius_um: float = 1.5,
    every: int = 1,
    author: Author = PERSON,
) -> LabelSet:
    """Keep masks in a project of tracks: balls around the true places, in some of the volumes.

    Parameters
    ----------
    worm : TrackedWorm
    radius_um : float
    every : int
        Of so many volumes one has masks.
    author : Author
    """
    shape = worm.movies["red"].shape
    z, y, x = np.indices(shape)
    volumes = []
    for row, frame in enumerate(worm.truth.frames.tolist()[::every]):
        nearest = np.full(shape, radius_um**2)
        volume = np.zeros(shape, np.int32)
        for column, item in enumerate(worm.truth.items.tolist()):
            px, py, pz = worm.truth.xyz[row * every, column]
            sides = zip((z - pz, y - py, x - px), SPACING_UM, strict=True)
            away = sum((side * size) ** 2 for side, size in sides)
            closer = away < nearest
            volume[closer], nearest[closer] = item + 1, away[closer]
        volumes.append((frame, volume))
    found = Masks.of_volumes(volumes)
    masks = Masks.build(shape, found.frame, found.item - 1, found.voxels)
    made = Provenance("masks", worm.row.fingerprint, author, "red")
    labels = masks.to_labels(made)
    keep(worm.project.store, labels)
    return labels
