"""CLASSES, SPANS and instants as tables of an NWB file, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.errors import CorruptSourceError, ExportError
from nissl.io.contracts import Imported
from nissl.io.manifest import restore_set
from nissl.io.spikes import clock_of, nullable
from nissl.labels import Kind, LabelSet
from nissl.labels.kinds import optional_columns
from nissl.tasks import Dossier

MODULE = "nissl"
_PLACES = {Kind.SPANS: ("start", "stop"), Kind.EVENTS: ("sample", "sample")}


def add_classes(nwbfile: Any, classes: Sequence[LabelSet]) -> None:
    """Add each set as a table of the processing module; sets without rows need none."""
    from hdmf.common import DynamicTable

    full = [(k, labels) for k, labels in enumerate(classes) if labels.n_rows]
    if not full:
        return
    module = nwbfile.create_processing_module(
        name=MODULE, description="What people and methods say of the units, one table each."
    )
    for index, labels in full:
        author = labels.provenance.author
        text = f"{labels.provenance.task} by {author.kind} {author.name}, one row per opinion"
        columns = [*_common(labels), _vector("target", "unit", labels.column("target"))]
        columns += _probabilities(labels)
        module.add(DynamicTable(name=f"classes_{index}", description=text, columns=columns))


def add_events(nwbfile: Any, dossier: Dossier, names: Mapping[str, str]) -> None:
    """Add spans and instants as TimeIntervals; instants stop where they start.

    Raises
    ------
    ExportError
        Events of another kind.
    """
    for name, labels in dossier.events.items():
        if labels.kind not in _PLACES:
            raise ExportError(
                "events that are SPANS or EVENTS",
                f"{name!r} of {labels.kind.value}",
                "Export them as parquet.",
            )
        _add_intervals(nwbfile, dossier, labels, name, names[name])


def add_marks(nwbfile: Any, dossier: Dossier, place: str) -> None:
    """Add the dossier's own spans or instants, as a table of this name."""
    _add_intervals(nwbfile, dossier, dossier.labels, dossier.labels.provenance.task, place)


def _add_intervals(nwbfile: Any, dossier: Dossier, labels: LabelSet, name: str, place: str) -> None:
    from pynwb.epoch import TimeIntervals

    clock = clock_of(dossier)
    if not labels.n_rows:
        return
    start, stop = (labels.column(c) for c in _PLACES[labels.kind])
    author = labels.provenance.author
    by = f"{name} by {author.kind} {author.name}"
    columns = [
        _vector("start_time", "seconds", clock.to_seconds(start)),
        _vector("stop_time", "seconds; half-open", clock.to_seconds(stop)),
        _vector("start_sample", "sample", start),
        _vector("stop_sample", "sample; half-open", stop),
        *_common(labels),
        *_probabilities(labels),
        _vector("channel", "index, -1 for none", labels.column("channel")),
    ]
    if labels.kind is Kind.EVENTS:
        columns += _amplitudes(labels)
        for name in optional_columns(labels.kind, labels.table.column_names):
            columns.append(_vector(name, "place on the probe, micrometres", labels.column(name)))
    table = TimeIntervals(name=place, description=by, columns=columns)
    if place == "trials":
        nwbfile.trials = table
    else:
        nwbfile.add_time_intervals(table)


def read_classes(nwbfile: Any, facts: Mapping[str, Any]) -> tuple[LabelSet, ...]:
    """Sets that `add_classes` wrote."""
    out = []
    for index, each in enumerate(facts["classes"]):
        if not each["n_rows"]:
            out.append(_checked(restore_set(each, _empty(("target",))), each))
            continue
        table = nwbfile.processing[MODULE][f"classes_{index}"]
        columns = _read_common(table, each) | {"target": np.asarray(table["target"][:])}
        out.append(_checked(restore_set(each, columns), each))
    return tuple(out)


def read_events(nwbfile: Any, facts: Mapping[str, Any]) -> dict[str, LabelSet]:
    """Sets that `add_events` wrote."""
    return {
        name: _read_intervals(nwbfile, each, facts["event_names"][name])
        for name, each in facts["events"].items()
    }


def read_marks(nwbfile: Any, facts: Mapping[str, Any]) -> Imported:
    """Spans or instants that `add_marks` wrote, with the session's classes and events."""
    told = {"clock": facts.get("clock"), "channels": facts["marks"]["channels"]}
    return Imported(
        labels=(
            _read_intervals(nwbfile, facts["labels"], facts["marks"]["place"]),
            *read_classes(nwbfile, facts),
        ),
        what_is_missing=("The file names no raw file; signals cannot be shown.",),
        format="nwb",
        **of_source(facts),
        events=read_events(nwbfile, facts),
        facts={name: value for name, value in told.items() if value},
    )


def of_source(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Fingerprint, subject and session that a file of ours was written from."""
    source = facts["source"]
    return {
        "fingerprint": str(source["fingerprint"]),
        "subject": str(source["subject"].get("id", "unknown")),
        "session": str(source["session"].get("id", "unknown")),
    }


def _read_intervals(nwbfile: Any, each: Mapping[str, Any], place: str) -> LabelSet:
    first, last = _PLACES[Kind(each["kind"])]
    if not each["n_rows"]:
        return _checked(restore_set(each, _empty({first, last})), each)
    table = nwbfile.trials if place == "trials" else nwbfile.intervals[place]
    columns = _read_common(table, each)
    columns |= {first: np.asarray(table["start_sample"][:])}
    if first != last:
        columns[last] = np.asarray(table["stop_sample"][:])
    channel = np.asarray(table["channel"][:], np.int32)
    columns["channel"] = nullable(channel, channel < 0)
    if "amplitude" in table.colnames:
        amplitude = np.asarray(table["amplitude"][:], np.float32)
        null = np.asarray(table["amplitude_is_null"][:], bool)
        columns["amplitude"] = nullable(amplitude, null)
    for name in optional_columns(Kind(each["kind"]), table.colnames):
        columns[name] = np.asarray(table[name][:], np.float32)
    return _checked(restore_set(each, columns), each)


def _checked(labels: LabelSet, facts: Mapping[str, Any]) -> LabelSet:
    if labels.digest != facts["digest"]:
        raise CorruptSourceError(
            f"the {labels.kind.value} of {labels.provenance.task!r} that were exported",
            "other rows",
            "The file was changed; export it again.",
        )
    return labels


def _vector(name: str, text: str, data: Any) -> Any:
    from hdmf.common import VectorData

    return VectorData(name=name, description=text, data=data)


def _amplitudes(labels: LabelSet) -> list[Any]:
    column = labels.table.column("amplitude")
    if column.null_count == labels.n_rows:
        return []
    null = np.asarray(column.is_null().combine_chunks().to_numpy(zero_copy_only=False))
    return [
        _vector("amplitude", "amplitude", labels.column("amplitude")),
        _vector("amplitude_is_null", "1 where none was stated", null.astype(np.uint8)),
    ]


def _common(labels: LabelSet) -> list[Any]:
    names = labels.vocabulary.names
    return [
        _vector("row_id", "id of the row in the label set", labels.column("id")),
        _vector("item", "identity of the row", labels.column("item")),
        _vector("label", "class", [names[code] for code in labels.column("label")]),
        _vector("confidence", "calibrated probability, or NaN", labels.column("confidence")),
    ]


def _probabilities(labels: LabelSet) -> list[Any]:
    rows = labels.table.column("probabilities").to_pylist()
    if all(row is None for row in rows):
        return []
    empty = [np.nan] * len(labels.vocabulary)
    table = np.asarray([empty if row is None else row for row in rows], np.float32)
    text = f"of the classes {list(labels.vocabulary.names)}"
    return [_vector("probabilities", text, table)]


def _read_common(table: Any, facts: Mapping[str, Any]) -> dict[str, Any]:
    names = facts["vocabulary"]["names"]
    columns: dict[str, Any] = {
        "id": np.asarray(table["row_id"][:], np.int64),
        "item": np.asarray(table["item"][:], np.int64),
        "label": np.asarray([names.index(str(text)) for text in table["label"][:]], np.int32),
        "confidence": np.asarray(table["confidence"][:], np.float32),
    }
    if "probabilities" in table.colnames:
        values: npt.NDArray[np.float32] = np.asarray(table["probabilities"][:], np.float32)
        rows = [None if np.isnan(row).all() else row.tolist() for row in values]
        columns["probabilities"] = pa.array(rows, pa.list_(pa.float32(), len(names)))
    return columns


def _empty(places: Any) -> dict[str, npt.NDArray[np.int64]]:
    return {name: np.empty(0, np.int64) for name in places}
