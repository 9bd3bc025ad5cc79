"""Checking a project against its files."""

from __future__ import annotations

from typing import Any

from nissl.data.fingerprint import full_hash
from nissl.errors import NisslError
from nissl.project.source import Source
from nissl.store import Store


def verify(store: Store, *, full: bool) -> list[dict[str, Any]]:
    """State of each raw file and label file: "good", "gone" or "differs".

    Parameters
    ----------
    full : bool
        Hash raw files whole and keep the hash with the source; the first time there is
        nothing to compare it with, later a change of a single byte is seen.
    """
    rows = []
    for row in store.sources():
        rows.append({"what": row.name, **_source_state(Source(row, store), full=full)})
    for labels in store.label_sets():
        try:
            store.get_labels(labels.digest)
            if labels.items is not None:
                store.get_items(labels.items)
            state = {"state": "good", "detail": f"{labels.n_rows} rows"}
        except NisslError as error:
            state = {"state": "differs", "detail": error.got}
        rows.append({"what": f"{labels.task} {labels.digest[:12]}", **state})
    return rows


def _source_state(source: Source, *, full: bool) -> dict[str, str]:
    if not source.is_recording:
        return {"state": "good", "detail": "imported labels"}
    if not source.has_raw:
        return {"state": "gone", "detail": source.row.path}
    try:
        source.recording  # noqa: B018  opening compares the fingerprint
    except NisslError as error:
        return {"state": "differs", "detail": error.got}
    if not full:
        return {"state": "good", "detail": "fingerprint"}
    now, before = full_hash(source.path), source.row.full_hash
    if not before:
        source.store.update_source(source.fingerprint, full_hash=now)
        return {"state": "good", "detail": f"full hash {now[:12]}, taken now"}
    if before != now:
        return {"state": "differs", "detail": f"full hash {now[:12]}, was {before[:12]}"}
    return {"state": "good", "detail": f"full hash {now[:12]}"}
