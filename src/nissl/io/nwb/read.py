"""Reading sorted units from NWB files, ours and others'."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.privacy import protect
from nissl.data.recording import UNKNOWN, Session, Subject
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.curation import STATED_NAMES, stated_classes
from nissl.io.files import corrupt
from nissl.io.manifest import checked, restore_items, restore_set
from nissl.io.nwb.tables import of_source, read_classes, read_events, read_marks
from nissl.io.nwb.units import SPIKE_TEXTS, WAVEFORMS
from nissl.io.rates import MICROSECONDS_HZ, positive_rate
from nissl.io.spikes import event_columns, fingerprint_of
from nissl.io.unit_facts import Sorted, item_table
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

SCRATCH = "nissl_provenance"
_LARGEST_S = 1e8


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file with a fresh handle; damage becomes `CorruptSourceError`."""
    from pynwb import NWBHDF5IO

    if not path.is_file():
        raise SourceNotFoundError("an NWB file", f"nothing at {path}", "Check the path.")
    with corrupt(path, "an NWB file"), NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        yield io.read()


def read_nwb(
    path: Path,
    *,
    reviewer: str | None = None,
    source: str | None = None,
    rate_hz: float | None = None,
) -> Imported:
    """Read the units of a file; see `nissl.io.contracts.Importer.read`.

    Raises
    ------
    SourceNotFoundError
        No file, or neither units with spike times, segmented cells nor our tracks in it.
    CorruptSourceError
        Damaged, or an export of nissl that was changed.
    """
    with opened(path) as nwbfile:
        facts = manifest_of(nwbfile)
        found = _of_movie(nwbfile, path, facts, (reviewer, source, rate_hz))
        if found is not None:
            return found
        units = nwbfile.units
        if units is None or "spike_times" not in units.colnames or not len(units.id):
            raise SourceNotFoundError(
                "a units table with spike times", f"none in {path}", "Export the units to it."
            )
        if facts is not None:
            return _ours(nwbfile, facts)
        return _foreign(nwbfile, path, (reviewer, source, rate_hz))


def _of_movie(
    nwbfile: Any,
    path: Path,
    facts: Mapping[str, Any] | None,
    given: tuple[str | None, str | None, float | None],
) -> Imported | None:
    """Tracks, or segmented cells of a file without units; None where there are none."""
    from nissl.io.nwb import regions, tracks

    if facts is not None and "marks" in facts:
        return read_marks(nwbfile, facts)
    if facts is not None:
        readers = {Kind.REGIONS: regions.read_ours, Kind.POINTS: tracks.read_ours}
        reader = readers.get(facts["labels"]["kind"])
        return None if reader is None else reader(nwbfile, facts)
    units = nwbfile.units
    has_units = units is not None and "spike_times" in units.colnames and len(units.id)
    return None if has_units else regions.read_others(nwbfile, path, given)


def manifest_of(nwbfile: Any) -> dict[str, Any] | None:
    """Facts that nissl left in the scratch space; None in others' files."""
    if SCRATCH not in nwbfile.scratch:
        return None
    data = nwbfile.scratch[SCRATCH].data
    text = data if isinstance(data, str) else data[()]
    return checked(json.loads(text), f"the scratch space {SCRATCH}")


def ragged(units: Any, name: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Values of a ragged column and where each unit's end.

    Raises
    ------
    CorruptSourceError
        The index does not fit the values.
    """
    index = units[name]
    stops = np.asarray(index.data[:], dtype=np.int64)
    values = np.asarray(index.target.data[:])
    wrong = stops.size != len(units.id) or values.ndim != 1 or np.any(np.diff(stops) < 0)
    if wrong or (stops.size and (stops[0] < 0 or stops[-1] != values.size)):
        raise CorruptSourceError(
            f"an increasing index of {len(units.id)} units over {name}",
            f"{stops.size} entries over {values.size} values",
            "Write the file again.",
        )
    return values, stops


def our_spikes(nwbfile: Any, facts: Mapping[str, Any]) -> LabelSet:
    """Set of spikes as it was exported, if it still is."""
    units = nwbfile.units
    samples, stops = ragged(units, "spike_samples")
    ids = np.asarray(units["nissl_unit_id"][:], np.int64)
    item = np.repeat(ids, np.diff(stops, prepend=0))
    extra = {"id": ragged(units, "spike_row_ids")[0]}
    for name in SPIKE_TEXTS:
        if f"spike_{name}" in units.colnames:
            extra[name] = ragged(units, f"spike_{name}")[0]
    amplitude = None
    if "spike_amplitudes_uv" in units.colnames:
        amplitude = ragged(units, "spike_amplitudes_uv")[0]
    columns = event_columns(samples, item, amplitude=amplitude, extra=extra)
    labels = restore_set(facts["labels"], columns)
    if labels.digest != facts["labels"]["digest"]:
        raise CorruptSourceError(
            "the spikes that were exported", "other spikes", "The file was changed; export again."
        )
    return labels


def our_items(nwbfile: Any, facts: Mapping[str, Any]) -> ItemTable | None:
    """Item table as it was exported, if it still is."""
    if facts["items"] is None:
        return None
    units, places = nwbfile.units, facts["columns"]
    rows = np.asarray(places["rows"], np.int64)
    values, arrays = {}, {}
    for name, column in places["names"].items():
        data = np.asarray(units[column].data[:])[rows]
        if name in places["types"]:
            values[name] = data
        elif column in WAVEFORMS.values():
            arrays[name] = (data * 1e6).astype(np.float32)
        else:
            arrays[name] = data
    items = restore_items(facts, values, arrays, of=facts["items"]["of"])
    if items.digest != facts["items"]["digest"]:
        raise CorruptSourceError(
            "the facts of units that were exported", "others", "The file was changed."
        )
    return items


def _ours(nwbfile: Any, facts: Mapping[str, Any]) -> Imported:
    labels = our_spikes(nwbfile, facts)
    items = our_items(nwbfile, facts)
    return Imported(
        labels=(labels, *read_classes(nwbfile, facts)),
        items=() if items is None else (items,),
        what_is_missing=("The file names no raw file; traces cannot be shown.",),
        format="nwb",
        **of_source(facts),
        events=read_events(nwbfile, facts),
        facts={"clock": facts["clock"], "rate_hz": Clock.from_json(facts["clock"]).rate_hz},
    )


def _foreign(
    nwbfile: Any, path: Path, given: tuple[str | None, str | None, float | None]
) -> Imported:
    reviewer, source, rate_hz = given
    units = nwbfile.units
    times, stops = ragged(units, "spike_times")
    seconds = times.astype(np.float64)
    if not seconds.size or not np.all(np.isfinite(seconds)) or np.abs(seconds).max() > _LARGEST_S:
        raise CorruptSourceError(
            "finite spike times in seconds", "none, NaN or above 3 years", f"Mend {path}."
        )
    rate, begin_s, missing = _rate(nwbfile, rate_hz, path)
    t0_s = min(float(seconds.min()), begin_s)
    if t0_s < begin_s:
        missing += (f"Times begin at {t0_s:.3f} s; samples count from there.",)
    ids = _unit_ids(units)
    samples = np.rint((seconds - t0_s) * rate).astype(np.int64)
    columns = event_columns(samples, np.repeat(ids, np.diff(stops, prepend=0)))
    fingerprint = source or fingerprint_of(samples, rate)
    author = Author("model", "unknown sorter, read from an NWB file")
    labels = LabelSet.build(
        Kind.EVENTS, columns, ("unit",), Provenance("spikes", fingerprint, author)
    )
    order = np.argsort(ids)
    items, sentences = _facts(units, labels, order, (rate, t0_s))
    stated = {
        name: {
            int(i): str(text)
            for i, text in zip(ids, np.asarray(units[name].data[:]).tolist(), strict=True)
        }
        for name in STATED_NAMES
        if name in units.colnames
    }
    classes, more = stated_classes(labels, stated, "an NWB file", reviewer)
    subject, session = _who(nwbfile)
    clock = [[0, int(samples.max()) + 1, t0_s, rate]]
    return Imported(
        labels=(labels, *classes),
        items=(items,),
        what_is_missing=(*missing, *sentences, *more),
        format="nwb",
        fingerprint=fingerprint,
        subject=subject.id,
        session=session.id,
        facts={"rate_hz": rate, "clock": clock},
    )


def _who(nwbfile: Any) -> tuple[Subject, Session]:
    """Subject and session, with pseudonyms unless the file says that it was no human."""
    stated = nwbfile.subject
    subject = Subject(
        str(getattr(stated, "subject_id", None) or UNKNOWN),
        species=getattr(stated, "species", None),
    )
    return protect(subject, Session(str(nwbfile.session_id or UNKNOWN)))


def _unit_ids(units: Any) -> npt.NDArray[np.int64]:
    ids = np.asarray(units.id[:])
    if ids.dtype.kind in "iu" and np.unique(ids).size == ids.size and ids.min() >= 0:
        return ids.astype(np.int64)
    return np.arange(ids.size, dtype=np.int64)


def _rate(nwbfile: Any, given: float | None, path: Path) -> tuple[float, float, tuple[str, ...]]:
    """Rate and time of sample 0: of the file's only series, as given or stated, microseconds."""
    from pynwb.ecephys import ElectricalSeries

    clocks = {
        (float(series.rate), float(series.starting_time or 0.0))
        for series in nwbfile.acquisition.values()
        if isinstance(series, ElectricalSeries) and series.rate
    }
    if len(clocks) == 1 and (given is None or given == next(iter(clocks))[0]):
        rate, begin_s = clocks.pop()
        return positive_rate(rate, path), begin_s, ()
    if given is not None:
        return positive_rate(given, path), 0.0, ()
    resolution = nwbfile.units.resolution
    if resolution is not None and 0 < float(resolution) < 1:
        return positive_rate(1.0 / float(resolution), path), 0.0, ()
    sentence = (
        "The file gives spike times in seconds and no sampling rate; samples count "
        "microseconds. Give the rate with --rate."
    )
    return MICROSECONDS_HZ, 0.0, (sentence,)


def _facts(
    units: Any, labels: LabelSet, order: npt.NDArray[np.intp], time: tuple[float, float]
) -> tuple[ItemTable, tuple[str, ...]]:
    missing = ["The length of the recording is not known; rates count up to the last spike."]
    ids = _unit_ids(units)[order]
    columns: dict[str, npt.NDArray[Any]] = {}
    left = []
    skipped = {"spike_times", "id", *WAVEFORMS.values(), *STATED_NAMES}
    for name in units.colnames:
        if name in skipped:
            continue
        data = getattr(units[name], "data", None)
        array = (
            None if data is None or "Index" in type(units[name]).__name__ else np.asarray(data[:])
        )
        if array is not None and array.ndim == 1 and array.dtype.kind in "iuf":
            columns[name] = array[order].astype(np.float64)
        else:
            left.append(name)
    if left:
        missing.append(f"Columns that were not taken over: {', '.join(sorted(left))}.")
    template = _waveforms(units, order)
    if template is None:
        missing.append("There are no mean waveforms of one length; templates need the raw data.")
    rate, t0_s = time
    facts = Sorted(
        rate_hz=rate,
        n_samples=int(labels.column("sample").max()) + 1,
        template=template,
        columns=columns,
        position_um=_positions(units, template),
        context={"t0_s": t0_s},
    )
    return item_table(labels, ids, facts), tuple(missing)


def _waveforms(units: Any, order: npt.NDArray[np.intp]) -> npt.NDArray[np.float32] | None:
    """Mean waveforms in uV, (n_units, n_samples, n_channels); NWB keeps volts."""
    if "waveform_mean" not in units.colnames:
        return None
    data = np.asarray(units["waveform_mean"].data[:])
    if data.dtype.kind not in "iuf" or data.ndim not in (2, 3) or len(data) != len(units.id):
        return None
    volts = data[:, :, None] if data.ndim == 2 else data
    with np.errstate(over="ignore", invalid="ignore"):
        return (volts[order].astype(np.float64) * 1e6).astype(np.float32)


def _positions(
    units: Any, template: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.float64] | None:
    """Positions of all electrodes where the waveforms' last axis is all of them."""
    if template is None or "electrodes" not in units.colnames:
        return None
    region = units["electrodes"].target
    table = region.table
    if "rel_x" not in table.colnames or len(table.id) != template.shape[2]:
        return None
    listed = np.asarray(region.data[:])
    if not np.array_equal(listed, np.tile(np.arange(template.shape[2]), len(units.id))):
        return None
    return np.stack([np.asarray(table[c].data[:], np.float64) for c in ("rel_x", "rel_y")], axis=1)
