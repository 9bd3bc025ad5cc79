"""A sorter that a recording of the project taught, kept in the project for its live sessions."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nissl.annotators.spikes.own.live.taught import FORMAT, TaughtSorter, load_taught, save_taught
from nissl.annotators.spikes.own.method import NAME, VERSION
from nissl.clock import Clock
from nissl.data import Signal
from nissl.errors import BadArgumentError
from nissl.labels.atomic import make_folder
from nissl.labels.digest import digest_json
from nissl.project.living import FOLDER
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import TASKS, resolve

SEED = 0


def path_of(
    store: Store, source: Source, parameters: Mapping[str, Any], seconds: float | None = None
) -> Path:
    """Where the sorter that a source teaches is kept, whether it is there or not.

    Parameters
    ----------
    store : Store
    source : Source
    parameters : mapping
        Of the sorter; those that differ from its defaults.
    seconds : float, optional
        How much of its beginning teaches; all of it by default.
    """
    key = {
        "source": source.fingerprint,
        "stream": _stream(source),
        "parameters": _complete(parameters),
        "version": VERSION,
        "format": FORMAT,
        "seed": SEED,
        "seconds": seconds,
    }
    return Path(store.path) / FOLDER / f"spikes-{digest_json(key)[:16]}.npz"


def sorter_of(
    store: Store, source: Source, parameters: Mapping[str, Any], seconds: float | None = None
) -> TaughtSorter:
    """The sorter that a source teaches: read where it is kept, else taught, and kept.

    Parameters
    ----------
    store, source, parameters, seconds
        As for `path_of`.

    Raises
    ------
    BadArgumentError
        So many seconds were not recorded.
    MissingDependencyError
        SpikeInterface or Numba is missing.
    BadMetadataError, BadSamplesError
        A recording that cannot hold spikes, or holds none.
    CorruptSourceError
        What was kept is damaged.
    """
    path = path_of(store, source, parameters, seconds)
    if path.exists():
        return load_taught(path)
    # only here: numba takes a second to load
    from nissl.annotators.spikes.own.live.teaching import teach
    from nissl.run.context import Context

    make_folder(path.parent)
    with TemporaryDirectory(prefix="nissl-teach-") as scratch:
        context = Context(Path(scratch), seed=SEED, workers=os.cpu_count() or 1)
        signal = source.recording[_stream(source)]
        signal = signal if seconds is None else beginning(signal, seconds)
        taught = teach(signal, source.fingerprint, _complete(parameters), context)
    save_taught(path, taught)
    return taught


def beginning(signal: Signal, seconds: float) -> Signal:
    """The first seconds of a signal, gaps not counted; nothing is read.

    Raises
    ------
    BadArgumentError
        So many seconds were not recorded.
    """
    n = math.floor(seconds * signal.rate_hz) if math.isfinite(seconds) else -1
    if not 0 < n <= signal.n_samples:
        raise BadArgumentError(
            f"seconds that teach, above 0 and up to {signal.duration_s:g}, which were recorded",
            f"{seconds:g}",
            "Name fewer, or leave them out: then all of it teaches.",
        )
    held = (s for s in signal.clock.segments if s.start < n)
    clock = Clock(tuple(replace(s, stop=min(s.stop, n)) for s in held))
    return replace(signal, clock=clock)


def _stream(source: Source) -> str:
    return source.stream(None, TASKS.get("spikes").streams)


def _complete(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**resolve(NAME)[1].defaults(), **parameters}


__all__ = ["beginning", "path_of", "sorter_of"]
