"""Reading SpikeInterface's sortings and analyzers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.curation import STATED_NAMES, class_set, stated_classes
from nissl.io.files import corrupt, load_json
from nissl.io.rates import positive_rate
from nissl.io.sidecar import Sidecar, readable_sidecar
from nissl.io.spikeinterface.folders import Found, layout, read_folder
from nissl.io.spikes import event_columns, fingerprint_of
from nissl.io.unit_facts import Sorted, item_table
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

CURATION = "curation.json"
_TAKEN = frozenset({"num_spikes", *STATED_NAMES})


def is_spikeinterface(path: Path) -> bool:
    """Whether a folder is a sorting or a SortingAnalyzer."""
    return path.is_dir() and layout(path) is not None


def read_spikeinterface(
    path: Path,
    *,
    reviewer: str | None = None,
    source: str | None = None,
    rate_hz: float | None = None,
) -> Imported:
    """Read a folder; see `nissl.io.contracts.Importer.read`.

    Raises
    ------
    SourceNotFoundError
        Not a folder of SpikeInterface.
    CorruptSourceError
        Damaged, or its arrays do not fit each other.
    """
    if not is_spikeinterface(path):
        raise SourceNotFoundError(
            "a saved sorting or SortingAnalyzer", f"none at {path}", "Give the saved folder."
        )
    found = read_folder(path)
    rate = positive_rate(rate_hz if rate_hz is not None else found.rate_hz, path)
    sidecar, missing = readable_sidecar(path)
    if sidecar is not None:
        ours = _ours(found, sidecar)
        if ours is not None:
            return _with_curation(path, ours, sidecar, reviewer)
        missing += ("The spikes were changed since nissl exported them.",)
    ids, names = _unit_ids(found.unit_ids)
    sample, clock, sentences = _samples(found, rate)
    missing += sentences
    fingerprint = source or fingerprint_of(sample, rate)
    labels = _label_set(found, sample, ids, fingerprint)
    items, sentences = _items(found, labels, (ids, names), clock)
    missing += sentences
    classes, sentences = _classes(path, found, labels, ids, reviewer)
    return Imported(
        labels=(labels, *classes),
        items=(items,),
        what_is_missing=(*missing, *sentences),
        format="spikeinterface",
        fingerprint=fingerprint,
        facts={"rate_hz": rate, "clock": clock.to_json()},
    )


def _ours(found: Found, sidecar: Sidecar) -> Imported | None:
    with corrupt(Path("facts.json"), "the clock of an export"):
        clock = Clock.from_json(sidecar.facts["clock"])
        starts = np.asarray([s.start for s in clock.segments], np.int64)
        sample = found.sample + starts[found.segment]
        ids = found.unit_ids.astype(np.int64)
    extra = dict(sidecar.extra)
    amplitude = extra.pop("amplitude", None)
    columns = event_columns(sample, ids[found.unit], amplitude=amplitude, extra=extra)
    labels = sidecar.restore(columns)
    if labels is None:
        return None
    items = sidecar.items_with({})
    return Imported(
        labels=(labels, *sidecar.classes),
        items=() if items is None else (items,),
        what_is_missing=("The folder names no raw file; traces cannot be shown.",),
        format="spikeinterface",
        fingerprint=sidecar.fingerprint,
        subject=sidecar.fact("subject", "id", "unknown"),
        session=sidecar.fact("session", "id", "unknown"),
        events=sidecar.events,
        facts={"rate_hz": clock.rate_hz, "clock": clock.to_json()},
    )


def _with_curation(
    path: Path, imported: Imported, sidecar: Sidecar, reviewer: str | None
) -> Imported:
    """Add people's labels that were put into curation.json since the export."""
    from dataclasses import replace

    from nissl.io.curation import human_groups, names_by_target

    labels = imported.labels[0]
    human = human_groups(sidecar.classes)
    before = names_by_target(human) if human is not None else {}
    columns, sentences = _curated(path / CURATION, {int(i): int(i) for i in labels.items})
    now = columns.get("quality", {})
    if not (path / CURATION).is_file() or now == {
        k: v for k, v in before.items() if k in set(labels.items.tolist())
    }:
        return replace(imported, what_is_missing=(*imported.what_is_missing, *sentences))
    kept = tuple(each for each in imported.labels if each is not human)
    new: tuple[LabelSet, ...] = ()
    if now:
        author = Author("person", reviewer or "curator in SpikeInterface")
        made_from = (human.digest,) if human is not None else ()
        new = (class_set(labels, now, author, made_from=made_from),)
    sentences = (*sentences, "curation.json was changed since the export; it is a set of its own.")
    return replace(
        imported, labels=(*kept, *new), what_is_missing=(*imported.what_is_missing, *sentences)
    )


def _unit_ids(stored: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Whole numbers for the units: their own where they are such, else their positions."""
    texts = [str(v) for v in stored.tolist()]
    if all(t.isascii() and t.isdigit() and len(t) < 18 for t in texts):
        numbers = np.asarray([int(t) for t in texts], np.int64)
        if np.unique(numbers).size == numbers.size:
            return numbers, []
    return np.arange(len(texts), dtype=np.int64), texts


def _samples(found: Found, rate: float) -> tuple[npt.NDArray[np.int64], Clock, tuple[str, ...]]:
    """Samples of one index over all segments, with its clock."""
    n = int(found.segment.max()) + 1
    lengths = _known_lengths(found)
    missing: tuple[str, ...] = ()
    if lengths is None or len(lengths) < n:
        lengths = [int(found.sample[found.segment == k].max(initial=-1)) + 1 for k in range(n)]
        missing = (
            "The length of the recording is not known; "
            + ("each segment" if n > 1 else "it")
            + " is taken to end with its last spike.",
        )
    if any(
        length <= found.sample[found.segment == k].max(initial=-1)
        for k, length in enumerate(lengths)
    ):
        raise CorruptSourceError(
            f"spikes within segments of {lengths} samples", "spikes after the end", "Save it again."
        )
    if n > 1:
        missing += ("Times between segments are not known; they adjoin here.",)
    starts = np.concatenate([[0], np.cumsum(lengths)])[: len(lengths)].astype(np.int64)
    return found.sample + starts[found.segment], Clock.from_segments(rate, lengths), missing


def _known_lengths(found: Found) -> list[int] | None:
    value = found.recording.get("num_samples") if isinstance(found.recording, Mapping) else None
    if not isinstance(value, list) or not all(isinstance(v, int) and v >= 0 for v in value):
        return None
    return value


def _label_set(
    found: Found, sample: npt.NDArray[np.int64], ids: npt.NDArray[np.int64], fingerprint: str
) -> LabelSet:
    order = np.argsort(sample, kind="stable")
    amplitude = None if found.amplitude is None else found.amplitude[order]
    columns = event_columns(sample[order], ids[found.unit][order], amplitude=amplitude)
    parameters: dict[str, Any] = {"imported_from": "spikeinterface"}
    if not found.in_uv:
        parameters["amplitude_unit"] = "a.u."
    author = Author("model", "unknown sorter, read from a SpikeInterface folder")
    provenance = Provenance("spikes", fingerprint, author, parameters=parameters)
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)


def _items(
    found: Found,
    labels: LabelSet,
    units: tuple[npt.NDArray[np.int64], list[str]],
    clock: Clock,
) -> tuple[ItemTable, tuple[str, ...]]:
    ids, names = units
    order = np.argsort(ids)
    missing = ["The folder names no raw file; traces cannot be shown."]
    columns: dict[str, npt.NDArray[Any]] = {
        name: values[order] for name, values in found.metrics.items() if name not in _TAKEN
    }
    for name, values in found.properties.items():
        if values.ndim == 1 and values.dtype.kind in "iuf" and name not in {*_TAKEN, *columns}:
            columns[name] = values[order].astype(np.float64)
    if found.template is None:
        missing.append("There are no templates; waveforms need the raw data.")
    elif not found.in_uv:
        missing.append("Templates and amplitudes are in the recording's own steps, not in uV.")
    if not found.metrics:
        missing.append("No quality metrics were computed.")
    unit = "uV" if found.in_uv else "a.u."
    before = found.ms_before
    channel_ids = found.recording.get("channel_ids", []) if found.recording else []
    facts = Sorted(
        rate_hz=clock.rate_hz,
        n_samples=clock.n_samples,
        template=None if found.template is None else found.template[order].astype(np.float32),
        template_unit=unit,
        amplitude_unit=unit,
        n_before=None if before is None else int(float(before) * clock.rate_hz / 1000),
        channel_ids=tuple(str(c) for c in channel_ids),
        position_um=_fitting(found),
        columns=columns,
        context={"unit_names": [names[k] for k in order.tolist()]} if names else {},
    )
    table = item_table(labels, ids[order], facts)
    return _located(table, found, order), tuple(missing)


def _fitting(found: Found) -> npt.NDArray[np.float64] | None:
    """Contact positions, where there are as many as the templates have channels."""
    position = found.position_um
    if position is not None and found.template is not None:
        return position if len(position) == found.template.shape[2] else None
    return position


def _located(items: ItemTable, found: Found, order: npt.NDArray[np.intp]) -> ItemTable:
    """Positions estimated by SpikeInterface in place of those of the best channels."""
    if found.location_um is None or found.location_um.shape[1] < 2:
        return items
    import pyarrow as pa

    table = items.table
    for axis, name in enumerate(("x_um", "y_um")):
        values = pa.array(found.location_um[order, axis].astype(np.float64))
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, values)
        else:
            table = table.append_column(name, values)
    units = {**items.units, "x_um": "um", "y_um": "um"}
    return ItemTable(items.of, table, units, items.arrays, items.context)


def _classes(
    path: Path,
    found: Found,
    labels: LabelSet,
    ids: npt.NDArray[np.int64],
    reviewer: str | None,
) -> tuple[tuple[LabelSet, ...], tuple[str, ...]]:
    stated = {
        name: {int(i): str(v) for i, v in zip(ids, found.properties[name].tolist(), strict=True)}
        for name in STATED_NAMES
        if name in found.properties and found.properties[name].dtype.kind in "US"
    }
    sets, sentences = stated_classes(labels, stated, "a SpikeInterface folder", reviewer)
    stored = {v: int(i) for v, i in zip(found.unit_ids.tolist(), ids, strict=True)}
    curated, more = _curated(path / CURATION, stored)
    author = Author("person", reviewer or "curator in SpikeInterface")
    new = tuple(class_set(labels, names, author) for names in curated.values() if names)
    return (*sets, *new), (*sentences, *more)


def _curated(
    path: Path, ids: Mapping[Any, int]
) -> tuple[dict[str, dict[int, str]], tuple[str, ...]]:
    """Labels that people gave in a curation file, per label definition."""
    if not path.is_file():
        return {}, ()
    value = load_json(path)
    out: dict[str, dict[int, str]] = {}
    several = 0
    with corrupt(path, "SpikeInterface's curation format 1 or 2"):
        if str(value["format_version"]) not in ("1", "2"):
            raise ValueError(f"format version {value['format_version']!r}")
        for entry in value.get("manual_labels") or []:
            given = entry.get("labels", {k: v for k, v in entry.items() if k != "unit_id"})
            for name, texts in given.items():
                if len(texts) == 1 and entry["unit_id"] in ids:
                    out.setdefault(name, {})[ids[entry["unit_id"]]] = str(texts[0])
                elif len(texts) > 1:
                    several += 1
        undone = [
            name
            for name in ("merges", "splits", "removed", "merge_unit_groups", "removed_units")
            if value.get(name)
        ]
    sentences = []
    if several:
        sentences.append(f"{several} units carry several labels at once; those were left out.")
    if undone:
        sentences.append(
            f"curation.json asks for {', '.join(undone)}; apply them in SpikeInterface first."
        )
    return out, tuple(sentences)
