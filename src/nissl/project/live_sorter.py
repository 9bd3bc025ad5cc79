"""A sorter that a recording of the project taught, kept in the project for its live sessions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nissl.annotators.spikes.own.live.taught import FORMAT, TaughtSorter, load_taught, save_taught
from nissl.annotators.spikes.own.method import NAME, VERSION
from nissl.labels.atomic import make_folder
from nissl.labels.digest import digest_json
from nissl.project.living import FOLDER
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import TASKS, resolve

SEED = 0


def path_of(store: Store, source: Source, parameters: Mapping[str, Any]) -> Path:
    """Where the sorter that a source teaches is kept, whether it is there or not.

    Parameters
    ----------
    store : Store
    source : Source
    parameters : mapping
        Of the sorter; those that differ from its defaults.
    """
    key = {
        "source": source.fingerprint,
        "stream": _stream(source),
        "parameters": _complete(parameters),
        "version": VERSION,
        "format": FORMAT,
        "seed": SEED,
    }
    return Path(store.path) / FOLDER / f"spikes-{digest_json(key)[:16]}.npz"


def sorter_of(store: Store, source: Source, parameters: Mapping[str, Any]) -> TaughtSorter:
    """The sorter that a source teaches: read where it is kept, else taught, and kept.

    Raises
    ------
    MissingDependencyError
        SpikeInterface or Numba is missing.
    BadMetadataError, BadSamplesError
        A recording that cannot hold spikes, or holds none.
    CorruptSourceError
        What was kept is damaged.
    """
    path = path_of(store, source, parameters)
    if path.exists():
        return load_taught(path)
    # only here: numba takes a second to load
    from nissl.annotators.spikes.own.live.teaching import teach
    from nissl.run.context import Context

    make_folder(path.parent)
    with TemporaryDirectory(prefix="nissl-teach-") as scratch:
        context = Context(Path(scratch), seed=SEED, workers=os.cpu_count() or 1)
        signal = source.recording[_stream(source)]
        taught = teach(signal, source.fingerprint, _complete(parameters), context)
    save_taught(path, taught)
    return taught


def _stream(source: Source) -> str:
    return source.stream(None, TASKS.get("spikes").streams)


def _complete(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**resolve(NAME)[1].defaults(), **parameters}


__all__ = ["path_of", "sorter_of"]
