"""Tracked neurons in NWB files: identities, places, confidence, traces.

The processing module "tracks" holds a table "neurons" (ids are the items; name and other facts
as columns), under Position a SpatialSeries per neuron over the volumes in which anything was
tracked, and beside it matrices (volumes, neurons), columns in the order of the table: confidence,
seen, class and the ids of the rows. Places are in micrometres, with the conversion to metres,
where the size of a voxel is known, and in voxels otherwise. Traces are in the module "traces".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.signal import ArrayReader
from nissl.errors import CorruptSourceError, ExportError
from nissl.io.columns import to_plain
from nissl.io.contracts import Imported
from nissl.io.manifest import restore_items, restore_set
from nissl.io.names import plain_name
from nissl.io.nwb.tables import of_source, read_classes, read_events
from nissl.io.points import points_of
from nissl.io.regions import traces_of
from nissl.io.spikes import clock_of, units_of
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Dossier

TRACKS, TRACES = "tracks", "traces"
NEURONS, PLACES = "neurons", "Position"
NO_ROW = -1
_TAKEN = frozenset({"id", "name", "description", "columns", "colnames", "parent", "fields"})
_FRAME = "x, y, z; the origin is the centre of the first voxel, x counts columns and y rows"
_MATRICES = {
    "row_id": (np.int64, "id of the row in the label set; -1 where there is none"),
    "label": (np.int32, "class, code of the vocabulary in the provenance; -1 where there is none"),
    "seen": (np.int8, "1 where the neuron was seen, 0 where it was not"),
    "confidence": (np.float32, "calibrated probability that the place is right, or NaN"),
}


def add_tracks(nwbfile: Any, dossier: Dossier) -> dict[str, Any]:
    """Add neurons, places, confidence and traces; return what has to stand in the manifest.

    Raises
    ------
    ExportError
        No points, or points that are not one per neuron and volume.
    """
    labels, neurons = points_of(dossier), units_of(dossier)
    frames, at = _grid(labels, neurons)
    spacing = spacing_of(dossier)
    author = labels.provenance.author
    module = nwbfile.create_processing_module(
        TRACKS,
        f"Neurons followed through the volumes of stream {dossier.stream!r} by {author.kind} "
        f"{author.name} {author.version}".strip(),
    )
    facts: dict[str, Any] = {"columns": _column_names(dossier.items)}
    if dossier.items is not None:
        facts["rows"] = np.searchsorted(neurons, dossier.items.items).tolist()
    module.add(_neurons(dossier.items, neurons, facts["columns"]))
    first = _add_matrices(module, labels, frames, at, neurons.size, _seconds(dossier, frames))
    _add_places(module, dossier, (frames, at, neurons), spacing, first)
    facts["spacing_um"] = None if spacing is None else list(spacing)
    facts["z"] = labels.table.column("z").null_count == 0
    facts["traces"] = _add_traces(nwbfile, dossier, neurons)
    return {"tracks": facts}


def spacing_of(dossier: Dossier) -> tuple[float, float, float] | None:
    """Size of a voxel along z, y and x in um: of the movie or what is known of it; or None."""
    recording, stream = dossier.recording, dossier.stream
    if recording is not None and stream in recording.movies:
        return recording.movies[stream].spacing_um
    described = dict(dict(dossier.source.get("streams") or {}).get(stream) or {})
    context = {} if dossier.items is None else dossier.items.context
    stated = described.get("spacing_um") or context.get("spacing_um")
    if not isinstance(stated, list | tuple) or len(stated) != 3:
        return None
    z, y, x = (float(v) for v in stated)
    return (z, y, x)


def _grid(
    labels: LabelSet, neurons: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Volumes with a row, and the place of each row in a matrix (volumes, neurons)."""
    frames, row = np.unique(labels.column("frame"), return_inverse=True)
    column = np.searchsorted(neurons, labels.column("item"))
    table = labels.table
    nulls = {name: table.column(name).null_count for name in ("keypoint", "z", "probabilities")}
    lost = nulls["keypoint"] < labels.n_rows or nulls["probabilities"] < labels.n_rows
    if lost or nulls["z"] not in (0, labels.n_rows):
        raise ExportError(
            "points that are whole neurons, all of them in volumes or all in planes",
            "key points, probabilities of rows, or points with and without z",
            "Export as parquet, which holds them.",
        )
    if np.unique(row * neurons.size + column).size < labels.n_rows:
        raise ExportError(
            "each neuron once in a volume",
            "one that is there twice",
            "Remove one of the two, or give one of them another identity.",
        )
    return frames.astype(np.int64), (row.astype(np.intp), column.astype(np.intp))


def _seconds(dossier: Dossier, frames: npt.NDArray[np.int64]) -> tuple[Any, str]:
    """Times of volumes and how to read them."""
    try:
        return clock_of(dossier).to_seconds(frames), "timestamps are those of the movie's clock"
    except ExportError:
        said = "the rate is not known: timestamps are numbers of volumes, not seconds"
        return frames.astype(np.float64), said


def _add_matrices(
    module: Any,
    labels: LabelSet,
    frames: npt.NDArray[np.int64],
    at: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    n_neurons: int,
    time: tuple[Any, str],
) -> Any:
    """Add the volumes and what is known of neurons in them; the first series has the times."""
    from pynwb import TimeSeries

    seconds, said = time
    first = TimeSeries(
        name="volume",
        data=frames,
        unit="volumes",
        timestamps=seconds,
        description="number of the volume in the movie, from 0",
        comments=said,
    )
    module.add(first)
    own = {"row_id": "id", "seen": "visible"}
    for name, (kind, text) in _MATRICES.items():
        empty = {"confidence": np.nan, "seen": 0}.get(name, NO_ROW)
        values = np.full((frames.size, n_neurons), empty, kind)
        values[at] = labels.column(own.get(name, name))
        module.add(
            TimeSeries(
                name=name,
                data=values,
                unit="n.a.",
                timestamps=first,
                description=f"{text}; shape (volumes, neurons)",
                comments=f"columns are the rows of the table {NEURONS!r}; {said}",
            )
        )
    return first


def _add_places(
    module: Any,
    dossier: Dossier,
    where: tuple[Any, Any, npt.NDArray[np.int64]],
    spacing: tuple[float, float, float] | None,
    first: Any,
) -> None:
    from pynwb.behavior import Position, SpatialSeries

    frames, at, neurons = where
    labels = dossier.labels
    xyz = np.full((frames.size, neurons.size, 3), np.nan, np.float32)
    for axis, name in enumerate("xyz"):
        xyz[(*at, axis)] = labels.column(name)
    unit: dict[str, Any] = {"unit": "voxels"}
    said = "the size of a voxel is not known: places are in voxels"
    if spacing is not None:
        # in float64, so that division gives the very float32 of the labels
        xyz = xyz.astype(np.float64) * np.asarray(spacing[::-1], np.float64)
        unit = {"unit": "meters", "conversion": 1e-6}
        said = f"in micrometres, for voxels of {spacing} um (z, y, x)"
    names = _names(dossier.items)
    held = Position(name=PLACES)
    module.add(held)
    for k, item in enumerate(neurons.tolist()):
        called = f", {names[item]}" if names.get(item) else ""
        held.add_spatial_series(
            SpatialSeries(
                name=f"neuron_{item}",
                data=xyz[:, k],
                reference_frame=_FRAME,
                timestamps=first,
                description=f"place of neuron {item}{called}; NaN where it has none",
                comments=f"{said}; places where 'seen' is 0 are no observations",
                **unit,
            )
        )


def _names(items: ItemTable | None) -> dict[int, str]:
    if items is None or "name" not in items.table.column_names:
        return {}
    names = items.table.column("name").to_pylist()
    return {int(i): str(n) for i, n in zip(items.items, names, strict=True) if n}


def _column_names(items: ItemTable | None) -> dict[str, str]:
    """Name in the table of neurons of each column and array of an item table."""
    out: dict[str, str] = {}
    if items is None:
        return out
    for name in (*items.table.column_names, *items.arrays):
        target = plain_name(name)
        while target in _TAKEN or target in out.values():
            target = f"neuron_{target}"
        out[name] = target
    return out


def _neurons(
    items: ItemTable | None, neurons: npt.NDArray[np.int64], names: Mapping[str, str]
) -> Any:
    """Table of neurons; those that the item table does not know have empty facts."""
    from hdmf.common import DynamicTable, ElementIdentifiers, VectorData

    columns = []
    if items is not None:
        rows = np.searchsorted(neurons, items.items)
        held = {**to_plain(items.table).values, **items.arrays}
        for name, target in names.items():
            text = f"{name} ({items.units[name]})" if items.units.get(name) else name
            columns.append(
                VectorData(name=target, description=text, data=_spread(held[name], rows, neurons))
            )
    return DynamicTable(
        name=NEURONS,
        description="neurons that were followed; ids are their identities",
        id=ElementIdentifiers(name="id", data=neurons),
        columns=columns,
    )


def _spread(values: npt.NDArray[Any], rows: npt.NDArray[np.intp], neurons: Any) -> Any:
    if values.dtype.kind in "UO":
        texts = [""] * neurons.size
        for row, value in zip(rows.tolist(), values.tolist(), strict=True):
            texts[row] = str(value)
        return texts
    empty: Any = np.nan if values.dtype.kind == "f" else 0
    out = np.full((neurons.size, *values.shape[1:]), empty, values.dtype)
    out[rows] = values
    return out


def _add_traces(
    nwbfile: Any, dossier: Dossier, neurons: npt.NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    from pynwb import TimeSeries

    if not dossier.signals:
        return {}
    module = nwbfile.create_processing_module(TRACES, "signals derived for the tracked neurons")
    facts: dict[str, dict[str, Any]] = {}
    for name, signal in dossier.signals.items():
        target = plain_name(name)
        while any(each["place"] == target for each in facts.values()):
            target += "_"
        known = {str(item) for item in neurons.tolist()}
        if not known.issuperset(signal.channels.ids):
            raise ExportError(
                f"traces {name!r} of tracked neurons",
                f"channels {sorted(set(signal.channels.ids) - known)!r:.200}",
                "Export as parquet, or derive the traces anew.",
            )
        module.add(
            TimeSeries(
                name=target,
                data=traces_of(signal, neurons).T,
                unit=str(signal.metadata.get("unit") or "a.u."),
                timestamps=signal.clock.to_seconds(np.arange(signal.n_samples)),
                description=f"derived signal {name!r}, shape (volumes, neurons)",
                comments=f"columns are the rows of the table {NEURONS!r}; NaN where not derived",
            )
        )
        facts[name] = {
            "place": target,
            "clock": signal.clock.to_json(),
            "channels": signal.channels.to_json(),
            "metadata": {k: v for k, v in signal.metadata.items() if k == "unit"},
        }
    return facts


def our_points(nwbfile: Any, facts: Mapping[str, Any]) -> LabelSet:
    """Set of points as it was exported, if it still is."""
    module, told = nwbfile.processing[TRACKS], facts["tracks"]
    neurons = np.asarray(module[NEURONS].id[:], np.int64)
    frames = np.asarray(module["volume"].data[:], np.int64)
    matrices = {name: np.asarray(module[name].data[:]) for name in _MATRICES}
    wanted = (frames.size, neurons.size)
    series = [module[PLACES][f"neuron_{item}"] for item in neurons.tolist()]
    xyz = np.stack([np.asarray(each.data[:], np.float64) for each in series], axis=1)
    if any(m.shape != wanted for m in matrices.values()) or xyz.shape != (*wanted, 3):
        raise CorruptSourceError(
            f"matrices of {wanted[0]} volumes and {wanted[1]} neurons", "others", "Export again."
        )
    if told["spacing_um"] is not None:
        xyz = xyz / np.asarray(told["spacing_um"][::-1], np.float64)
    at = np.nonzero(matrices["row_id"] != NO_ROW)
    x, y, z = xyz[at].astype(np.float32).T
    columns = {
        "id": matrices["row_id"][at],
        "item": neurons[at[1]],
        "label": matrices["label"][at],
        "confidence": matrices["confidence"][at],
        "frame": frames[at[0]],
        "x": x,
        "y": y,
        "z": z if told["z"] else pa.nulls(x.size, pa.float32()),
        "visible": matrices["seen"][at] != 0,
    }
    labels = restore_set(facts["labels"], columns)
    if labels.digest != facts["labels"]["digest"]:
        raise CorruptSourceError(
            "the points that were exported", "other points", "The file was changed; export again."
        )
    return labels


def our_neurons(nwbfile: Any, facts: Mapping[str, Any]) -> ItemTable | None:
    """Facts of neurons as they were exported, if they still are."""
    if facts["items"] is None:
        return None
    table, names = nwbfile.processing[TRACKS][NEURONS], facts["tracks"]["columns"]
    rows = np.asarray(facts["tracks"]["rows"], np.int64)
    values, arrays = {}, {}
    for name, target in names.items():
        data = np.asarray(table[target].data[:])[rows]
        kind = facts["columns"]["types"].get(name)
        if kind is None:
            arrays[name] = data
        else:
            values[name] = _texts(data) if kind.endswith("string") else data
    items = restore_items(facts, values, arrays, of=facts["items"]["of"])
    if items.digest != facts["items"]["digest"]:
        raise CorruptSourceError("the facts that were exported", "others", "Export again.")
    return items


def _texts(values: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    plain = [v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()]
    return np.asarray(plain, object)


def our_traces(nwbfile: Any, facts: Mapping[str, Any]) -> dict[str, Signal]:
    """Traces that `add_tracks` wrote."""
    ids = [str(i) for i in np.asarray(nwbfile.processing[TRACKS][NEURONS].id[:]).tolist()]
    out = {}
    for name, each in facts["tracks"]["traces"].items():
        channels = ChannelTable.from_json(each["channels"])
        data = np.asarray(nwbfile.processing[TRACES][each["place"]].data[:], np.float32)
        held = data[:, [ids.index(i) for i in channels.ids]]
        clock = Clock.from_json(each["clock"])
        out[name] = Signal(name, ArrayReader(held), channels, clock, dict(each["metadata"]))
    return out


def read_ours(nwbfile: Any, facts: Mapping[str, Any]) -> Imported:
    """Points, facts, classes, events and traces of a file of ours."""
    labels, items = our_points(nwbfile, facts), our_neurons(nwbfile, facts)
    told = {"clock": facts.get("clock"), "spacing_um": facts["tracks"]["spacing_um"]}
    return Imported(
        labels=(labels, *read_classes(nwbfile, facts)),
        items=() if items is None else (items,),
        what_is_missing=("The file names no raw file; the movie cannot be shown.",),
        format="nwb",
        **of_source(facts),
        events=read_events(nwbfile, facts),
        facts={name: value for name, value in told.items() if value},
        signals=our_traces(nwbfile, facts),
    )
