"""What the formats of tracked points have in common.

Rows are neurons in volumes: a place in voxels, x y z from 0 at the centre of the first voxel.
Names of neurons, where there are any, stand in the item table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from nissl.annotators.tracks.positions import Positions
from nissl.errors import ExportError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Dossier

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class FoundPoints:
    """Places of neurons by one author.

    Parameters
    ----------
    positions : Positions
    author : Author
    names : tuple of str
        Of the neurons, in the order of `positions.items`; empty where there are none.
    shape : tuple of int, optional
        ``(z, y, x)`` of a volume, where the file says it.
    stream : str
        Whose voxels are counted, where the file holds the movie too.
    notes : tuple of str
        What is missing or uncertain.
    """

    positions: Positions
    author: Author
    names: tuple[str, ...] = ()
    shape: Shape | None = None
    stream: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointFile:
    """Importer of files in which others keep places of neurons.

    Parameters
    ----------
    name : str
    recogniser : callable
        ``(path) -> bool``; cheap, never raises for existing paths.
    finder : callable
        ``(path, reviewer) -> sequence of FoundPoints``, the main one first.
    """

    name: str
    recogniser: Callable[[Path], bool]
    finder: Callable[[Path, str | None], Sequence[FoundPoints]]

    def matches(self, path: Path) -> bool:
        """Whether `path` looks like this format."""
        return self.recogniser(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a file; see `nissl.io.contracts.Importer.read`. Points need no rate."""
        del rate_hz
        path = Path(path)
        if not path.exists():
            raise SourceNotFoundError("a file of points", f"nothing at {path}", "Check the path.")
        return imported(self.finder(path, reviewer), self.name, fingerprint=source)


def imported(found: Sequence[FoundPoints], name: str, *, fingerprint: str | None) -> Imported:
    """Labels and facts of what was found in a file of format `name`, a set for each author."""
    mark = fingerprint or fingerprint_of(found[0].positions)
    sets, tables = [], []
    for each in found:
        made = Provenance(
            task="tracks",
            source=mark,
            author=each.author,
            stream=each.stream,
            parameters={"imported_from": name},
        )
        labels = each.positions.to_labels(made)
        sets.append(labels)
        tables.append(names_table(labels, each))
    unseen = () if found[0].stream else ("The file names no movie that was opened; add the movie.",)
    return Imported(
        labels=tuple(sets),
        items=tuple(tables),
        what_is_missing=(*(note for each in found for note in each.notes), *unseen),
        format=name,
        fingerprint=mark,
    )


def names_table(labels: LabelSet, found: FoundPoints) -> ItemTable:
    """Item table with the names of neurons that have a place, where there are names."""
    place = {int(item): k for k, item in enumerate(found.positions.items)}
    rows = [place[int(item)] for item in labels.items]
    columns: dict[str, pa.Array] = {"item": pa.array(labels.items, pa.int64())}
    if found.names:
        columns["name"] = pa.array([found.names[k] for k in rows], pa.string())
    counts = found.positions.seen.sum(axis=0)[rows]
    columns["n_frames"] = pa.array(counts.astype(np.int64))
    context = {} if found.shape is None else {"grid": list(found.shape)}
    return ItemTable(labels.digest, pa.table(columns), context=context)


def points_of(dossier: Dossier) -> LabelSet:
    """Return the points of a dossier; `ExportError` where its labels are something else."""
    if dossier.labels.kind is not Kind.POINTS or not dossier.labels.n_rows:
        raise ExportError(
            "POINTS of at least one track",
            f"{dossier.labels.n_rows} rows of {dossier.labels.kind.value}",
            "Formats of tracks need points; csv and parquet hold every kind.",
        )
    return dossier.labels


def fingerprint_of(positions: Positions) -> str:
    """Fingerprint of points whose movie is not known."""
    digest = hashlib.sha256(b"nissl points 1\n")
    for array in (positions.frames, positions.items, positions.xyz):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
