"""NWB files (HDF5): electrical series and series in volts as streams, series of images as movies.

They are read through h5py, piece by piece. Streams have the names of the series (their paths
where two share a name). Positions are ``rel_x`` and ``rel_y`` of the electrodes, shanks their
groups; groups that lie upon each other are laid side by side. Time stamps that leave out
samples make gaps. Movies are those of `nissl.data.nwb_movies`. Of subject and session the ids,
species, sex, age, genotype and the day are read, and pass through `nissl.data.privacy`;
experimenters, descriptions, notes, the date of birth and the file's identifier are not read at
all.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.clock import Clock, Segment
from nissl.data.arrays import Hdf5Reader
from nissl.data.channels import ChannelTable
from nissl.data.electrodes import kind_by_names
from nissl.data.nwb_movies import nwb_movies
from nissl.data.privacy import protect
from nissl.data.probes import Geometry, side_by_side
from nissl.data.readers import Opened, ReadOptions
from nissl.data.recording import UNKNOWN, Session, Subject
from nissl.data.signal import Signal
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    CorruptSourceError,
    UnknownFormatError,
)

_ELECTRODES = "general/extracellular_ephys/electrodes"
_TIMES_BLOCK = 1 << 20
_VOLTS = {"volts": 1e6, "volt": 1e6, "v": 1e6, "millivolts": 1e3, "mv": 1e3}
_VOLTS |= {"microvolts": 1.0, "uv": 1.0, "µv": 1.0}


class NwbReader:
    """Reads ``.nwb``."""

    name = "nwb"
    takes = frozenset({"rate_hz"})

    def matches(self, path: Path) -> bool:
        """Whether the suffix is .nwb."""
        return path.is_file() and path.suffix.lower() == ".nwb"

    def open(self, path: Path, options: ReadOptions) -> Opened:
        """Open every series."""
        import h5py

        with h5py.File(path, "r") as file:
            found = _series(file)
            movies, notes = nwb_movies(path, file, options)
            if not found and not movies:
                raise UnknownFormatError(
                    f"an ElectricalSeries, TwoPhotonSeries or OnePhotonSeries in {path.name}",
                    "; ".join(notes) or f"only {sorted(file)}",
                    "Without raw data, import its units: nissl add reads them.",
                )
            if options.rate_hz is not None and not movies:
                raise BadArgumentError(
                    f"no rate_hz for {path.name}, which states it",
                    f"{options.rate_hz}",
                    "Leave it out.",
                )
            names = _names(found)
            streams = [
                _signal(path, name, file[place]) for name, place in zip(names, found, strict=True)
            ]
            subject, session = _subject(file), _session(file)
        subject, session = protect(subject, session, keep_identifiers=options.keep_identifiers)
        return Opened(tuple(streams), (path,), (), subject, session, notes=notes, movies=movies)


def _series(file: Any) -> list[str]:
    """Paths of the series with continuous voltages, in the order of the file."""
    import h5py

    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Group) or not name.startswith(("acquisition", "processing")):
            return
        kind = _text(item.attrs.get("neurodata_type"))
        if "data" not in item or not isinstance(item["data"], h5py.Dataset):
            return
        volts = _unit(item["data"]) in _VOLTS and item["data"].ndim in (1, 2)
        if kind == "ElectricalSeries" or (kind == "TimeSeries" and volts):
            found.append(name)

    file.visititems(visit)
    return found


def _names(places: list[str]) -> list[str]:
    last = [place.rsplit("/", 1)[-1] for place in places]
    return [
        name if last.count(name) == 1 else place for name, place in zip(last, places, strict=True)
    ]


def _signal(path: Path, name: str, group: Any) -> Signal:
    data = group["data"]
    if data.dtype.kind not in "iuf" or data.ndim not in (1, 2):
        raise BadMetadataError(
            f"real numbers of shape (n_samples, n_channels) in {name!r}",
            f"{data.dtype} of shape {data.shape}",
            "Check how the file was written.",
        )
    n_samples, n_channels = (*data.shape, 1)[:2]
    factor = _VOLTS.get(_unit(data))
    if factor is None:
        raise BadMetadataError(
            f"{name!r} in volts", f"the unit {_unit(data)!r}", "Check how the file was written."
        )
    gain = np.full(n_channels, float(data.attrs.get("conversion", 1.0)) * factor)
    if "channel_conversion" in group:
        gain = gain * np.asarray(group["channel_conversion"][()], dtype=np.float64)
    offset = float(data.attrs.get("offset", 0.0)) * factor
    electrical = "electrodes" in group
    kind = "aux" if not electrical else ("lfp" if _is_lfp(group.name) else "ephys")
    names, geometry = _electrodes(group) if electrical else (None, None)
    kind = kind if names is None else kind_by_names(names, kind)
    table = ChannelTable.plain(
        n_channels if names is None else names, gain_uv=gain, offset_uv=offset, kind=kind
    )
    if len(table) != n_channels:
        raise BadMetadataError(
            f"{n_channels} electrodes of {name!r}, one per column",
            f"{len(table)}",
            "Check how the file was written.",
        )
    table = table if geometry is None else geometry.onto(table)
    reader = Hdf5Reader(str(path), data.name, data.dtype.str)
    return Signal(name, reader, table, _clock(group, n_samples))


def _is_lfp(place: str) -> bool:
    return re.search(r"(^|[/_.-])lfp?([/_.-]|$)|LFP|SeriesLF", place) is not None


def _electrodes(group: Any) -> tuple[list[str], Geometry | None]:
    """Names and geometry of the electrodes a series refers to."""
    rows = np.asarray(group["electrodes"][()], dtype=np.int64)
    table = group.file[_ELECTRODES]
    n_rows = len(table["id"])
    if rows.size and (rows.min() < 0 or rows.max() >= n_rows):
        raise CorruptSourceError(
            f"electrodes among the {n_rows} of the file",
            f"row {int(rows.max())}",
            "The file is inconsistent; write it again.",
        )
    names = [str(i) for i in table["id"][()][rows].tolist()]
    if "channel_name" in table:
        own = [_text(value) for value in table["channel_name"][()][rows].tolist()]
        names = own if len(set(own)) == len(own) and all(own) else names
    groups = [_text(v) for v in table["group_name"][()][rows].tolist()]
    shank = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    if "rel_x" not in table or "rel_y" not in table:
        return names, None
    position = np.c_[table["rel_x"][()][rows], table["rel_y"][()][rows]].astype(np.float64)
    if not np.all(np.isfinite(position)) or (len(rows) > 1 and np.ptp(position) == 0):
        return names, None  # what writers put where they know nothing
    if _overlapping(position, shank):
        parts = [(position[shank == s], shank[shank == s] * 0, None) for s in np.unique(shank)]
        laid = side_by_side(parts)[0]
        order = np.argsort(shank, kind="stable")
        position[order] = laid
    return names, Geometry(position, shank, None)


def _overlapping(position: npt.NDArray[np.float64], shank: npt.NDArray[np.int64]) -> bool:
    """Whether contacts of different groups share a place."""
    whole = len(np.unique(np.c_[position, shank], axis=0))
    return len(np.unique(position, axis=0)) < whole


def _clock(group: Any, n_samples: int) -> Clock:
    if "timestamps" in group:
        return clock_of_stamps(group["timestamps"], n_samples)
    if "starting_time" not in group:
        raise BadMetadataError(
            f"a rate or time stamps of {group.name}", "neither", "Check how the file was written."
        )
    start = group["starting_time"]
    return Clock.regular(float(start.attrs["rate"]), n_samples, float(start[()]))


def clock_of_stamps(stamps: Any, n_samples: int, *, block: int = _TIMES_BLOCK) -> Clock:
    """Clock from a time stamp per sample, read block by block; see `Clock.from_times`.

    Parameters
    ----------
    stamps : array or data set, shape (n_samples,), seconds
    n_samples : int
    block : int
        Stamps held in memory at a time.

    Raises
    ------
    BadMetadataError
        Wrong number, or times that do not increase.
    """
    if len(stamps) != n_samples:
        raise BadMetadataError(
            f"{n_samples} time stamps, one per sample",
            f"{len(stamps)}",
            "The file is truncated or inconsistent; write it again.",
        )
    if n_samples <= block:
        return Clock.from_times(stamps[()] if hasattr(stamps, "attrs") else stamps)
    period = float(np.median(np.diff(stamps[:block])))
    runs: list[tuple[int, int, float, float]] = []  # start, stop, first and last time
    for first in range(0, n_samples, block):
        times = np.asarray(stamps[first : first + block], dtype=np.float64)
        steps = np.diff(times, prepend=runs[-1][3] if runs else times[0] - period)
        if not np.all(steps > 0):
            raise BadMetadataError(
                "finite, strictly increasing time stamps",
                f"the first fault at sample {first + int(np.argmax(~(steps > 0)))}",
                "Check the device's time stamps; nissl does not reorder them.",
            )
        cuts = [0, *np.flatnonzero(steps > 1.5 * period).tolist(), len(times)]
        for a, b in itertools.pairwise(cuts):
            if a == b:
                continue
            if runs and a == 0 and cuts[1] != 0:
                start, _, t0, _ = runs.pop()
                runs.append((start, first + b, t0, float(times[b - 1])))
            else:
                runs.append((first + a, first + b, float(times[a]), float(times[b - 1])))
    return Clock(
        tuple(
            Segment(a, b, t0, (b - a - 1) / (t1 - t0) if b - a > 1 else 1 / period)
            for a, b, t0, t1 in runs
        )
    )


def _subject(file: Any) -> Subject:
    if "general/subject" not in file:
        return Subject()
    group = file["general/subject"]
    facts = {
        name: _text(group[name][()])
        for name in ("subject_id", "species", "sex", "age", "genotype")
        if name in group
    }
    return Subject(
        id=facts.pop("subject_id", "") or UNKNOWN,
        region=_region(file),
        **{name: value or None for name, value in facts.items()},
    )


def _region(file: Any) -> str | None:
    """Brain regions of the electrodes, where there are few."""
    if f"{_ELECTRODES}/location" not in file:
        return None
    found = sorted({_text(v) for v in file[f"{_ELECTRODES}/location"][()].tolist()})
    found = [place for place in found if re.fullmatch(r"[\w /.,()+-]{1,40}", place)]
    known = [place for place in found if place.lower() != UNKNOWN]
    return ", ".join(known) if 0 < len(known) <= 8 else None


def _session(file: Any) -> Session:
    id_ = _text(file["general/session_id"][()]) if "general/session_id" in file else ""
    day = _text(file["session_start_time"][()])[:10] if "session_start_time" in file else ""
    valid = re.fullmatch(r"\d{4}-\d\d-\d\d", day)
    return Session(id=id_ or UNKNOWN, day=day if valid else None)


def _unit(data: Any) -> str:
    return _text(data.attrs.get("unit", "volts")).lower()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


READER = NwbReader()
