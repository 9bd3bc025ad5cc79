"""Tracked points, and the contract suite of formats that hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from nissl.annotators.tracks.positions import Positions
from nissl.labels import Author, ItemTable, LabelSet, Provenance
from nissl.tasks import Dossier
from nissl.testing.exporters import ExporterContract, example_dossier

GRID = (6, 40, 60)


def example_points(rng: np.random.Generator, n_frames: int, n_neurons: int) -> LabelSet:
    """Tracks by a model, with confidence; some neurons are not in every volume."""
    xyz = rng.uniform(0, 1, (n_frames, n_neurons, 3)) * (np.asarray(GRID[::-1]) - 1)
    xyz[rng.uniform(size=(n_frames, n_neurons)) < 0.1] = np.nan
    xyz[0] = rng.uniform(0, 1, (n_neurons, 3)) * (np.asarray(GRID[::-1]) - 1)
    made = Provenance("tracks", "f" * 64, Author("model", "tracks/example", "1"), "red")
    sure = np.where(np.isfinite(xyz[..., 0]), rng.uniform(0, 1, xyz.shape[:2]), np.nan)
    positions = Positions.build(
        np.arange(n_frames) * 2, xyz, items=np.arange(n_neurons) * 3 + 1, confidence=sure
    )
    return positions.to_labels(made)


def point_dossier(seed: int = 0, *, n_frames: int = 7) -> Dossier:
    """Tracks with names, and classes over them."""
    rng = np.random.default_rng(seed)
    labels = example_points(rng, n_frames, 5)
    names = [f"AV{chr(65 + k)}L" for k in range(labels.items.size)]
    items = ItemTable(
        labels.digest,
        pa.table({"item": labels.items, "name": names, "brightness": rng.uniform(0, 9, 5)}),
        context={"grid": list(GRID)},
    )
    return replace(
        example_dossier(seed), labels=labels, items=items, stream="red", classes=(), events={}
    )


class PointExporterContract(ExporterContract):
    """What formats of tracks keep to."""

    noun = "points"

    def example(self, seed: int = 0, *, n_rows: int = 200) -> Dossier:
        """Tracks of about as many rows."""
        return point_dossier(seed, n_frames=max(n_rows // 30, 2))

    def unwritable(self, dossier: Dossier) -> Dossier:
        """Spans are no points."""
        return Dossier(labels=example_dossier().events["trials"], stream="red")
