"""Writing sortings and curation files, and reading them back."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import MissingDependencyError, VerificationError
from nissl.io.columns import to_plain
from nissl.io.curation import human_groups, names_by_target
from nissl.io.files import load_json
from nissl.io.names import column_name
from nissl.io.sidecar import FOLDER, write_sidecar
from nissl.io.spikeinterface.read import CURATION, read_spikeinterface
from nissl.io.spikes import (
    check_no_row_probabilities,
    clock_of,
    rows_of_units,
    spikes_of,
    spread,
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
from nissl.labels import LabelSet
from nissl.tasks import Dossier

_SPIKE = [("sample_index", "int64"), ("unit_index", "int64"), ("segment_index", "int64")]


def write_sorting(dossier: Dossier, folder: Path) -> None:
    """Write a sorting into an empty folder.

    Raises
    ------
    ExportError
        No spikes or no sampling rate.
    MissingDependencyError
        SpikeInterface is not installed.
    """
    numpy_sorting, folder_sorting = _classes()
    labels = spikes_of(dossier)
    check_no_row_probabilities(labels)
    clock, units = clock_of(dossier), units_of(dossier)
    sorting = numpy_sorting(_spikes(labels, units, clock), clock.rate_hz, units.tolist())
    for name, values in _properties(dossier, units).items():
        sorting.set_property(name, values)
    # it insists on making the folder itself
    folder.rmdir()
    with warnings.catch_warnings():
        # a sorting made in memory has no provenance of SpikeInterface's kind; ours stands beside
        warnings.filterwarnings("ignore", message="The extractor is not serializable")
        folder_sorting.write_sorting(sorting, folder)
    curation = json.dumps(_curation(dossier, units), indent=1, ensure_ascii=False)
    (folder / CURATION).write_text(curation + "\n", encoding="utf-8")
    write_sidecar(folder, dossier)
    np.save(folder / FOLDER / "spikes.amplitude.npy", labels.column("amplitude"))


def verify_sorting(dossier: Dossier, folder: Path) -> None:
    """Compare a folder with the dossier it was written from; see `Exporter.verify`."""
    with readable(folder):
        back = read_spikeinterface(folder)
        differences = set_differences("spikes", dossier.labels, back.labels[0])
        differences += item_differences(dossier.items, back.items[0] if back.items else None)
        differences += classes_differences(dossier.classes, back.labels[1:])
        for name, events in dossier.events.items():
            if back.events.get(name) != events:
                differences.append(f"events: {name}")
        differences += _theirs(dossier, folder)
    report(differences, folder)


def _theirs(dossier: Dossier, folder: Path) -> list[str]:
    """Compare what SpikeInterface itself reads."""
    _, folder_sorting = _classes()
    from spikeinterface.curation.curation_model import Curation

    units, clock = units_of(dossier), clock_of(dossier)
    try:
        sorting = folder_sorting(folder)
        Curation(**load_json(folder / CURATION))
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise VerificationError(
            f"SpikeInterface to load {folder}", f"{error!s:.200}", "Export again."
        ) from error
    if sorting.unit_ids.tolist() != units.tolist() or sorting.sampling_frequency != clock.rate_hz:
        return ["spikes: unit ids or sampling rate"]
    out = []
    spikes = sorting.to_spike_vector()
    for name in ("sample_index", "unit_index", "segment_index"):
        if not same_values(_spikes(dossier.labels, units, clock)[name], spikes[name]):
            out.append(f"spikes: {name}")
    for name, values in _properties(dossier, units).items():
        got = sorting.get_property(name)
        if got is None or not same_values(values, np.asarray(got)):
            out.append(f"items: property {name}")
    if load_json(folder / CURATION) != _curation(dossier, units):
        out.append(f"classes: {CURATION}")
    return out


def _classes() -> tuple[Any, Any]:
    try:
        from spikeinterface.core import NumpyFolderSorting, NumpySorting
    except ImportError as error:
        raise MissingDependencyError(
            "the package spikeinterface", "none installed", "Install: pip install 'nissl[ephys]'"
        ) from error
    return NumpySorting, NumpyFolderSorting


def _spikes(labels: LabelSet, units: npt.NDArray[np.int64], clock: Clock) -> npt.NDArray[Any]:
    """SpikeInterface's spike vector; samples count from the start of their segment."""
    sample = labels.column("sample")
    starts = np.asarray([s.start for s in clock.segments], np.int64)
    segment = np.clip(np.searchsorted(starts, sample, side="right") - 1, 0, None)
    out = np.zeros(sample.size, _SPIKE)
    out["sample_index"] = sample - starts[segment]
    out["unit_index"] = np.searchsorted(units, labels.column("item"))
    out["segment_index"] = segment
    return out


def _properties(dossier: Dossier, units: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Columns of the item table and classes, one value per unit; whole numbers with gaps float."""
    out: dict[str, npt.NDArray[Any]] = {}
    if dossier.items is not None:
        rows = rows_of_units(dossier.items, units)
        plain = to_plain(dossier.items.table)
        for name, values in plain.values.items():
            if name == "item" or not name.isidentifier():
                continue
            if values.dtype.kind not in "iufb":
                texts = [str(values[r]) if r >= 0 else "" for r in rows.tolist()]
                out[name] = np.asarray(texts, dtype=np.str_)
                continue
            gaps = np.asarray(plain.nulls.get(name, []), np.int64)
            if values.dtype.kind != "f" and (gaps.size or np.any(rows < 0)):
                values = values.astype(np.float64)
                values[gaps] = np.nan
            out[name] = spread(values, rows)
    for labels in dossier.classes:
        names = names_by_target(labels)
        is_human = labels is human_groups(dossier.classes)
        name = "quality" if is_human else column_name(labels)
        out[name] = np.asarray([names.get(u, "") for u in units.tolist()], dtype=np.str_)
    return out


def _curation(dossier: Dossier, units: npt.NDArray[np.int64]) -> dict[str, Any]:
    """People's classes in SpikeInterface's curation format, version 2."""
    definitions: dict[str, Any] = {}
    manual: dict[int, dict[str, list[str]]] = {}
    known = set(units.tolist())
    for labels in dossier.classes:
        options = list(labels.vocabulary.names)
        if labels.provenance.author.kind != "person" or len(options) < 2:
            continue
        name = "quality" if labels is human_groups(dossier.classes) else column_name(labels)
        definitions[name] = {"label_options": options, "exclusive": True}
        for unit, text in names_by_target(labels).items():
            if unit in known:
                manual.setdefault(unit, {})[name] = [text]
    return {
        "format_version": "2",
        "unit_ids": units.tolist(),
        "label_definitions": definitions,
        "manual_labels": [{"unit_id": u, "labels": manual[u]} for u in sorted(manual)],
        "merges": [],
        "splits": [],
        "removed": [],
    }
