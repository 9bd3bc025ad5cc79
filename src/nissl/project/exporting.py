"""Writing what leaves a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nissl.errors import MissingInputError
from nissl.labels.atomic import make_folder
from nissl.project.dossier import nothing_to_show
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import Dossier


def export(dossier: Dossier, to: str, path: Path, **options: Any) -> Path:
    """Export a dossier and verify it by reading it back; see `nissl.project.Project.export`."""
    from nissl.io import EXPORTERS

    exporter = EXPORTERS.get(to)
    make_folder(path.parent)
    written = exporter.write(dossier, path, **options)
    exporter.verify(dossier, written)
    return written


def annotated(store: Store, task: str) -> list[Source]:
    """Sources that have labels of a task.

    Raises
    ------
    MissingInputError
        There is none; the command that makes them is named.
    """
    sources = [Source(row, store) for row in store.sources()]
    if not sources:
        raise MissingInputError(
            "a project with sources",
            f"none in {store.path}",
            f"Add one: nissl add {store.path} RECORDING",
        )
    found = [s for s in sources if store.label_sets(source=s.fingerprint, task=task)]
    if not found:
        raise nothing_to_show(store, sources[0], task)
    return found
