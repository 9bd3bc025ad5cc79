"""Regions that people or other programs outlined, imported to the movie that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nissl.annotators.cells.footprints import Footprints
from nissl.data.channels import MOVIE
from nissl.errors import BadArgumentError, SourceNotFoundError, UnknownFormatError
from nissl.io import IMPORTERS, find_importer
from nissl.io.contracts import Imported, Importer
from nissl.io.regions import regions
from nissl.io.registries import REGIONS
from nissl.labels import Kind, LabelSet
from nissl.project.adding import keep
from nissl.project.deriving import keep_derived
from nissl.project.source import Source
from nissl.store import Store
from nissl.store.images import keep_images

FORMATS = (*REGIONS, "suite2p", "imagej")


def region_format(path: Path, name: str | None = None) -> Importer | None:
    """Importer of regions at a path: the named one, or the one that knows it; None for others."""
    found = IMPORTERS.get(name) if name is not None else find_importer(path)
    return found if found is not None and found.name in FORMATS else None


def add_regions(
    store: Store,
    source: Source,
    path: Path,
    *,
    format: str | None = None,
    author: str | None = None,
    stream: str | None = None,
) -> tuple[LabelSet, ...]:
    """Import regions to a source; see `nissl.project.Project.add_regions`."""
    if not path.exists():
        raise SourceNotFoundError("a file of regions", f"nothing at {path}", "Check the path.")
    importer = region_format(path, format)
    if importer is None:
        raise UnknownFormatError(
            f"regions in one of the formats {sorted(FORMATS)}",
            f"something else at {path.name}",
            "Name the format: --format NAME.",
        )
    chosen = source.stream(stream, (MOVIE,))
    rate_hz = source.row.streams[chosen].get("rate_hz")
    found = importer.read(path, reviewer=author, source=source.fingerprint, rate_hz=rate_hz)
    if found.facts.get("field_guessed"):
        found = in_field(found, source.row.streams[chosen].get("shape"))
    _check_field(found, source, chosen)
    found = on_stream(found, chosen)
    tables = {table.of: table for table in found.items}
    for labels in found.labels:
        table = tables.get(labels.digest)
        keep(store, labels, items=None if table is None else store.put_items(table))
    keep_images(store, found.labels[0].digest, found.images)
    for signal in found.signals.values():
        about = {"labels": found.labels[0].digest, "source": source.fingerprint}
        keep_derived(store, source, signal, about)
    return found.labels


def on_stream(imported: Imported, stream: str) -> Imported:
    """The same work on a stream of another name."""
    names: dict[str, str] = {}
    sets = []
    for labels in imported.labels:
        made = labels.provenance
        if made.stream == stream or labels.kind is not Kind.REGIONS:
            sets.append(labels)
            continue
        parents = tuple(names.get(digest, digest) for digest in made.made_from)
        moved = replace(labels, provenance=replace(made, stream=stream, made_from=parents))
        names[labels.digest] = moved.digest
        sets.append(moved)
    items = tuple(replace(table, of=names.get(table.of, table.of)) for table in imported.items)
    return replace(imported, labels=tuple(sets), items=items)


def in_field(imported: Imported, shape: Sequence[int] | None) -> Imported:
    """Regions of a field whose size was guessed, in the field of a known size they fit into."""
    labels = imported.labels[0]
    before = tuple(int(n) for n in labels.provenance.parameters["shape"])
    if shape is None or any(a > b for a, b in zip(before, shape, strict=True)):
        return imported
    after = (int(shape[0]), int(shape[1]), int(shape[2]))
    drawn = Footprints.from_labels(labels, (before[0], before[1], before[2]))
    moved = [np.ravel_multi_index(np.unravel_index(p, before), after) for p in drawn.pixels]
    made = labels.provenance
    stated = replace(made, parameters={**made.parameters, "shape": list(after)})
    placed = regions(Footprints.build(after, moved, drawn.weights), stated)
    items = tuple(
        replace(t, of=placed.digest, context={**t.context, "grid": list(after)})
        for t in imported.items
    )
    return replace(imported, labels=(placed,), items=items)


def _check_field(found: Imported, source: Source, stream: str) -> None:
    """Raise where regions lie in a field of another size than the movie's."""
    theirs = found.labels[0].provenance.parameters.get("shape")
    ours = source.row.streams[stream].get("shape")
    if isinstance(theirs, list) and ours and list(theirs) != list(ours):
        raise BadArgumentError(
            f"regions of a field of {list(ours)} voxels (z, y, x), as the movie's",
            f"of {list(theirs)}",
            "Check that they belong together, or add the folder as a source of its own.",
        )
