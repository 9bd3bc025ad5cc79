"""Writing ALF folders and reading them back."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.errors import ExportError
from nissl.io.alf.read import IDS, read_alf
from nissl.io.columns import to_plain
from nissl.io.curation import names_by_target
from nissl.io.files import load_npy, read_table
from nissl.io.names import column_name, plain_name
from nissl.io.sidecar import FOLDER, write_sidecar
from nissl.io.spikes import (
    channels_of,
    check_no_row_probabilities,
    clock_of,
    rows_of_units,
    spikes_of,
    spread,
    templates_of,
    units_of,
)
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    same_values,
    set_differences,
)
from nissl.labels import Kind
from nissl.tasks import Dossier

_METRICS = "clusters.metrics.csv"


def write_alf(dossier: Dossier, folder: Path) -> None:
    """Write into an empty folder; `ExportError` without spikes or a sampling rate."""
    labels = spikes_of(dossier)
    check_no_row_probabilities(labels)
    arrays = {**_spikes(dossier), **_clusters(dossier), **_channels(dossier), **_events(dossier)}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    table = _metrics(dossier)
    with open(folder / _METRICS, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    write_sidecar(folder, dossier)
    np.save(folder / FOLDER / "spikes.amplitude.npy", labels.column("amplitude"))


def verify_alf(dossier: Dossier, folder: Path) -> None:
    """Compare a folder with the dossier it was written from; see `Exporter.verify`."""
    with readable(folder):
        back = read_alf(folder)
        differences = set_differences("spikes", dossier.labels, back.labels[0])
        differences += item_differences(dossier.items, back.items[0] if back.items else None)
        differences += classes_differences(dossier.classes, back.labels[1:])
        for name, events in dossier.events.items():
            if back.events.get(name) != events:
                differences.append(f"events: {name}")
        wanted = {**_spikes(dossier), **_clusters(dossier), **_channels(dossier)}
        for name, array in {**wanted, **_events(dossier)}.items():
            if not same_values(array, load_npy(folder / f"{name}.npy", ndim=array.ndim)):
                differences.append(f"{name}.npy")
        if read_table(folder / _METRICS) != _metrics(dossier):
            differences.append(_METRICS)
    report(differences, folder)


def _spikes(dossier: Dossier) -> dict[str, npt.NDArray[Any]]:
    labels, units = dossier.labels, units_of(dossier)
    sample = labels.column("sample")
    out = {
        "spikes.times": clock_of(dossier).to_seconds(sample),
        "spikes.samples": sample.astype(np.int64),
        "spikes.clusters": np.searchsorted(units, labels.column("item")).astype(np.int64),
    }
    if "y_um" in labels.table.column_names:
        out["spikes.depths"] = labels.column("y_um").astype(np.float64)
    unit = labels.provenance.parameters.get("amplitude_unit", "uV")
    if unit == "uV" and labels.table.column("amplitude").null_count < labels.n_rows:
        out["spikes.amps"] = np.abs(labels.column("amplitude").astype(np.float64)) * 1e-6
    return out


def _clusters(dossier: Dossier) -> dict[str, npt.NDArray[Any]]:
    units, items = units_of(dossier), dossier.items
    out: dict[str, npt.NDArray[Any]] = {IDS: units}
    if items is None:
        return out
    rows = rows_of_units(items, units)
    plain = to_plain(items.table)
    for name, column, scale in (
        ("clusters.depths", "y_um", 1.0),
        ("clusters.amps", "amplitude_median_uv", 1e-6),
    ):
        if column in plain.values:
            values = np.abs(plain.values[column]) if scale != 1 else plain.values[column]
            out[name] = spread(values.astype(np.float64), rows) * scale
    if "channel" in plain.values and "channel" not in plain.nulls and np.all(rows >= 0):
        out["clusters.channels"] = plain.values["channel"][rows].astype(np.int64)
    found = templates_of(items)
    if found is not None and found[1] == "uV":
        volts = spread(found[0], rows).astype(np.float64) * 1e-6
        out["clusters.waveforms"] = volts
        every = np.arange(volts.shape[2], dtype=np.int64)
        out["clusters.waveformsChannels"] = np.tile(every, (units.size, 1))
    return out


def _channels(dossier: Dossier) -> dict[str, npt.NDArray[Any]]:
    channels = channels_of(dossier)
    if channels is None:
        return {}
    out: dict[str, npt.NDArray[Any]] = {
        "channels.rawInd": np.arange(len(channels), dtype=np.int64),
        "channels.shanks": channels.shank,
    }
    if channels.has_geometry:
        out["channels.localCoordinates"] = channels.position_um
    return out


def _events(dossier: Dossier) -> dict[str, npt.NDArray[Any]]:
    """Seconds of spans and instants; their classes as codes beside them."""
    clock = clock_of(dossier)
    out: dict[str, npt.NDArray[Any]] = {}
    for name, labels in dossier.events.items():
        base = plain_name(name).replace("_", "-")
        if base in ("spikes", "clusters", "channels") or f"{base}.label" in out:
            raise ExportError(
                "names of events that differ from each other and from ALF's own",
                repr(name),
                "Rename the events.",
            )
        if labels.kind is Kind.SPANS:
            edges = [clock.to_seconds(labels.column(c)) for c in ("start", "stop")]
            out[f"{base}.intervals"] = np.stack(edges, axis=1)
        elif labels.kind is Kind.EVENTS:
            out[f"{base}.times"] = clock.to_seconds(labels.column("sample"))
        else:
            raise ExportError(
                "events that are SPANS or EVENTS",
                f"{name!r} of {labels.kind.value}",
                "Export them as parquet.",
            )
        out[f"{base}.label"] = labels.column("label").astype(np.int64)
    return out


def _metrics(dossier: Dossier) -> dict[str, list[str]]:
    units = units_of(dossier).tolist()
    out = {"cluster_id": [str(k) for k in range(len(units))]}
    out["unit_id"] = [str(u) for u in units]
    items = dossier.items
    if items is not None:
        rows = rows_of_units(items, units_of(dossier)).tolist()
        for name, kind in _numbers(items.table).items():
            values = items.table.column(name).to_pylist()
            out.setdefault(name, [_text(values[r], kind) if r >= 0 else "" for r in rows])
    for labels in dossier.classes:
        names = names_by_target(labels)
        safe = {u: plain_name(text) for u, text in names.items()}
        out.setdefault(column_name(labels), [safe.get(u, "") for u in units])
    return out


def _numbers(table: Any) -> Mapping[str, str]:
    types = {f.name: str(f.type) for f in table.schema}
    return {
        name: kind
        for name, kind in types.items()
        if name != "item" and name.isidentifier() and not kind.endswith("string")
    }


def _text(value: Any, kind: str) -> str:
    if value is None or (kind in ("halffloat", "float", "double") and value != value):
        return ""
    return repr(value)
