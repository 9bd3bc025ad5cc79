"""Pauses and cuts that BrainVision and EEGLAB note as markers, as gaps of a clock.

BrainVision writes "New Segment" with the time of day where a paused recording goes on. EEGLAB
writes "boundary" where somebody cut a piece out, with the length of that piece as its duration.
MNE counts kept samples only, so that everything after a pause would be early by its length.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nissl.clock import Clock

BOUNDARY = "boundary"
_NEW_SEGMENT = re.compile(r"^Mk\d+=New Segment,[^,]*,(\d+),\d+,-?\d+(?:,(\d{20}))?", re.M)
_MARKERS = re.compile(r"^MarkerFile=(.+?)\s*$", re.M)


def marker_file(path: Path) -> Path | None:
    """Marker file of a BrainVision header, where there is one."""
    if path.suffix.lower() != ".vhdr":
        return None
    found = _MARKERS.search(path.read_text("utf-8", errors="replace"))
    if found is None:
        return None
    name = found.group(1).replace("$b", path.stem)
    markers = path.parent / Path(name.replace("\\", "/")).name
    return markers if markers.is_file() else None


def paused(markers: Path, clock: Clock) -> tuple[Clock, list[str]]:
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


_HDF5 = 2
"""Major version of MATLAB files that are HDF5 inside ("version 7.3")."""


def _stamp(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%S%f")


def boundaries(path: Path, n_at_least: int) -> list[tuple[float, float]]:
    """Cuts that an EEGLAB file states: sample, which may lie between two, and seconds cut out.

    MNE shortens their durations to the kept samples, so that they are read here. Where the file
    cannot be read so (version 7.3 of its container) lengths are unknown.

    Parameters
    ----------
    path : Path
        Of a .set file.
    n_at_least : int
        How many there are, as MNE says; 0 saves reading the file.
    """
    if not n_at_least:
        return []
    from scipy.io import loadmat
    from scipy.io.matlab import matfile_version

    unknown = [(0.5, math.nan)] * n_at_least
    try:
        if matfile_version(path)[0] >= _HDF5:
            return unknown
        names = ["EEG", "event", "srate"]
        content = loadmat(path, variable_names=names, squeeze_me=True, struct_as_record=False)
        facts = vars(content["EEG"]) if "EEG" in content else content
        rate_hz = float(facts["srate"])
        events = [e for e in np.atleast_1d(facts["event"]) if str(e.type) == BOUNDARY]
        return [
            (float(e.latency) - 1, float(np.nan_to_num(getattr(e, "duration", 0.0))) / rate_hz)
            for e in events
        ]
    except (KeyError, AttributeError, TypeError, ValueError):
        return unknown


def cut_at_boundaries(
    cut_out: Sequence[tuple[float, float]], clock: Clock
) -> tuple[Clock, list[str]]:
    """Clock with the pieces that EEGLAB cut out as gaps, and notes.

    Parameters
    ----------
    cut_out : sequence of (sample, seconds)
        Place of each cut, which may lie between two samples, and length of the piece.
    clock : Clock
        Of the kept samples, one segment.
    """
    cuts: dict[int, float] = {}
    unknown = 0
    for sample, length_s in cut_out:
        at = math.ceil(sample)
        if not 0 < at < clock.n_samples:
            continue
        if math.isfinite(length_s) and length_s > 0:
            cuts[at] = cuts.get(at, 0.0) + length_s
        else:
            unknown += 1
    notes = []
    if unknown:
        notes.append(
            f"The file was cut or joined at {unknown} places of unknown length (boundaries): times "
            "after the first of them count kept samples only."
        )
    if not cuts:
        return clock, notes
    edges = [0, *sorted(cuts), clock.n_samples]
    lost = np.cumsum([0.0, *(cuts[at] for at in sorted(cuts))])
    starts = [at / clock.rate_hz + gone for at, gone in zip(edges[:-1], lost.tolist(), strict=True)]
    notes.append(f"{len(cuts)} pieces were cut out (boundaries); they are gaps of its clock.")
    return Clock.from_segments(clock.rate_hz, np.diff(edges).tolist(), starts), notes
