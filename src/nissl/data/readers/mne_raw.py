"""BrainVision, FIF, EEGLAB and GDF through MNE-Python, one stream named "signal".

Give the .vhdr, the raw .fif, the .set (with its .fdt beside it, or the samples inside, which
are then unpacked whole when first read) or the .gdf. ``format="mne"`` opens whatever else
`mne.io.read_raw` knows. Voltages come in uV, magnetometers in fT and planar gradiometers in
fT/cm; ``metadata["units"]`` names every unit that is not uV. Types of channels are those of the
file in FIF; the other formats state none, and there names decide, "eeg" where they say nothing.

Pauses of BrainVision and pieces cut out in EEGLAB are gaps of the clock (`nissl.data.pauses`).
What MNE warns of are notes of the recording.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from nissl.clock import Clock
from nissl.data.annotations import Annotation, Annotations
from nissl.data.channels import ChannelTable
from nissl.data.electrodes import electrodes, stream_kind
from nissl.data.gdf_header import check_gdf
from nissl.data.mne_raw import FORMATS, MneReader, open_raw
from nissl.data.pauses import BOUNDARY, boundaries, cut_at_boundaries, marker_file, paused
from nissl.data.privacy import protect
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import Session, Subject
from nissl.data.signal import Signal
from nissl.errors import CorruptSourceError

_VOLT, _TESLA, _TESLA_PER_M = 107, 112, 201
_SCALES = {_VOLT: (1e6, "uV"), _TESLA: (1e15, "fT"), _TESLA_PER_M: (1e13, "fT/cm")}


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
            check_gdf(path)
        raw, notes = open_raw(path)
        if not raw.n_times or not len(raw.ch_names):
            raise CorruptSourceError(
                f"samples in {path.name}", "none", "The recording holds nothing; check the copy."
            )
        _check_size(raw, path)
        said = list(notes)
        table, units = _channels(raw, path)
        clock = Clock.regular(float(raw.info["sfreq"]), int(raw.n_times))
        remarks = raw_remarks(raw)
        markers = marker_file(path)
        if markers is not None:
            clock, more = paused(markers, clock)
            said += more
        if path.suffix.lower() == ".set":
            cuts = boundaries(path, sum(row[2] == BOUNDARY for row in remarks))
            clock, more = cut_at_boundaries(cuts, clock)
            said += more
            remarks = tuple((a, 0.0 if t == BOUNDARY else d, t, c) for a, d, t, c in remarks)
        said += _resampled(raw, path)
        skipped = sum(row[1] for row in remarks if row[2].upper() == "BAD_ACQ_SKIP")
        if skipped:
            said.append(f"{skipped:.3f} s were skipped at acquisition (BAD_ACQ_SKIP): zeros here.")
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
            annotations=Annotations(partial(_remarks, remarks, clock)),
            notes=tuple(said),
        )


def _check_size(raw: Any, path: Path) -> None:
    """Refuse data files that end within a sample (BrainVision) or early (.fdt of EEGLAB)."""
    data = next((Path(f) for f in raw.filenames if f is not None), path)
    size = data.stat().st_size
    binary = path.suffix.lower() == ".vhdr" and "DataFormat=BINARY" in path.read_text(
        "utf-8", errors="replace"
    )
    expected = size
    if binary:
        expected = size // raw.n_times * raw.n_times
    elif data.suffix.lower() == ".fdt":
        expected = raw.n_times * len(raw.ch_names) * 4
    if size != expected:
        raise CorruptSourceError(
            f"{expected} bytes of whole samples in {data.name}",
            f"{size}",
            "The file is truncated, or belongs to another header; restore it from the original.",
        )


def raw_remarks(raw: Any) -> tuple[tuple[float, float, str, str], ...]:
    """Annotations of an MNE recording: samples after the first, duration (s), text, channel.

    MNE gives marks the length of a sample; they are instants here, of 0 s.
    """
    rate_hz = float(raw.info["sfreq"])
    told = raw.annotations
    rows = []
    for onset, duration, text, names in zip(
        told.onset, told.duration, told.description, told.ch_names, strict=True
    ):
        sample = (float(onset) - float(raw.first_time)) * rate_hz
        lasting = float(duration) if float(duration) * rate_hz > 1.001 else 0.0
        for channel in names or ("",):
            rows.append((sample, lasting, str(text), str(channel)))
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


def _resampled(raw: Any, path: Path) -> list[str]:
    """Note that MNE interpolates the channels of a GDF file that have another rate."""
    counts = raw._raw_extras[0].get("n_samps", ()) if path.suffix.lower() == ".gdf" else ()
    if len({int(n) for n in counts}) < 2:
        return []
    rate_hz = float(raw.info["sfreq"])
    return [f"Channels of other rates than {rate_hz:g} Hz were interpolated to it by MNE."]


def _files(raw: Any, path: Path, markers: Path | None) -> tuple[Path, ...]:
    """Every file behind a recording."""
    files = {path.absolute(), *(Path(f).absolute() for f in raw.filenames if f is not None)}
    files |= {markers.absolute()} if markers is not None else set()
    return tuple(sorted(file for file in files if file.is_file()))


READER = MneFileReader()
