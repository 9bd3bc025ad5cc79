"""Footprints: which pixels belong to each cell, and how strongly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.vocabulary import CELL, CELLS
from nissl.errors import BadArgumentError
from nissl.labels import Kind, LabelSet, Provenance

ORIGINS = ("shape", "activity", "both", "given")


@dataclass(frozen=True, eq=False)
class Footprints:
    """Cells of one field, as weighted sets of pixels that may overlap.

    Parameters
    ----------
    shape : tuple of int
        ``(z, y, x)`` of the field.
    pixels : tuple of ndarray, int64
        For each cell the flat C-order indices into `shape`, increasing.
    weights : tuple of ndarray, float32
        For each cell a weight per pixel, above 0.
    score : ndarray, shape (n_cells,), float32
        What the finder thinks of each, on its own scale; NaN where it has no opinion.
    origin : tuple of str
        How each was found: by its "shape", its "activity", "both", or "given" by somebody.
    """

    shape: tuple[int, int, int]
    pixels: tuple[npt.NDArray[np.int64], ...]
    weights: tuple[npt.NDArray[np.float32], ...]
    score: npt.NDArray[np.float32]
    origin: tuple[str, ...]

    def __post_init__(self) -> None:
        n, size = len(self.pixels), int(np.prod(self.shape))
        if len(self.weights) != n or self.score.shape != (n,) or len(self.origin) != n:
            raise BadArgumentError(
                f"weights, a score and an origin for each of {n} cells",
                f"{len(self.weights)}, {self.score.shape}, {len(self.origin)}",
                "Give one of each per cell.",
            )
        for index, (pixels, weights) in enumerate(zip(self.pixels, self.weights, strict=True)):
            if pixels.size == 0 or pixels.size != weights.size or np.any(np.diff(pixels) <= 0):
                raise BadArgumentError(
                    "increasing pixels with a weight each",
                    f"{pixels.size} pixels and {weights.size} weights of cell {index}",
                    "Sort them; a cell has at least one pixel.",
                )
            if pixels[0] < 0 or pixels[-1] >= size:
                raise BadArgumentError(
                    f"pixels inside the field of {self.shape} voxels",
                    f"{int(pixels[0])} to {int(pixels[-1])} of cell {index}",
                    "The regions belong to another field, or to one of another size.",
                )

    def __len__(self) -> int:
        return len(self.pixels)

    @classmethod
    def build(
        cls,
        shape: tuple[int, int, int],
        pixels: Sequence[npt.ArrayLike],
        weights: Sequence[npt.ArrayLike] | None = None,
        *,
        score: npt.ArrayLike | None = None,
        origin: str | Sequence[str] = "given",
    ) -> Footprints:
        """Footprints of pixels in any order, of equal weight and without score by default."""
        n = len(pixels)
        flat, heavy = [], []
        for index, each in enumerate(pixels):
            places = np.asarray(each, np.int64).ravel()
            order = np.argsort(places, kind="stable")
            given = np.ones(places.size) if weights is None else np.asarray(weights[index]).ravel()
            flat.append(places[order])
            heavy.append(given[order].astype(np.float32))
        said = np.full(n, np.nan, np.float32) if score is None else np.asarray(score, np.float32)
        origins = (origin,) * n if isinstance(origin, str) else tuple(origin)
        return cls(shape, tuple(flat), tuple(heavy), said, origins)

    @classmethod
    def from_masks(cls, image: npt.NDArray[Any], *, origin: str = "given") -> Footprints:
        """Footprints of an image of labels, shape (y, x) or (z, y, x); 0 is background."""
        volume = image[None] if image.ndim == 2 else image
        flat = volume.ravel()
        inside = np.flatnonzero(flat)
        order = np.argsort(flat[inside], kind="stable")
        sorted_ = inside[order]
        cuts = np.flatnonzero(np.diff(flat[sorted_])) + 1
        parts = np.split(sorted_, cuts) if sorted_.size else []
        depth, height, width = volume.shape
        return cls.build((int(depth), int(height), int(width)), parts, origin=origin)

    @classmethod
    def from_labels(cls, labels: LabelSet, shape: tuple[int, int, int]) -> Footprints:
        """Footprints of a REGIONS set on a field of `shape`; rows in their order."""
        pixels = [np.asarray(row.as_py(), np.int64) for row in labels.table.column("pixels")]
        weights = [
            np.ones(places.size) if given.as_py() is None else np.asarray(given.as_py())
            for given, places in zip(labels.table.column("weights"), pixels, strict=True)
        ]
        return cls.build(shape, pixels, weights)

    def to_labels(
        self,
        provenance: Provenance,
        *,
        item: npt.NDArray[np.int64] | None = None,
        probability: npt.NDArray[np.floating[Any]] | None = None,
        label: npt.NDArray[np.int32] | None = None,
    ) -> LabelSet:
        """REGIONS of these cells.

        Parameters
        ----------
        provenance : Provenance
        item : ndarray, shape (n_cells,), int64, optional
            Ids; 0 to n - 1 by default.
        probability : ndarray, shape (n_cells,), optional
            Calibrated probability of being a cell; without it they are called as `label` says,
            at no confidence.
        label : ndarray, shape (n_cells,), int32, optional
            Codes of the vocabulary where there are no probabilities; cells by default.
        """
        n = len(self)
        ids = np.arange(n, dtype=np.int64) if item is None else item
        columns: dict[str, Any] = {
            "item": ids,
            "label": np.full(n, CELL, np.int32) if label is None else label,
            "pixels": pa.array(list(self.pixels), pa.list_(pa.int64())),
            "weights": pa.array(list(self.weights), pa.list_(pa.float32())),
        }
        if probability is not None:
            p = np.stack([probability, 1 - probability], 1).astype(np.float32)
            columns["label"] = p.argmax(1).astype(np.int32)
            columns["confidence"] = p.max(1)
            columns["probabilities"] = p
        return LabelSet.build(Kind.REGIONS, columns, CELLS, provenance)

    def take(self, rows: npt.NDArray[Any]) -> Footprints:
        """Cells by index or mask."""
        picked = np.arange(len(self))[rows].tolist()
        return Footprints(
            self.shape,
            tuple(self.pixels[k] for k in picked),
            tuple(self.weights[k] for k in picked),
            self.score[picked],
            tuple(self.origin[k] for k in picked),
        )

    def matrix(self) -> Any:
        """Weights as a sparse array, shape (n_cells, z * y * x), CSR float32."""
        from scipy.sparse import csr_array

        lengths = [p.size for p in self.pixels]
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        none = not self.pixels
        columns = np.zeros(0, np.int64) if none else np.concatenate(self.pixels)
        values = np.zeros(0, np.float32) if none else np.concatenate(self.weights)
        return csr_array((values, columns, indptr), shape=(len(self), int(np.prod(self.shape))))

    def centres(self) -> npt.NDArray[np.float64]:
        """Weighted centres, shape (n_cells, 3), voxels along z, y, x."""
        out = np.zeros((len(self), 3))
        for row, (pixels, weights) in enumerate(zip(self.pixels, self.weights, strict=True)):
            places = np.stack(np.unravel_index(pixels, self.shape), 1)
            out[row] = np.average(places, axis=0, weights=weights)
        return out
