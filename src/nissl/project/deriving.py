"""Derived signals as sources of their own, so that all that is done to recordings can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nissl.data import Signal
from nissl.data.read import read
from nissl.data.recording import Session, Subject
from nissl.labels.digest import plain_json
from nissl.project.source import Source, describe_streams
from nissl.store import SourceRow, Store
from nissl.store.derived import write_derived

FOLDER = "derived"


def keep_derived(store: Store, source: Source, signal: Signal, made_from: Mapping[str, Any]) -> str:
    """Keep a signal as a source of the same subject and session; returns the source's name.

    Parameters
    ----------
    store : Store
    source : Source
        What it was derived from.
    signal : Signal
    made_from : mapping
        JSON values that say how; they stand in its metadata and its fingerprint's folder.
    """
    fields = {"subject": Subject, "session": Session}
    about = {
        name: asdict(kind(**{k: v for k, v in getattr(source.row, name).items() if v is not None}))
        for name, kind in fields.items()
    }
    metadata = plain_json({**signal.metadata, "made_from": dict(made_from)}, "metadata")
    path = write_derived(store.path / FOLDER, signal, {**about, "metadata": metadata})
    recording = read(path)
    row = SourceRow(
        fingerprint=recording.fingerprint,
        name=f"{source.name}.{signal.name}",
        path=str(path),
        format=recording.format,
        subject=asdict(recording.subject),
        session=asdict(recording.session),
        streams=describe_streams(recording),
    )
    return store.add_source(row).name
