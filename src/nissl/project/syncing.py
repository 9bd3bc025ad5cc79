"""Relating the devices of a session: matched pulses as links, events on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.clock_checks import EPHYS_LIMIT_S, clock_findings
from nissl.clock import Clock
from nissl.data import Line
from nissl.errors import BadArgumentError
from nissl.io.lines import recording_lines
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.labels.remap import Target, remap
from nissl.project.adding import keep
from nissl.project.source import Source, line_of
from nissl.store import Store
from nissl.sync import ClockMap, match_pulses
from nissl.tasks import TASKS, Finding

Items = npt.NDArray[np.int64]
TASK = "sync"
_NEAR_S = 0.4  # how far off a given offset may be, in periods of a regular train


@dataclass(frozen=True)
class Synchrony:
    """How two devices' clocks relate.

    Parameters
    ----------
    links : LabelSet
        LINKS between the pulses of both, kept in the project.
    map : ClockMap
        From seconds of a to seconds of b.
    findings : tuple of Finding
        What is doubtful about it.
    """

    links: LabelSet
    map: ClockMap
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """One row: pulses, drift and residuals."""
        left_out = self.map.residuals().left_out
        return {
            "pulses": self.links.n_rows,
            "drift_ppm": self.map.residuals().drift_ppm,
            "left_out_median_ms": 1e3 * left_out.median_s,
            "left_out_p99_ms": 1e3 * left_out.p99_s,
            "left_out_max_ms": 1e3 * left_out.max_s,
            "verdict": "; ".join(f.sentence for f in self.findings) or "within 0.5 ms",
        }


def sync(
    store: Store,
    a: Source,
    b: Source,
    *,
    line_a: str | None = None,
    line_b: str | None = None,
    offset_s: float | None = None,
) -> Synchrony:
    """Match the pulses of two devices and keep the links; see `nissl.project.Project.sync`.

    Parameters
    ----------
    line_a, line_b : str, optional
        Lines that carry the pulses; the only line by default.
    offset_s : float, optional
        Time of a's second 0 on b's clock, roughly; needed for regular pulse trains.
    """
    first, second = line_of(a, line_a), line_of(b, line_b)
    near, within_s = _near(first, offset_s)
    match = match_pulses(first.rising_s, second.rising_s, near=near, within_s=within_s)
    clock_map = match.clock_map(a=a.name, b=b.name)
    pulses_a, items_a = _pulses(store, a, first)
    pulses_b, items_b = _pulses(store, b, second)
    links = LabelSet.build(
        Kind.LINKS,
        {
            "a": items_a[match.pairs[:, 0]],
            "b": items_b[match.pairs[:, 1]],
        },
        ("same pulse",),
        Provenance(
            task=TASK,
            source=a.fingerprint,
            author=Author("model", "sync/pulses", "1"),
            parameters={
                "to": b.fingerprint,
                "lines": [first.name, second.name],
                "map": clock_map.to_json(),
                "counts": match.summary(),
            },
            targets=(pulses_a, pulses_b),
        ),
    )
    findings = tuple(clock_findings(clock_map, EPHYS_LIMIT_S, match=match))
    digest = keep(store, links)
    store.record_findings(digest, [f.to_json() for f in findings])
    return Synchrony(links, clock_map, findings)


def session_events(store: Store, source: Source, stream: str) -> dict[str, LabelSet]:
    """EVENTS and SPANS of a source's session, by name, in samples of one of its streams.

    Sets of the stream itself come as they are; those of other sources come through the clock
    map that `sync` made, in either direction; without one they are left out.
    """
    target = _clock(source, stream)
    if target is None:
        return {}
    goal = Target(target, source.fingerprint, stream)
    out: dict[str, LabelSet] = {}
    shared: set[str] = set()  # pulses that only tie the clocks together
    for labels in _event_sets(store, source.fingerprint):
        if _clock(source, labels.provenance.stream) == target:
            out |= _by_class(labels)
    for other, clock_map, own_line, other_line in synced(store, source):
        shared |= {own_line, f"{other.name} {other_line}"}
        for labels in _event_sets(store, other.fingerprint):
            clock = _clock(other, labels.provenance.stream)
            if clock is not None:
                moved = remap(labels, clock, goal, clock_map=clock_map, outside="drop")
                out |= {f"{other.name} {k}": v for k, v in _by_class(moved).items()}
    return {name: labels for name, labels in out.items() if name not in shared}


def _near(line: Line, offset_s: float | None) -> tuple[ClockMap | None, float | None]:
    if offset_s is None or line.rising.size < 2:
        return None, None
    period_s = float(np.median(np.diff(line.rising_s)))
    first = float(line.rising_s[0])
    return ClockMap.offset(first, first + offset_s), _NEAR_S * period_s


def _pulses(store: Store, source: Source, line: Line) -> tuple[str, Items]:
    """Digest of the kept labels that hold a line, and the items of its pulses in order."""
    for labels in recording_lines(source.recording):
        names = labels.vocabulary.names
        if labels.kind is Kind.EVENTS and line.name in names:
            rows = labels.column("label") == names.index(line.name)
            return keep(store, labels), labels.column("item")[rows]
    raise BadArgumentError(f"a line of {source.name!r}", repr(line.name), "Choose another line.")


def _clock(source: Source, stream: str) -> Clock | None:
    facts: Mapping[str, Any] | None = source.row.streams.get(stream)
    return Clock.from_json(facts["clock"]) if facts else None


def _event_sets(store: Store, fingerprint: str) -> list[LabelSet]:
    rows = store.label_sets(source=fingerprint)
    wanted = [
        r for r in rows if r.kind in (Kind.EVENTS, Kind.SPANS) and r.task not in TASKS.names()
    ]
    newest = {(r.task, r.kind, r.author, r.stream): r for r in wanted}
    edges = {(r.task, r.author, r.stream) for r in newest.values() if r.kind == Kind.EVENTS}
    return [  # the high times of a line add nothing to its edges here
        store.get_labels(r.digest)
        for r in newest.values()
        if not (
            r.kind == Kind.SPANS and r.task == "lines" and (r.task, r.author, r.stream) in edges
        )
    ]


def synced(store: Store, source: Source) -> list[tuple[Source, ClockMap, str, str]]:
    """Other sources, the map from their clock to this one's, and the line of each behind it."""
    out = []
    for row in store.label_sets(task=TASK):
        parameters = store.get_labels(row.digest).provenance.parameters
        ends, lines = (row.source, str(parameters["to"])), parameters["lines"]
        if source.fingerprint not in ends:
            continue
        clock_map = ClockMap.from_json(dict(parameters["map"]))
        own = ends.index(source.fingerprint)
        if own == 0:
            clock_map = clock_map.inverse()
        other = Source(store.source(ends[1 - own]), store)
        out.append((other, clock_map, str(lines[own]), str(lines[1 - own])))
    return out


def _by_class(labels: LabelSet) -> dict[str, LabelSet]:
    """One set per class that occurs, named after it."""
    codes = np.unique(labels.column("label"))
    if codes.size <= 1:
        name = labels.vocabulary.names[int(codes[0])] if codes.size else labels.provenance.task
        return {name: labels} if codes.size else {}
    out = {}
    for code in codes.tolist():
        rows = np.flatnonzero(labels.column("label") == code)
        out[labels.vocabulary.names[code]] = replace(labels, table=labels.table.take(rows))
    return out
