"""Lines as labels: edges of digital and analogue lines as EVENTS, high times as SPANS."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.clock import Clock
from nissl.data import Line, Recording
from nissl.data.onsets import Onsets
from nissl.errors import BadMetadataError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

TASK = "lines"
AUTHOR = Author("model", "lines/digital", "1")


def line_events(lines: Sequence[Line], *, source: str = "", stream: str = "") -> LabelSet:
    """Rising edges of the lines of one clock as EVENTS; the class is the line's name.

    Parameters
    ----------
    lines : sequence of Line
        At least one, with unique names and one clock.
    source, stream : str
        Fingerprint of the recording, and the stream whose samples the edges count.

    Raises
    ------
    BadMetadataError
        No line, lines of several clocks, or edges outside the recording.
    """
    _common_clock(lines)
    samples = np.concatenate([line.rising for line in lines])
    label = np.repeat(np.arange(len(lines)), [line.rising.size for line in lines])
    order = np.lexsort((label, samples))
    columns = {"sample": samples[order], "label": label[order].astype(np.int32)}
    names = [line.name for line in lines]
    provenance = Provenance(TASK, source, AUTHOR, stream, {"edge": "rising"})
    return LabelSet.build(Kind.EVENTS, columns, names, provenance)


def line_spans(lines: Sequence[Line], *, source: str = "", stream: str = "") -> LabelSet:
    """High times of the lines of one clock as SPANS; the class is the line's name.

    A line that is high when the recording starts or ends, or at a gap, is high up to there:
    no span crosses a gap, and its pieces on both sides share an item only when the line was
    seen to go on (no edge at the gap).

    Parameters
    ----------
    lines, source, stream
        As in `line_events`.
    """
    clock = _common_clock(lines)
    rows: list[tuple[int, int, int, int]] = []
    n_items = 0
    for code, line in enumerate(lines):
        for start, stop in _high(line, clock):
            rows += [(n_items, code, a, b) for a, b in clock.split(start, stop)]
            n_items += 1
    table = np.asarray(rows, dtype=np.int64).reshape(-1, 4)
    columns = {
        "item": table[:, 0],
        "label": table[:, 1].astype(np.int32),
        "start": table[:, 2],
        "stop": table[:, 3],
    }
    names = [line.name for line in lines]
    provenance = Provenance(TASK, source, AUTHOR, stream, {"level": "high"})
    return LabelSet.build(Kind.SPANS, columns, names, provenance)


def recording_lines(recording: Recording) -> tuple[LabelSet, ...]:
    """EVENTS and SPANS of every digital line of a recording, one pair of sets per clock.

    The stream named in their provenance is the first that has the lines' clock, or "" where
    the lines have a clock of their own.
    """
    groups: dict[Clock, list[Line]] = {}
    for line in recording.lines:
        groups.setdefault(line.clock, []).append(line)
    sets: list[LabelSet] = []
    for clock, lines in groups.items():
        stream = next((n for n, signal in recording.items() if signal.clock == clock), "")
        for make in (line_events, line_spans):
            sets.append(make(lines, source=recording.fingerprint, stream=stream))
    return tuple(sets)


def onset_labels(
    onsets: Onsets, name: str, *, source: str = "", stream: str = ""
) -> tuple[LabelSet, ItemTable]:
    """Edges of an analogue line as EVENTS, with their exact times and jitter per item.

    Parameters
    ----------
    onsets : Onsets
    name : str
        Name of the line; the classes are "<name> rising" and "<name> falling".
    source, stream : str
        As in `line_events`.

    Returns
    -------
    labels : LabelSet
        At the nearest samples.
    items : ItemTable
        Columns `time_s` (interpolated) and `jitter_s` (standard deviation), seconds.
    """
    levels = onsets.levels
    parameters = {"low": levels.low, "high": levels.high, "noise": levels.noise}
    author = Author("model", "lines/analogue", "1")
    labels = LabelSet.build(
        Kind.EVENTS,
        {
            "sample": np.rint(onsets.samples).astype(np.int64),
            "label": (onsets.direction < 0).astype(np.int32),
        },
        (f"{name} rising", f"{name} falling"),
        Provenance(TASK, source, author, stream, {**parameters, "n_slow": onsets.n_slow}),
    )
    columns = [np.arange(onsets.samples.size), onsets.times_s, onsets.jitter_s]
    table = pa.table([pa.array(c) for c in columns], names=["item", "time_s", "jitter_s"])
    return labels, ItemTable(labels.digest, table, {"time_s": "s", "jitter_s": "s"})


def _common_clock(lines: Sequence[Line]) -> Clock:
    names = [line.name for line in lines]
    if not names or len(set(names)) != len(names) or any(x.clock != lines[0].clock for x in lines):
        raise BadMetadataError(
            "at least one line, with unique names and one clock for all",
            f"lines {names} on {len({line.clock for line in lines})} clocks",
            "Convert the lines of each device apart (recording_lines does).",
        )
    return lines[0].clock


def _high(line: Line, clock: Clock) -> npt.NDArray[np.int64]:
    """Half-open samples between each rising edge and the falling edge after it, (n, 2)."""
    edges = np.concatenate([line.rising, line.falling])
    up = np.concatenate([np.ones(line.rising.size, bool), np.zeros(line.falling.size, bool)])
    order = np.lexsort((up, edges))
    edges, up = edges[order], up[order]
    if edges.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if edges[0] < 0 or edges[-1] >= max(clock.n_samples, 1):
        raise BadMetadataError(
            f"edges of line {line.name!r} within 0..{clock.n_samples} samples",
            f"{edges[0]}..{edges[-1]}",
            "Check the device's first sample number.",
        )
    if not up[0]:  # it was high already when the recording began
        edges, up = np.append(0, edges), np.append(True, up)
    if up[-1]:
        edges, up = np.append(edges, clock.n_samples), np.append(up, False)
    starts = np.flatnonzero(up)
    # two edges of one direction in a row: a gap or a lost edge between them ends the span
    # there as far as the device knows, at the next edge of either direction
    spans = np.stack([edges[starts], edges[starts + 1]], axis=1)
    return np.asarray(spans[spans[:, 1] > spans[:, 0]], dtype=np.int64)
