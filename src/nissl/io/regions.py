"""What the formats of segmented movies have in common.

The rows of the set are regions, one each, by item; traces are derived signals of the dossier,
whose channels are named by item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.vocabulary import CELL, CELLS, NOT_CELL
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.signal import ArrayReader, SampleReader
from nissl.errors import ExportError, SourceNotFoundError
from nissl.io.contracts import Imported
from nissl.io.rates import positive_rate
from nissl.io.verifying import same_values
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Dossier

Shape = tuple[int, int, int]
STREAM = "movie"
FLUORESCENCE = "fluorescence"
RAW, NEUROPIL, DFF, DECONVOLVED, RATE = "raw", "neuropil", "fluorescence", "deconvolved", "rate"
"""Names of derived signals; the last three are dF/F, an activity without unit, spikes per s."""


def regions_of(dossier: Dossier) -> LabelSet:
    """Return the regions of a dossier; `ExportError` where its labels are something else."""
    labels = dossier.labels
    single = labels.kind is Kind.REGIONS and labels.items.size == labels.n_rows
    if not single or not labels.n_rows:
        raise ExportError(
            "REGIONS of at least one item, one row each",
            f"{labels.n_rows} rows of {labels.kind.value}",
            "Formats of segmented movies need regions; csv and parquet hold every kind.",
        )
    return labels


def field_of(dossier: Dossier) -> Shape:
    """Shape (z, y, x) of the field that the regions lie in.

    Raises
    ------
    ExportError
        Neither the movie, nor the item table, nor the set itself tells it.
    """
    recording, labels = dossier.recording, dossier.labels
    if recording is not None and dossier.stream in recording.movies:
        return recording.movies[dossier.stream].shape
    context = {} if dossier.items is None else dossier.items.context
    described = dict(dict(dossier.source.get("streams") or {}).get(dossier.stream) or {})
    # a method may have a parameter of that name, so that only a list of three counts
    said = (context.get("grid"), labels.provenance.parameters.get("shape"), described.get("shape"))
    stated = next((s for s in said if isinstance(s, list | tuple) and len(s) == 3), None)
    if stated is None:
        raise ExportError(
            "a movie or an item table that tells the shape of the field",
            "neither",
            "Add the movie to the project, or export as parquet.",
        )
    depth, height, width = (int(n) for n in stated)
    return depth, height, width


def footprints_of(dossier: Dossier) -> Footprints:
    """Footprints of the regions, in the order of the rows."""
    return Footprints.from_labels(regions_of(dossier), field_of(dossier))


def cells_of(labels: LabelSet) -> npt.NDArray[np.bool_]:
    """Which rows are called cells: all of a vocabulary that does not know "not cell"."""
    names = labels.vocabulary.names
    if "not cell" not in names:
        return np.ones(labels.n_rows, bool)
    return np.asarray(labels.column("label") != names.index("not cell"))


def probabilities_of(labels: LabelSet) -> npt.NDArray[np.float64]:
    """Probability of each row to be a cell; NaN where nobody says."""
    names, rows = labels.vocabulary.names, labels.table.column("probabilities").to_pylist()
    place = names.index("cell") if "cell" in names else 0
    return np.asarray([np.nan if row is None else row[place] for row in rows])


def regions(
    footprints: Footprints,
    provenance: Provenance,
    *,
    item: npt.NDArray[np.int64] | None = None,
    cell: npt.NDArray[np.bool_] | None = None,
) -> LabelSet:
    """REGIONS without confidence, each called a cell or not; all cells by default."""
    labels = footprints.to_labels(provenance, item=item)
    if cell is None:
        return labels
    columns: dict[str, Any] = {
        name: labels.table.column(name) for name in ("item", "pixels", "weights")
    }
    columns["label"] = np.where(cell, CELL, NOT_CELL).astype(np.int32)
    return LabelSet.build(Kind.REGIONS, columns, CELLS, provenance)


def made_elsewhere(
    program: str, fingerprint: str, shape: Shape, *, version: str = "", file_format: str = ""
) -> Provenance:
    """Provenance of regions that another program found."""
    return Provenance(
        task="cells",
        source=fingerprint,
        author=Author("model", program, version),
        stream=STREAM,
        parameters={"imported_from": file_format or program, "shape": list(shape)},
    )


def by_person(labels: LabelSet, cell: npt.NDArray[np.bool_], reviewer: str) -> LabelSet:
    """What a person called the regions of a set."""
    made = labels.provenance
    columns: dict[str, Any] = {
        name: labels.table.column(name) for name in ("id", "item", "pixels", "weights")
    }
    columns["label"] = np.where(cell, CELL, NOT_CELL).astype(np.int32)
    provenance = Provenance(
        task=made.task,
        source=made.source,
        author=Author("person", reviewer),
        stream=made.stream,
        parameters=dict(made.parameters),
        made_from=(labels.digest,),
    )
    return LabelSet.build(Kind.REGIONS, columns, CELLS, provenance)


def fingerprint_of(footprints: Footprints, n_frames: int) -> str:
    """Fingerprint of regions whose movie is not known: of their pixels, not of what they are."""
    digest = hashlib.sha256(f"nissl regions 1 {footprints.shape} {n_frames}\n".encode())
    for pixels in footprints.pixels:
        digest.update(np.int64(pixels.size).tobytes() + pixels.astype("<i8").tobytes())
    return digest.hexdigest()


def facts_table(
    labels: LabelSet,
    columns: Mapping[str, npt.NDArray[Any]],
    *,
    units: Mapping[str, str] | None = None,
    context: Mapping[str, Any],
) -> ItemTable:
    """Item table of facts in the order of the rows of a set whose items increase."""
    table = pa.table({"item": labels.column("item"), **columns})
    return ItemTable(labels.digest, table, dict(units or {}), {}, dict(context))


def trace_signal(
    name: str, reader: SampleReader, items: Sequence[int], rate_hz: float, n_frames: int
) -> Signal:
    """Derived signal with a channel per item, on a regular clock."""
    kind = "rate" if name in (RATE, DECONVOLVED) else FLUORESCENCE
    channels = ChannelTable.plain([str(item) for item in items], kind=kind)
    unit = {RATE: "spikes/s", DFF: "dF/F"}.get(name, "a.u.")
    return Signal(name, reader, channels, Clock.regular(rate_hz, n_frames), {"unit": unit})


def trace_array(
    name: str, values: npt.NDArray[Any], items: Sequence[int], rate_hz: float
) -> Signal:
    """Derived signal of an array in memory, shape (n_frames, n_items)."""
    array = np.asarray(values, np.float32)
    return trace_signal(name, ArrayReader(array), items, rate_hz, len(array))


def traces_of(signal: Signal, items: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Samples of a derived signal by item, shape (n_items, n_frames); NaN for unknown items."""
    place = {name: k for k, name in enumerate(signal.channels.ids)}
    out = np.full((items.size, signal.n_samples), np.nan, np.float32)
    rows = [row for row, item in enumerate(items.tolist()) if str(item) in place]
    columns = [place[str(items[row])] for row in rows]
    if not rows:
        return out
    for segment in signal.clock.segments:
        block = signal.read(segment.start, segment.stop, columns)
        out[rows, segment.start : segment.stop] = block.T
    return out


def signal_differences(
    wanted: Mapping[str, Signal], got: Mapping[str, Signal], items: npt.NDArray[np.int64]
) -> list[str]:
    """Sentences about traces that are missing or differ."""
    out = []
    for name, signal in wanted.items():
        if name not in got:
            out.append(f"regions: no traces {name!r}")
        elif not same_values(traces_of(signal, items), traces_of(got[name], items)):
            out.append(f"regions: traces {name!r}")
    return out


def image_differences(
    wanted: Mapping[str, npt.NDArray[Any]], got: Mapping[str, npt.NDArray[Any]]
) -> list[str]:
    """Sentences about pictures of the field that are missing or differ where they are known."""
    out = []
    for name, image in wanted.items():
        seen = np.isfinite(image)
        same = name in got and got[name].shape == image.shape
        if not (same and np.array_equal(got[name][seen], image[seen].astype(np.float32))):
            out.append(f"regions: picture {name!r}")
    return out


def rate_of(dossier: Dossier) -> float:
    """Frames per second: of the traces, the movie, or the item table; NaN where nothing says."""
    for signal in dossier.signals.values():
        return signal.rate_hz
    recording = dossier.recording
    if recording is not None and dossier.stream in recording.movies:
        return recording.movies[dossier.stream].rate_hz
    context = {} if dossier.items is None else dossier.items.context
    streams = dict(dossier.source.get("streams") or {})
    stated = context.get("rate_hz") or dict(streams.get(dossier.stream) or {}).get("rate_hz")
    stated = stated or dossier.source.get("rate_hz")
    return float(stated) if stated else float("nan")


@dataclass(frozen=True)
class Found:
    """Regions of a file that names no more than itself.

    Parameters
    ----------
    footprints : Footprints
    author : Author
    cell : ndarray, shape (n,), bool, optional
        What the author calls them; all cells by default.
    facts : mapping of str to ndarray, each of shape (n,)
        Columns of the item table.
    traces : mapping of str to ndarray, each of shape (n_frames, n)
    rate_hz : float
        NaN where the file says none.
    n_frames : int
        0 where nothing says.
    notes : tuple of str
        What is missing or uncertain.
    """

    footprints: Footprints
    author: Author
    cell: npt.NDArray[np.bool_] | None = None
    facts: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    traces: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    rate_hz: float = float("nan")
    n_frames: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegionFile:
    """Importer of files in which others keep regions.

    Parameters
    ----------
    name : str
    recogniser : callable
        ``(path) -> bool``; cheap, never raises for existing paths.
    finder : callable
        ``(path, reviewer) -> Found``.
    """

    name: str
    recogniser: Callable[[Path], bool]
    finder: Callable[[Path, str | None], Found]

    def matches(self, path: Path) -> bool:
        """Whether `path` looks like this format."""
        return self.recogniser(Path(path))

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a file; see `nissl.io.contracts.Importer.read`."""
        path = Path(path)
        if not path.exists():
            raise SourceNotFoundError("a file of regions", f"nothing at {path}", "Check the path.")
        found = self.finder(path, reviewer)
        rate = found.rate_hz if rate_hz is None else positive_rate(rate_hz, path)
        return imported(found, self.name, fingerprint=source, rate_hz=rate)


def imported(found: Found, name: str, *, fingerprint: str | None, rate_hz: float) -> Imported:
    """Labels, facts and traces of what was found in a file of format `name`."""
    shape, n = found.footprints.shape, len(found.footprints)
    n_frames = max([found.n_frames, *(len(t) for t in found.traces.values())])
    mark = fingerprint or fingerprint_of(found.footprints, n_frames)
    made = Provenance(
        task="cells",
        source=mark,
        author=found.author,
        stream=STREAM,
        parameters={"imported_from": name, "shape": list(shape)},
    )
    labels = regions(found.footprints, made, cell=found.cell)
    known = bool(np.isfinite(rate_hz))
    context: dict[str, Any] = {"grid": list(shape)} | ({"rate_hz": rate_hz} if known else {})
    notes = list(found.notes)
    signals = {}
    if known:
        signals = {k: trace_array(k, v, range(n), rate_hz) for k, v in found.traces.items()}
    elif found.traces:
        notes.append("The frame rate is not known, so traces were left out; give it with --rate.")
    clock = [[0, n_frames, 0.0, rate_hz]] if known and n_frames else None
    return Imported(
        labels=(labels,),
        items=(facts_table(labels, found.facts, context=context),),
        what_is_missing=(*notes, "The file names no movie that was opened; add the movie."),
        format=name,
        fingerprint=mark,
        facts={"rate_hz": rate_hz, "clock": clock} if known else {},
        signals=signals,
    )
