"""Derived signals as sources of their own, so that all that is done to recordings can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from nissl.data import Signal
from nissl.data.read import read
from nissl.data.recording import Session, Subject
from nissl.labels import Kind, LabelSet
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


def derived_signals(store: Store, source: Source, labels: LabelSet) -> dict[str, Signal]:
    """Signals that were derived with a set of labels, or with one that it was made from, by name.

    Those of the newest such set that has any, and of what was made last with it (traces that were
    extracted again, by another model); sources whose files are gone are left out.
    """
    runs = {row.digest: row.run for row in store.label_sets(source=source.fingerprint)}
    found: dict[str, tuple[dict[str, Any], dict[str, Signal]]] = {}
    for row in store.sources():
        path = store.locate(row)
        if row.format != "derived" or not path.exists():
            continue
        signal = read(path).signal
        made = signal.metadata.get("made_from", {})
        if made.get("source") == source.fingerprint:
            key = str(made.get("labels") or made.get("job"))
            if key not in found or found[key][0] != made:
                found[key] = (made, {})
            found[key][1][signal.name] = signal
    waiting = [labels.digest, *labels.provenance.made_from]
    seen: set[str] = set()
    while waiting:
        digest = waiting.pop(0)
        if digest in seen or digest not in runs:
            continue
        seen.add(digest)
        here = [found[key][1] for key in (str(runs[digest]), digest) if key in found]
        if here:
            return {name: signal for signals in here for name, signal in signals.items()}
        waiting += store.get_labels(digest).provenance.made_from
    return {}


def lineage(store: Store, source: Source) -> list[Source]:
    """A source and, after it, what it was derived from, up to the recording."""
    by_fingerprint = {row.fingerprint: row for row in store.sources()}
    found = [source]
    while found[-1].row.format == "derived":
        made = made_from(found[-1])
        row = by_fingerprint.get(str(made.get("source")))
        if row is None or row.fingerprint in {each.fingerprint for each in found}:
            break
        found.append(Source(row, store))
    return found


def labels_behind(store: Store, source: Source) -> str | None:
    """Digest of the cells or tracks that the channels of a derived source are; None without any."""
    found_in = (Kind.POINTS.value, Kind.REGIONS.value)
    known = {row.digest for row in store.label_sets() if row.kind in found_in}
    for each in lineage(store, source):
        made = made_from(each)
        digest = made.get("labels")
        if digest is None and made.get("job"):
            run = store.run(str(made["job"]))
            digest = run.outputs[0] if run is not None and run.outputs else None
        if digest in known:
            return str(digest)
    return None


def made_from(source: Source) -> dict[str, Any]:
    """What a derived source was made from; empty for recordings."""
    if source.row.format != "derived":
        return {}
    return dict(source.recording.signal.metadata.get("made_from", {}))
