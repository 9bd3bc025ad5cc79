"""Tracks and masks that people or other programs made, imported to the movie that they lie in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from nissl.annotators.tracks.positions import Positions
from nissl.data.channels import MOVIE
from nissl.errors import BadArgumentError, SourceNotFoundError, UnknownFormatError
from nissl.io import IMPORTERS, find_importer
from nissl.io.contracts import Importer
from nissl.io.nwb import holds_tracks
from nissl.io.registries import MASKS
from nissl.labels import Kind, LabelSet
from nissl.project.adding import keep
from nissl.project.source import Source
from nissl.store import Store

FORMATS = ("targettrack", "track-table", "nwb", *MASKS)


def point_format(path: Path, name: str | None = None) -> Importer | None:
    """Importer of points or masks at a path: as named, or what knows it; None for others."""
    found = IMPORTERS.get(name) if name is not None else find_importer(path)
    if found is None or found.name not in FORMATS:
        return None
    return found if found.name != "nwb" or holds_tracks(path) else None


def add_points(
    store: Store,
    source: Source,
    path: Path,
    *,
    format: str | None = None,
    author: str | None = None,
    stream: str | None = None,
) -> tuple[LabelSet, ...]:
    """Import tracks to a source; see `nissl.project.Project.add_points`."""
    if not path.exists():
        raise SourceNotFoundError("a file of points", f"nothing at {path}", "Check the path.")
    importer = point_format(path, format)
    if importer is None:
        raise UnknownFormatError(
            f"points in one of the formats {sorted(FORMATS)}",
            f"something else at {path.name}",
            "Name the format: --format NAME.",
        )
    chosen = _channel(source, stream)
    facts = source.row.streams[chosen]
    found = importer.read(path, reviewer=author, source=source.fingerprint)
    tables = {table.of: table for table in found.items}
    sets = []
    became: dict[str, str] = {}
    for labels in found.labels:
        made = replace(labels.provenance, source=source.fingerprint, stream=chosen)
        if labels.kind is Kind.POINTS:
            _check_inside(labels, facts.get("shape"), int(facts.get("n_samples") or 0))
        elif labels.kind is Kind.REGIONS:
            _check_masks(labels, facts.get("shape"), int(facts.get("n_samples") or 0))
        else:  # classes of neurons go on speaking of the same ones
            made = replace(made, targets=tuple(became.get(t, t) for t in made.targets))
        moved = replace(labels, provenance=made)
        became[labels.digest] = moved.digest
        table = tables.get(labels.digest)
        items = None if table is None else store.put_items(replace(table, of=moved.digest))
        keep(store, moved, items=items)
        sets.append(moved)
    return tuple(sets)


def _channel(source: Source, stream: str | None) -> str:
    """Stream whose voxels places count: as named, or the first of channels of one shape."""
    movies = {k: v for k, v in source.row.streams.items() if v.get("kind") == MOVIE}
    one_shape = len({tuple(facts.get("shape") or ()) for facts in movies.values()}) == 1
    if stream is None and len(movies) > 1 and one_shape:
        return "red" if "red" in movies else next(iter(movies))
    return source.stream(stream, (MOVIE,))


def _check_masks(labels: LabelSet, shape: object, n_frames: int) -> None:
    """Raise `BadArgumentError` for masks of volumes of another size, or after the last."""
    told = labels.provenance.parameters.get("shape")
    if isinstance(shape, list | tuple) and isinstance(told, list) and list(shape) != told:
        raise BadArgumentError(
            f"masks of {list(shape)} voxels (z, y, x), as the movie's volumes",
            f"of {told}",
            "Check that they belong together, and the order of the axes.",
        )
    last = int(labels.column("frame")[-1]) if labels.n_rows else 0
    if n_frames and last >= n_frames:
        raise BadArgumentError(
            f"volumes from 0 to {n_frames - 1}, as the movie has",
            f"masks in volume {last}",
            "Check that they belong together, and that volumes count from 0.",
        )


def _check_inside(labels: LabelSet, shape: object, n_frames: int) -> None:
    """Raise `BadArgumentError` for places outside the movie, telling the first."""
    positions = Positions.from_labels(labels)
    if n_frames and positions.frames.size and positions.frames[-1] >= n_frames:
        raise BadArgumentError(
            f"volumes from 0 to {n_frames - 1}, as the movie has",
            f"volume {int(positions.frames[-1])}",
            "Check that they belong together, and that volumes count from 0.",
        )
    if not isinstance(shape, list | tuple):
        return
    size = np.asarray(shape, np.float64)[::-1]
    with np.errstate(invalid="ignore"):
        outside = (positions.xyz < -0.5) | (positions.xyz > size - 0.5)
    rows = np.argwhere(outside.any(axis=2))
    if rows.size:
        row, column = rows[0]
        x, y, z = positions.xyz[row, column].tolist()
        raise BadArgumentError(
            f"places within the volume, x y z below {size.astype(int).tolist()}",
            f"{len(rows)} outside, the first {x:g} {y:g} {z:g} of neuron "
            f"{int(positions.items[column])} in volume {int(positions.frames[row])}",
            "Places are voxels, x y z from 0; check their order and unit.",
        )
