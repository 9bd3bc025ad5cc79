"""The units table of an NWB file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import ExportError
from nissl.io.columns import to_plain
from nissl.io.curation import human_groups, names_by_target
from nissl.io.names import column_name, plain_name
from nissl.io.spikes import (
    channels_of,
    clock_of,
    extra_columns,
    rows_of_units,
    spread,
    units_of,
)
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Dossier

WAVEFORMS = {"template": "waveform_mean", "template_sd": "waveform_sd"}
_MOST_INTERVALS = 1000
_TAKEN = frozenset(
    {"id", "spike_times", "obs_intervals", "electrodes", "electrode_group", "waveforms"}
    | {"waveform_mean", "waveform_sd", "quality", "confidence", "nissl_unit_id", "estimated"}
    | {"spike_samples", "spike_row_ids", "spike_amplitudes_uv", "findings", "peak_electrode"}
)
SPIKE_TEXTS = {
    "label": "class of each spike (code of the vocabulary in the provenance)",
    "confidence": "calibrated probability that each spike is right",
    "channel": "index of the channel where each spike is largest, -1 where not known",
    "amplitude_is_null": "1 where no amplitude was stated",
    "x_um": "where across the probe each spike came from, micrometres, NaN where not known",
    "y_um": "where along the probe each spike came from, micrometres, NaN where not known",
}


def item_columns(items: ItemTable) -> dict[str, str]:
    """Name in the units table of each column and array of an item table."""
    names: dict[str, str] = {}
    for name in (*items.table.column_names, *items.arrays):
        target = WAVEFORMS[name] if _is_waveform(items, name) else plain_name(name)
        while (target in _TAKEN and target not in WAVEFORMS.values()) or target in names.values():
            target += "_item"
        names[name] = target
    return names


def _is_waveform(items: ItemTable, name: str) -> bool:
    """Whether an array is a template in uV, which NWB keeps in volts; exact for float32 only."""
    if name not in WAVEFORMS or name not in items.arrays:
        return False
    array = items.arrays[name]
    return (
        array.ndim == 3
        and array.dtype == np.float32
        and items.units.get(name, items.units.get("template", "uV")) == "uV"
    )


def units_table(dossier: Dossier, nwbfile: Any, facts: Mapping[str, Any]) -> Any:
    """Build the table; one row per unit, in order of the unit ids.

    Parameters
    ----------
    dossier : Dossier
    nwbfile : pynwb.NWBFile
        With its electrodes.
    facts : mapping
        The manifest; its "columns" name the columns of the item table.
    """
    from pynwb.misc import Units

    clock = clock_of(dossier)
    units = units_of(dossier)
    columns = _spike_columns(dossier.labels, units, clock)
    columns += _observed(dossier, units, clock)
    columns += _electrode_columns(dossier, nwbfile, units)
    taken = set(facts["columns"]["names"].values()) if dossier.items is not None else set()
    columns += _judgements(dossier, units, taken)
    if dossier.items is not None:
        columns += _item_columns(dossier.items, units, facts["columns"]["names"])
    context = dossier.items.context if dossier.items is not None else {}
    before = context.get("n_before")
    more: dict[str, Any] = {}
    if before is not None and hasattr(Units, "waveform_time_before_peak_in_ms"):
        more["waveform_time_before_peak_in_ms"] = 1e3 * float(before) / clock.rate_hz
    return Units(
        name="units",
        description="Sorted units; nissl_unit_id is the id that provenance and review use.",
        id=units.tolist() if units[0] >= 0 else list(range(units.size)),
        columns=columns,
        waveform_rate=clock.rate_hz,
        resolution=1.0 / clock.rate_hz,
        **more,
    )


def _column(name: str, text: str, data: Any) -> Any:
    from hdmf.common import VectorData

    return VectorData(name=name, description=text, data=data)


def _packed(array: npt.NDArray[Any]) -> Any:
    from hdmf.backends.hdf5 import H5DataIO

    if array.nbytes < 2**14:
        return array
    return H5DataIO(np.ascontiguousarray(array), compression="gzip", compression_opts=1)


def _ragged(
    name: str, text: str, data: npt.NDArray[Any], stops: npt.NDArray[np.int64]
) -> list[Any]:
    from hdmf.common import VectorIndex

    column = _column(name, text, _packed(data))
    return [column, VectorIndex(name=f"{name}_index", data=stops, target=column)]


def _spike_columns(labels: LabelSet, units: npt.NDArray[np.int64], clock: Clock) -> list[Any]:
    item = labels.column("item")
    order = np.argsort(item, kind="stable")
    stops = np.searchsorted(item[order], units, side="right").astype(np.int64)
    sample = labels.column("sample")[order]
    out = _ragged(
        "spike_times", "seconds by the clock of the recording", clock.to_seconds(sample), stops
    )
    out += _ragged("spike_samples", "sample index of each spike, exact", sample, stops)
    ids = labels.column("id")[order]
    out += _ragged("spike_row_ids", "row of each spike in the label set", ids, stops)
    if labels.table.column("amplitude").null_count < labels.n_rows:
        unit = labels.provenance.parameters.get("amplitude_unit", "uV")
        text = f"signed peak of each spike on the unit's best channel, {unit}"
        out += _ragged("spike_amplitudes_uv", text, labels.column("amplitude")[order], stops)
    for name, values in extra_columns(labels).items():
        if name != "id":
            out += _ragged(f"spike_{name}", SPIKE_TEXTS[name], values[order], stops)
    return out


def _observed(dossier: Dossier, units: npt.NDArray[np.int64], clock: Clock) -> list[Any]:
    n = len(clock.segments)
    if dossier.recording is None or n > _MOST_INTERVALS:
        return []
    spans = np.asarray([[s.t0_s, s.end_s] for s in clock.segments])
    stops = np.arange(1, units.size + 1, dtype=np.int64) * n
    text = "recorded intervals between the gaps, seconds"
    return _ragged("obs_intervals", text, np.tile(spans, (units.size, 1)), stops)


def _electrode_columns(dossier: Dossier, nwbfile: Any, units: npt.NDArray[np.int64]) -> list[Any]:
    from hdmf.common import DynamicTableRegion, VectorIndex

    channels, items = channels_of(dossier), dossier.items
    if channels is None or items is None:
        return []
    rows = rows_of_units(items, units)
    peak = np.full(units.size, -1, np.int64)
    if "channel" in items.table.column_names:
        known = items.table.column("channel").fill_null(-1).to_numpy().astype(np.int64)
        peak = np.where(rows >= 0, known[np.maximum(rows, 0)], -1)
        peak = np.where(peak < len(channels), peak, -1)
    if _is_waveform(items, "template") and items.arrays["template"].shape[2] == len(channels):
        region = np.tile(np.arange(len(channels)), units.size)
        stops = np.arange(1, units.size + 1) * len(channels)
        text = "electrodes of the last axis of waveform_mean"
    else:
        region, stops = peak[peak >= 0], np.cumsum(peak >= 0)
        text = "electrode where the unit is largest"
    column = DynamicTableRegion(
        name="electrodes", description=text, data=region, table=nwbfile.electrodes
    )
    index = VectorIndex(name="electrodes_index", data=stops.astype(np.int64), target=column)
    best = _column("peak_electrode", "electrode where the unit is largest, -1 if unknown", peak)
    return [column, index, best]


def _judgements(dossier: Dossier, units: npt.NDArray[np.int64], taken: set[str]) -> list[Any]:
    labels = dossier.labels
    is_model = labels.provenance.author.kind == "model"
    out = [
        _column("nissl_unit_id", "id of the unit in the label set", units),
        _column(
            "estimated",
            "whether the spikes were assigned by a method (true) or stated by a person (false)",
            np.full(units.size, is_model),
        ),
        _column(
            "confidence",
            "calibrated probability that the unit's labels are right, mean over its spikes; "
            "NaN where the method has none",
            _unit_confidence(labels, units),
        ),
    ]
    for labels_ in dossier.classes:
        out += _class_columns(labels_, units, taken | {c.name for c in out})
    quality = human_groups(dossier.classes) or next(
        (c for c in reversed(dossier.classes) if c.provenance.task == "curation"), None
    )
    if quality is not None:
        names = names_by_target(quality)
        author = quality.provenance.author
        text = f"class by {author.kind} {author.name}; empty where there is none"
        out.append(_column("quality", text, [names.get(u, "") for u in units.tolist()]))
    if dossier.findings:
        texts = [
            " ".join(f.sentence for f in dossier.findings if f.item == u) for u in units.tolist()
        ]
        out.append(_column("findings", "doubts about the unit, in words", texts))
    return out


def _unit_confidence(labels: LabelSet, units: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    place = np.searchsorted(units, labels.column("item"))
    values = labels.column("confidence").astype(np.float64)
    known = np.isfinite(values)
    total = np.bincount(place[known], values[known], units.size)
    count = np.bincount(place[known], minlength=units.size)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _class_columns(labels: LabelSet, units: npt.NDArray[np.int64], taken: set[str]) -> list[Any]:
    """Columns of class, confidence and probability per class of one CLASSES set."""
    name = column_name(labels)
    while name in taken:
        name += "_"
    author = labels.provenance.author
    names = names_by_target(labels)
    by = f"{labels.provenance.task} by {author.kind} {author.name} {author.version}".strip()
    out = [_column(name, f"class: {by}", [names.get(u, "") for u in units.tolist()])]
    last = {int(target): row for row, target in enumerate(labels.column("target"))}
    rows = np.asarray([last.get(u, -1) for u in units.tolist()], np.int64)
    confidence = spread(labels.column("confidence").astype(np.float64), rows)
    if np.any(np.isfinite(confidence)):
        out.append(_column(f"{name}_confidence", f"confidence: {by}", confidence))
    column = labels.table.column("probabilities").to_pylist()
    if any(row is not None for row in column):
        empty = [np.nan] * len(labels.vocabulary)
        table = np.asarray([empty if row is None else row for row in column], np.float64)
        for code, each in enumerate(labels.vocabulary.names):
            out.append(
                _column(
                    f"{name}_probability_{plain_name(each)}_{code}",
                    f"probability of {each!r}: {by}",
                    spread(table[:, code], rows),
                )
            )
    return out


def _item_columns(
    items: ItemTable, units: npt.NDArray[np.int64], names: Mapping[str, str]
) -> list[Any]:
    rows = rows_of_units(items, units)
    out = []
    for name, values in to_plain(items.table).values.items():
        unit = items.units.get(name, "")
        text = f"{name}{f', {unit}' if unit else ''}"
        out.append(_column(names[name], text, _stored(values, rows)))
    for name, array in items.arrays.items():
        if array.dtype.kind not in "iufb" or 0 in array.shape[1:]:
            raise ExportError(
                "arrays of numbers that are not empty",
                f"{name!r} of {array.dtype} {array.shape}",
                "Export as parquet, which holds them.",
            )
        if names[name] in WAVEFORMS.values():
            volts = spread(array, rows).astype(np.float64) * 1e-6
            out.append(_column(names[name], f"{name}, volts", _packed(volts)))
        else:
            text = f"{name}, {items.units.get(name, 'no unit')}"
            fill = np.nan if array.dtype.kind == "f" else 0
            out.append(_column(names[name], text, _packed(spread(array, rows, fill))))
    return out


def _stored(values: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Any:
    if values.dtype.kind in "OUS":
        texts = values.tolist()
        return [str(texts[r]) if r >= 0 else "" for r in rows.tolist()]
    return spread(values, rows, np.nan if values.dtype.kind == "f" else 0)
