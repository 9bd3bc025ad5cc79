"""Open Ephys, binary format (``structure.oebin``), GUI versions 0.4 to 1.

Give the root of a recording, a record node, or one recording below it. Streams keep the names
Open Ephys gave them; analogue inputs (ADC, AUX) of a stream become "<stream>.aux". The
recordings of one experiment are the segments of its streams, and so are the pieces between
dropped samples: the device's sample numbers say where samples are missing. TTL events become
the lines "<stream>.TTL1" and so on, numbered from 1 as in the GUI.

Seconds are the device's own: sample number by nominal rate, not the GUI's synchronised ones.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock
from nissl.data.channels import ChannelTable
from nissl.data.files import FilePart, FramesReader, whole_frames
from nissl.data.lines import Line
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session
from nissl.data.signal import Signal
from nissl.errors import BadArgumentError, BadMetadataError, CorruptSourceError

_HEADER = "structure.oebin"
_PROBES = re.compile("<(NP_PROBE|NEUROPIXELSV)")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True)
class Part:
    """One stream of one recording.

    Parameters
    ----------
    folder : Path
        Of the continuous data.
    facts : dict
        Its entry in structure.oebin.
    numbers : ndarray, shape (n_samples,), int64
        Sample numbers of the device, mapped from the file.
    """

    folder: Path
    facts: dict[str, Any]
    numbers: npt.NDArray[np.int64]

    @property
    def rate_hz(self) -> float:
        """Nominal samples per second."""
        return float(self.facts["sample_rate"])


class OpenEphysReader:
    """Reads folders with a structure.oebin, or that file."""

    name = "openephys"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether there is a structure.oebin at most three folders down."""
        return bool(_headers(path))

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open the streams of one experiment."""
        headers = _headers(path)
        _check_one_experiment(headers)
        nodes = sorted({_node(header) for header in headers})
        parts: dict[str, list[Part]] = {}
        events: list[tuple[str, Path, dict[str, Any]]] = []
        for header in headers:
            prefix = f"{_node(header).removeprefix('Record Node ')}:" if len(nodes) > 1 else ""
            value = _read_header(header)
            for facts in value.get("continuous", []):
                part = _part(header.parent, facts)
                parts.setdefault(prefix + _stream_name(facts), []).append(part)
            events += [(prefix, header.parent, facts) for facts in value.get("events", [])]
        settings = _settings(headers[0])
        clocks = {name: _clock(name, some) for name, some in parts.items()}
        streams = [
            signal
            for name, some in parts.items()
            for signal in _signals(name, some, clocks[name], settings)
        ]
        lines, event_files = _lines(events, clocks)
        files = [part.folder / "continuous.dat" for some in parts.values() for part in some]
        session = Session(id=_session_id(headers[0]), day=_day(settings))
        return Opened(tuple(streams), (*files, *event_files), tuple(lines), session=session)


def _headers(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.name == _HEADER else []
    found = [p for depth in range(4) for p in path.glob("*/" * depth + _HEADER)]
    return sorted(found, key=lambda p: [_natural(part) for part in p.parts])


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(d or 0), text) for text, d in re.findall(r"(\D*)(\d*)", name)]


def _node(header: Path) -> str:
    return header.parents[2].name if len(header.parents) > 2 else ""


def _check_one_experiment(headers: Sequence[Path]) -> None:
    experiments = sorted({header.parent.parent.name for header in headers})
    if len(experiments) > 1:
        raise BadArgumentError(
            "one experiment",
            f"{experiments}",
            "Give the folder of one experiment; each has a clock of its own.",
        )


def _read_header(header: Path) -> dict[str, Any]:
    value = json.loads(header.read_bytes())
    if not isinstance(value, dict):
        raise CorruptSourceError(
            f"an object in {_HEADER}", type(value).__name__, "Copy the recording again."
        )
    return value


def _stream_name(facts: Mapping[str, Any]) -> str:
    folder = str(facts["folder_name"]).strip("/")
    return str(facts.get("stream_name") or folder)


def _part(folder: Path, facts: dict[str, Any]) -> Part:
    place = folder / "continuous" / str(facts["folder_name"]).strip("/")
    if not (place / "continuous.dat").is_file():
        raise CorruptSourceError(
            f"continuous.dat in {place.name}", "no such file", "Copy the recording again."
        )
    frame_bytes = 2 * len(facts["channels"])
    n_frames = whole_frames(place / "continuous.dat", frame_bytes)
    numbers = _sample_numbers(place)
    if numbers is None:
        numbers = np.arange(n_frames)
    if len(numbers) != n_frames:
        raise CorruptSourceError(
            f"{len(numbers)} frames in {place.name}, one per sample number",
            f"{n_frames}",
            "The recording is truncated, or its channel count is wrong; copy it again.",
        )
    return Part(place, facts, numbers)


def _sample_numbers(folder: Path) -> npt.NDArray[np.int64] | None:
    """Sample numbers under their name of GUI 0.6, or that of before."""
    for name in ("sample_numbers.npy", "timestamps.npy"):
        if (folder / name).is_file():
            values = np.load(folder / name, mmap_mode="r", allow_pickle=False)
            if values.dtype.kind in "iu" and values.ndim == 1:
                return values  # type: ignore[no-any-return]
    return None


def gaps(numbers: npt.NDArray[np.int64]) -> list[int]:
    """Indices at which a run of consecutive numbers ends and the next begins.

    Halves are looked at only where their ends are not as far apart as they are long, so that
    a recording without gaps costs two numbers, whatever its length.

    Raises
    ------
    BadMetadataError
        The numbers do not increase.
    """
    found: list[int] = []
    stack = [(0, len(numbers))]
    while stack:
        a, b = stack.pop()
        span = int(numbers[b - 1]) - int(numbers[a]) if b > a else 0
        if b - a < 2:
            continue
        if span < b - a - 1 or (span == b - a - 1 and not _consecutive(numbers, a, b)):
            raise BadMetadataError(
                "sample numbers that increase",
                f"{int(numbers[a])} to {int(numbers[b - 1])} over {b - a} samples",
                "Check the recording's time stamps; nissl does not reorder them.",
            )
        if span == b - a - 1:
            continue
        middle = (a + b) // 2
        if int(numbers[middle]) - int(numbers[middle - 1]) != 1:
            if numbers[middle] <= numbers[middle - 1]:
                stack.append((middle - 1, middle + 1))  # raises above
            else:
                found.append(middle)
        if b - a > 2:
            stack += [(a, middle), (middle, b)]
    return sorted(found)


def _consecutive(numbers: npt.NDArray[np.int64], start: int, stop: int) -> bool:
    """Whether places between the ends of a run hold the numbers that belong there."""
    places = np.unique(np.linspace(start, stop - 1, 64).astype(np.int64))
    return np.array_equal(numbers[places] - int(numbers[start]), places - start)


def _clock(name: str, parts: Sequence[Part]) -> Clock:
    rates = {part.rate_hz for part in parts}
    if len(rates) > 1 or not all(rate > 0 for rate in rates):
        raise BadMetadataError(
            f"one sampling rate above 0 Hz for {name!r}", f"{sorted(rates)}", "Check the header."
        )
    rate_hz = rates.pop()
    lengths: list[int] = []
    starts_s: list[float] = []
    for part in parts:
        cuts = [0, *gaps(part.numbers), len(part.numbers)]
        for a, b in itertools.pairwise(cuts):
            lengths.append(b - a)
            starts_s.append(int(part.numbers[a]) / rate_hz)
    return Clock.from_segments(rate_hz, lengths, starts_s)


def _signals(name: str, parts: Sequence[Part], clock: Clock, settings: Path | None) -> list[Signal]:
    channels = parts[0].facts["channels"]
    names = [str(channel["channel_name"]) for channel in channels]
    for part in parts[1:]:
        if [str(c["channel_name"]) for c in part.facts["channels"]] != names:
            raise BadMetadataError(
                f"the same channels in all recordings of {name!r}",
                "other ones",
                "Give the folder of one recording.",
            )
    files = tuple(
        FilePart(str(part.folder / "continuous.dat"), 0, len(part.numbers)) for part in parts
    )
    auxiliary = [_is_auxiliary(channel) for channel in channels]
    out = []
    for which, suffix in ((False, ""), (True, ".aux")):
        columns = [i for i, aux in enumerate(auxiliary) if aux is which]
        if not columns:
            continue
        table = ChannelTable.plain(
            [names[i] for i in columns],
            gain_uv=[_gain_uv(channels[i]) for i in columns],
            kind="aux" if which else _kind(name),
        )
        if not which:
            table = _with_geometry(table, parts[0], settings)
        reader = FramesReader(files, "<i2", len(names), tuple(columns))
        alone = which and len(columns) == len(names)
        out.append(Signal(name if alone else name + suffix, reader, table, clock))
    return out


def _is_auxiliary(channel: Mapping[str, Any]) -> bool:
    name = str(channel["channel_name"]).upper()
    return name.startswith(("ADC", "AUX", "SYNC")) or channel.get("units") == "V"


def _gain_uv(channel: Mapping[str, Any]) -> float:
    """Microvolts per step; without a unit, inputs are in volts and electrodes in uV."""
    auxiliary = _is_auxiliary(channel)
    unit = str(channel.get("units") or ("V" if auxiliary else "uV"))
    factor = {"V": 1e6, "mV": 1e3, "uV": 1.0, "µV": 1.0}.get(unit, 1.0)
    return float(channel["bit_volts"]) * factor


def _kind(name: str) -> str:
    return "lfp" if name.upper().endswith(("LFP", "-LF")) else "ephys"


def _with_geometry(table: ChannelTable, part: Part, settings: Path | None) -> ChannelTable:
    """Geometry from settings.xml, where that describes a Neuropixels probe of this stream."""
    if settings is None or not _PROBES.search(text := settings.read_text(errors="replace")):
        return table
    from probeinterface.neuropixels_tools import has_neuropixels_probes, read_openephys_neuropixels

    from nissl.data.si_probe import sample_phase, table_of_probe

    folder = part.folder.name
    if "<STREAM " in text and not has_neuropixels_probes(settings, stream_name=folder):
        return table
    probe = read_openephys_neuropixels(settings, stream_name=folder, raise_error=False)
    if probe is None:
        return table
    return table_of_probe(probe, table.ids, table.gain_uv, table.kind, sample_phase(probe))


def _lines(
    events: Sequence[tuple[str, Path, dict[str, Any]]], clocks: Mapping[str, Clock]
) -> tuple[list[Line], list[Path]]:
    """TTL lines, those of several recordings joined, and the files they are from."""
    rows: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]] = {}
    files: list[Path] = []
    for prefix, folder, facts in events:
        place = folder / "events" / str(facts["folder_name"]).strip("/")
        states = next(
            (p for p in (place / "states.npy", place / "channel_states.npy") if p.is_file()), None
        )
        numbers = _sample_numbers(place)
        if states is None or numbers is None:
            continue  # text events and the like
        values = np.load(states, allow_pickle=False).astype(np.int64).reshape(-1)
        if len(values) != len(numbers):
            raise CorruptSourceError(
                f"{len(numbers)} states in {place.parent.name}, one per sample number",
                f"{len(values)}",
                "Copy the recording again.",
            )
        stream = prefix + str(facts.get("stream_name") or _stream_of(place, facts))
        rows.setdefault(_matching(stream, facts, clocks), []).append((numbers, values))
        files += [states]
    lines = []
    for stream, pairs in rows.items():
        numbers = np.concatenate([n for n, _ in pairs]).astype(np.int64)
        values = np.concatenate([v for _, v in pairs])
        samples = clocks[stream].to_samples(numbers / clocks[stream].rate_hz)
        for line in sorted({abs(int(v)) for v in values} - {0}):
            up, down = samples[values == line], samples[values == -line]
            lines.append(Line(f"{stream}.TTL{line}", np.sort(up), np.sort(down), clocks[stream]))
    return lines, files


def _stream_of(place: Path, facts: Mapping[str, Any]) -> str:
    return str(facts["folder_name"]).strip("/").split("/")[0]


def _matching(stream: str, facts: Mapping[str, Any], clocks: Mapping[str, Clock]) -> str:
    """Stream on whose clock the events are."""
    if stream in clocks:
        return stream
    rate = facts.get("sample_rate")
    same = [name for name, clock in clocks.items() if rate in (None, clock.rate_hz)]
    if not same:
        raise BadMetadataError(
            f"a stream on the clock of the events {stream!r}",
            f"only {sorted(clocks)}",
            "Give the folder that holds both.",
        )
    return same[0]


def _settings(header: Path) -> Path | None:
    """settings.xml of the record node; that of a later experiment has its number."""
    number = re.sub(r"\D", "", header.parent.parent.name) or "1"
    name = "settings.xml" if number == "1" else f"settings_{number}.xml"
    path = header.parents[2] / name if len(header.parents) > 2 else header.parent / name
    return path if path.is_file() else None


def _day(settings: Path | None) -> str | None:
    """ISO date of "6 May 2024 7:08:09"; nothing else is taken from that file's header."""
    if settings is None:
        return None
    text = ElementTree.parse(settings).findtext("INFO/DATE") or ""
    found = re.match(r"\s*(\d{1,2}) (\w{3})\w* (\d{4})", text)
    if found is None or found[2] not in _MONTHS:
        return None
    return f"{found[3]}-{_MONTHS.index(found[2]) + 1:02d}-{int(found[1]):02d}"


def _session_id(header: Path) -> str:
    """Open Ephys' own folder name, which is a date and a time, or "unknown"."""
    for parent in header.parents:
        if re.fullmatch(r"\d{4}-\d\d-\d\d[_ T]\d\d-\d\d-\d\d.*", parent.name):
            return parent.name[:19]
    return Session().id


READER = OpenEphysReader()
