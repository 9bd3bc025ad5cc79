"""What the formats of sorted spikes have in common.

The rows of the set are spikes in the order of their samples; `item` is the unit. Formats that
keep one flat row per spike (phy, ALF, SpikeInterface) hold the rows in this order, so that
row ids need writing only where they are not 0, 1, 2, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data import ChannelTable
from nissl.errors import ExportError
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.labels.digest import digest_array, digest_json
from nissl.labels.kinds import OPTIONAL, optional_columns
from nissl.tasks import Dossier

EXTRA_COLUMNS = ("id", "label", "confidence", "channel")
"""Columns of EVENTS that spike formats have no field of their own for."""


def spikes_of(dossier: Dossier) -> LabelSet:
    """Return the spikes of a dossier; `ExportError` where its labels are something else."""
    labels = dossier.labels
    if labels.kind is not Kind.EVENTS or not labels.n_rows:
        raise ExportError(
            "EVENTS of at least one unit",
            f"{labels.n_rows} rows of {labels.kind.value}",
            "Formats of sorted spikes need spikes; csv and parquet hold every kind.",
        )
    return labels


def check_no_row_probabilities(labels: LabelSet) -> None:
    """Raise `ExportError` where rows carry probabilities, which spike formats cannot hold."""
    column = labels.table.column("probabilities")
    if column.null_count != labels.n_rows:
        raise ExportError(
            "probabilities on items, in a CLASSES set",
            "probabilities on rows of the spikes",
            "Export as parquet, which holds them.",
        )


def units_of(dossier: Dossier) -> npt.NDArray[np.int64]:
    """Ids of all units, increasing: those with spikes and those of the item table."""
    if dossier.items is None:
        return np.asarray(dossier.labels.items)
    return np.union1d(dossier.labels.items, dossier.items.items)


def clock_of(dossier: Dossier) -> Clock:
    """Clock of the labels' stream: the recording's, or what is known of it without the file.

    Raises
    ------
    ExportError
        Neither a recording nor a rate is known.
    """
    recording, stream = dossier.recording, dossier.stream
    if recording is not None and (stream in recording.streams or len(recording) == 1):
        return (recording[stream] if stream in recording.streams else recording.signal).clock
    if recording is not None and stream in recording.movies:
        return recording.movies[stream].clock
    described = _described_stream(dossier)
    if described.get("clock"):
        return Clock.from_json(described["clock"])
    context = dossier.items.context if dossier.items is not None else {}
    if context.get("clock"):
        return Clock.from_json(context["clock"])
    rate_hz = described.get("rate_hz") or context.get("rate_hz") or dossier.source.get("rate_hz")
    if not rate_hz:
        raise ExportError(
            "a recording or an item table that tells the sampling rate",
            "neither",
            "Add the recording, or import the labels with --rate.",
        )
    return Clock.regular(float(rate_hz), last_sample(dossier.labels))


def last_sample(labels: LabelSet) -> int:
    """Number of samples (frames) a recording needs to hold all EVENTS, SPANS or POINTS of a set."""
    if not labels.n_rows or labels.kind not in (Kind.EVENTS, Kind.SPANS, Kind.POINTS):
        return 0
    if labels.kind is Kind.POINTS:
        return int(labels.column("frame").max()) + 1
    if labels.kind is Kind.SPANS:
        return int(labels.column("stop").max())
    return int(labels.column("sample").max()) + 1


def channels_of(dossier: Dossier) -> ChannelTable | None:
    """Channels of the labels' stream; None where nothing is known of them."""
    recording, stream = dossier.recording, dossier.stream
    if recording is not None and (stream in recording.streams or len(recording) == 1):
        return (recording[stream] if stream in recording.streams else recording.signal).channels
    facts: Mapping[str, Any] = _described_stream(dossier).get("channels") or {}
    if facts:
        return ChannelTable.plain(
            facts["ids"],
            gain_uv=facts.get("gain_uv", 1.0),
            position_um=_positions(facts["position_um"], len(facts["ids"])),
            shank=facts.get("shank"),
        )
    context = dossier.items.context if dossier.items is not None else {}
    ids = context.get("channel_ids")
    if not ids:
        return None
    return ChannelTable.plain(
        [str(i) for i in ids],
        position_um=_positions(context.get("position_um"), len(ids)),
        shank=context.get("shank"),
    )


def _described_stream(dossier: Dossier) -> Mapping[str, Any]:
    streams = dossier.source.get("streams") or {}
    if dossier.stream in streams:
        return dict(streams[dossier.stream])
    return dict(next(iter(streams.values()))) if len(streams) == 1 else {}


def _positions(value: Any, n: int) -> npt.NDArray[np.float64]:
    if not value:
        return np.full((n, 2), np.nan)
    return np.asarray([[np.nan if v is None else v for v in row] for row in value], np.float64)


def rows_of_units(items: ItemTable, units: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Row of each unit in the item table, -1 where it has none, shape (n_units,)."""
    if not items.items.size:
        return np.full(units.size, -1, np.int64)
    place = np.minimum(np.searchsorted(items.items, units), items.items.size - 1)
    return np.where(items.items[place] == units, place, -1)


def spread(
    array: npt.NDArray[Any], rows: npt.NDArray[np.int64], fill: float = np.nan
) -> npt.NDArray[Any]:
    """Entries of an array over items for each unit, `fill` where a unit has none."""
    if np.all(rows >= 0):
        return np.asarray(array[rows])
    out = np.full((rows.size, *array.shape[1:]), fill, array.dtype)
    out[rows >= 0] = array[rows[rows >= 0]]
    return out


def templates_of(items: ItemTable | None) -> tuple[npt.NDArray[Any], str] | None:
    """Templates (n_items, n_samples, n_channels) and their unit, where there are any."""
    if items is None or "template" not in items.arrays or items.arrays["template"].ndim != 3:
        return None
    return items.arrays["template"], items.units.get("template", "uV")


def extra_columns(labels: LabelSet) -> dict[str, npt.NDArray[Any]]:
    """Columns that differ from their defaults and need a field of nissl's own.

    `id` where it is not the row number, `label` where there are several classes, `confidence`
    where any is known, `channel` (-1 for null) where any is known, `amplitude_is_null` where some
    amplitudes are null and others NaN, and the optional columns that there are.
    """
    out: dict[str, npt.NDArray[Any]] = {}
    ids = labels.column("id")
    if not np.array_equal(ids, np.arange(ids.size)):
        out["id"] = ids
    if len(labels.vocabulary) > 1:
        out["label"] = labels.column("label")
    if np.any(np.isfinite(labels.column("confidence"))):
        out["confidence"] = labels.column("confidence")
    if labels.table.column("channel").null_count < labels.n_rows:
        out["channel"] = labels.column("channel")
    amplitude = labels.table.column("amplitude")
    null = np.asarray(amplitude.is_null().combine_chunks().to_numpy(zero_copy_only=False))
    if amplitude.null_count != int(np.isnan(labels.column("amplitude")).sum()):
        out["amplitude_is_null"] = null.astype(np.uint8)
    names = optional_columns(labels.kind, labels.table.column_names)
    return out | {name: labels.column(name) for name in names}


def event_columns(
    samples: npt.NDArray[Any],
    units: npt.NDArray[Any],
    *,
    amplitude: npt.NDArray[Any] | None = None,
    extra: Mapping[str, npt.NDArray[Any]] | None = None,
) -> dict[str, Any]:
    """Columns for `LabelSet.build` from a format's own arrays; NaN amplitudes become null."""
    extra = extra or {}
    columns: dict[str, Any] = {
        "sample": np.asarray(samples, np.int64),
        "item": np.asarray(units, np.int64),
    }
    for name in ("id", "label", "confidence", *OPTIONAL[Kind.EVENTS]):
        if name in extra:
            columns[name] = extra[name]
    if "channel" in extra:
        columns["channel"] = nullable(extra["channel"].astype(np.int32), extra["channel"] < 0)
    if amplitude is not None:
        values = np.asarray(amplitude, np.float32)
        is_null = extra.get("amplitude_is_null")
        null = np.isnan(values) if is_null is None else np.asarray(is_null, bool)
        columns["amplitude"] = nullable(values, null)
    return columns


def nullable(values: npt.NDArray[Any], null: npt.NDArray[np.bool_]) -> Any:
    """Arrow array of values, null where told."""
    import pyarrow as pa

    return pa.array(values, mask=null, from_pandas=False)


def fingerprint_of(samples: npt.NDArray[np.int64], rate_hz: float) -> str:
    """Fingerprint of imported spikes whose recording is not known.

    Over the sorted spike samples and the rate: merging, splitting and judging units leaves it
    as it is.
    """
    facts = {"spikes": digest_array(np.sort(samples)), "rate_hz": float(rate_hz)}
    return digest_json(facts)
