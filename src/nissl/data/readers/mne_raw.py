"""BrainVision, FIF, EEGLAB and GDF through MNE-Python, one stream named "signal".

Give the .vhdr, the raw .fif, the .set (with its .fdt beside it, or the samples inside, which
are then unpacked whole when first read) or the .gdf. ``format="mne"`` opens whatever else
`mne.io.read_raw` knows. Voltages come in uV, magnetometers in fT and planar gradiometers in
fT/cm; ``metadata["units"]`` names every unit that is not uV. Types of channels are those of the
file in FIF; the other formats state none, and there names decide, "eeg" where they say nothing.

BrainVision files that were paused have a "New Segment" marker with the time of day at each
restart: the pauses are gaps of the clock. What MNE warns of are notes of the recording.
"""

from __future__ import annotations

import datetime
import re
import struct
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nissl.clock import Clock
from nissl.data.annotations import Annotation, Annotations
from nissl.data.channels import ChannelTable
from nissl.data.electrodes import electrodes, stream_kind
from nissl.data.mne_raw import FORMATS, MneReader, open_raw
from nissl.data.privacy import protect
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session, Subject
from nissl.data.signal import Signal
from nissl.errors import CorruptSourceError

_VOLT, _TESLA, _TESLA_PER_M = 107, 112, 201
_SCALES = {_VOLT: (1e6, "uV"), _TESLA: (1e15, "fT"), _TESLA_PER_M: (1e13, "fT/cm")}
_GDF_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 16: 4, 17: 8}
_NEW_SEGMENT = re.compile(r"^Mk\d+=New Segment,[^,]*,(\d+),\d+,-?\d+(?:,(\d{20}))?", re.M)
_MARKERS = re.compile(r"^MarkerFile=(.+?)\s*$", re.M)


class MneFileReader:
    """Reads ``.vhdr``, ``.fif``, ``.fif.gz``, ``.set`` and ``.gdf``."""

    name = "mne"
    takes: frozenset[str] = frozenset()

    def matches(self, path: Path) -> bool:
        """Whether the suffix is one of them."""
        name = path.name.lower().removesuffix(".gz")
        return path.is_file() and Path(name).suffix in FORMATS

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open a file without reading samples."""
        if path.suffix.lower() == ".gdf":
            _check_gdf(path)
        raw, notes = open_raw(path)
        if not raw.n_times or not len(raw.ch_names):
            raise CorruptSourceError(
                f"samples in {path.name}", "none", "The recording holds nothing; check the copy."
            )
        said = list(notes)
        table, units = _channels(raw, path)
        clock = Clock.regular(float(raw.info["sfreq"]), int(raw.n_times))
        markers = _marker_file(path)
        if markers is not None:
            clock, more = _paused(markers, clock)
            said += more
        start = raw.info["meas_date"]
        metadata: dict[str, Any] = {"units": units} if units else {}
        if start is not None:
            metadata["start"] = start.replace(tzinfo=None).isoformat()
        identity = (raw.info["subject_info"] or {}).get("his_id")
        subject, session = protect(
            Subject(id=str(identity)) if identity and options.keep_identifiers else Subject(),
            Session(day=start.date().isoformat() if start is not None else None),
            keep_identifiers=options.keep_identifiers,
        )
        return Opened(
            (Signal("signal", MneReader(str(path)), table, clock, metadata),),
            _files(raw, path, markers),
            subject=subject,
            session=session,
            annotations=Annotations(partial(_remarks, raw_remarks(raw), clock)),
            notes=tuple(said),
        )


def raw_remarks(raw: Any) -> tuple[tuple[float, float, str, str], ...]:
    """Annotations of an MNE recording: samples after the first, duration (s), text, channel."""
    rate_hz = float(raw.info["sfreq"])
    told = raw.annotations
    rows = []
    for onset, duration, text, names in zip(
        told.onset, told.duration, told.description, told.ch_names, strict=True
    ):
        sample = (float(onset) - float(raw.first_time)) * rate_hz
        for channel in names or ("",):
            rows.append((sample, float(duration), str(text), str(channel)))
    return tuple(rows)


def _remarks(
    rows: tuple[tuple[float, float, str, str], ...], clock: Clock
) -> tuple[Annotation, ...]:
    onsets_s = clock.to_seconds([row[0] for row in rows]) if rows else ()
    found = [
        Annotation(float(onset_s), duration, text, channel)
        for onset_s, (_, duration, text, channel) in zip(onsets_s, rows, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: each.onset_s))


def _channels(raw: Any, path: Path) -> tuple[ChannelTable, dict[str, str]]:
    """Channel table, and units that are no uV by channel."""
    names = list(raw.ch_names)
    types_of_mne = raw.get_channel_types()
    stated = list(types_of_mne)
    if not path.name.lower().removesuffix(".gz").endswith(".fif"):
        known = [e.known for e in electrodes(names)]
        stated = ["" if t == "eeg" and k else t for t, k in zip(stated, known, strict=True)]
    gains, units = [], {}
    for name, channel, type_ in zip(names, raw.info["chs"], types_of_mne, strict=True):
        own = raw._orig_units.get(name, "")  # no public way to the unit in the file
        code = 0 if type_ == "stim" else int(channel["unit"])
        scale, unit = _SCALES.get(code, (1.0, own))
        gains.append(scale)
        if unit != "uV":
            units[name] = unit
    kind = stream_kind(electrodes(names, stated))
    types = stated if any(stated) else ()
    return ChannelTable.plain(names, gain_uv=gains, kind=kind, types=types), units


def _files(raw: Any, path: Path, markers: Path | None) -> tuple[Path, ...]:
    """Every file behind a recording."""
    files = {path.absolute(), *(Path(f).absolute() for f in raw.filenames if f is not None)}
    files |= {markers.absolute()} if markers is not None else set()
    return tuple(sorted(file for file in files if file.is_file()))


def _check_gdf(path: Path) -> None:
    """Hold the header of a GDF file against its size: MNE believes whatever it says."""
    with path.open("rb") as file:
        head = file.read(256)
        size = path.stat().st_size
        if len(head) < 256 or not re.fullmatch(rb"GDF [12]\.\d\d", head[:8]):
            raise _bad_gdf(path, f"{head[:8]!r} at its start")
        old = head[4:5] == b"1"
        n_records, numerator, denominator = struct.unpack("<qII", head[236:252])
        n = struct.unpack("<I", head[252:256])[0] if old else struct.unpack("<H", head[252:254])[0]
        if old:
            header_bytes = struct.unpack("<q", head[184:192])[0]
        else:
            header_bytes = 256 * struct.unpack("<H", head[184:186])[0]
        least = 256 * (n + 1)
        if (
            not 1 <= n <= 9999
            or not least <= header_bytes <= size
            or (old and header_bytes > least)
        ):
            raise _bad_gdf(path, f"{n} channels, a header of {header_bytes} bytes, {size} in all")
        file.seek(256 + 216 * n)
        counts = np.frombuffer(file.read(4 * n), "<u4").astype(np.int64)
        kinds = np.frombuffer(file.read(4 * n), "<u4")
    sizes = [_GDF_BYTES.get(int(kind), 0) for kind in kinds]
    record_bytes = int(np.sum(counts * sizes))
    if min(sizes) == 0 or counts.min() < 1 or not numerator or not denominator:
        raise _bad_gdf(path, "types, counts or durations that cannot be")
    after = size - header_bytes - n_records * record_bytes
    if n_records < 1 or after < 0:
        raise _bad_gdf(path, f"{n_records} data records of {record_bytes} bytes in {size} bytes")
    if after >= 8:
        with path.open("rb") as file:
            file.seek(size - after)
            mode, *_, events = struct.unpack("<B3BI", file.read(8))
        if mode in (1, 3) and events * 6 > after:
            raise _bad_gdf(path, f"a table of {events} events in {after} bytes")


def _bad_gdf(path: Path, got: str) -> CorruptSourceError:
    return CorruptSourceError(
        f"a GDF file whose header agrees with its size at {path.name}",
        got,
        "The file is truncated or damaged; restore it from the original.",
    )


def _marker_file(path: Path) -> Path | None:
    """Marker file of a BrainVision header, where there is one."""
    if path.suffix.lower() != ".vhdr":
        return None
    found = _MARKERS.search(path.read_text("utf-8", errors="replace"))
    if found is None:
        return None
    name = found.group(1).replace("$b", path.stem)
    markers = path.parent / Path(name.replace("\\", "/")).name
    return markers if markers.is_file() else None


def _paused(markers: Path, clock: Clock) -> tuple[Clock, list[str]]:
    """Clock with the pauses of a BrainVision recording, and notes."""
    found = _NEW_SEGMENT.findall(markers.read_text("utf-8", errors="replace"))
    marks = [(int(position) - 1, stamp) for position, stamp in found]
    inner = [mark for mark in marks if 0 < mark[0] < clock.n_samples]
    if not inner:
        return clock, []
    stamps = [stamp for sample, stamp in marks if sample <= 0][:1] + [s for _, s in inner]
    if len(stamps) != len(inner) + 1 or not all(stamps):
        return clock, [
            f"The recording was paused {len(inner)} times, and its markers do not say for how "
            "long: times after the first pause count recorded samples only."
        ]
    starts = [_stamp(stamp) for stamp in stamps]
    edges = [0, *(sample for sample, _ in inner), clock.n_samples]
    cut = Clock.from_segments(
        clock.rate_hz,
        np.diff(edges).tolist(),
        [(start - starts[0]).total_seconds() for start in starts],
    )
    return cut, [f"The recording was paused {len(inner)} times; the pauses are gaps of its clock."]


def _stamp(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%S%f")


READER = MneFileReader()
