"""Windows that sources share: found, kept as spans that are reviewed like any other, described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.align.fragments import About, Floats
from nissl.align.windows.overlap import Overlap, Side, count_table, overlap_of
from nissl.annotators.windows.methods import Spans, label_set, together
from nissl.annotators.windows.task import facts, remarks
from nissl.annotators.windows.vocabulary import (
    BOTH,
    FRAGMENT,
    MOVEMENT,
    REST,
    STIMULUS,
    VOCABULARY,
)
from nissl.clock import Clock
from nissl.data.channels import MOVIE
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, LabelSet, Provenance
from nissl.labels.atomic import make_folder
from nissl.labels.replay import Rule, replay
from nissl.project.adding import keep
from nissl.project.relating.populations import about, population
from nissl.project.relating.resting import states_of, timed
from nissl.project.relating.simultaneous import shared_time
from nissl.project.reviewing import follow
from nissl.project.source import Source
from nissl.project.stimulating import find_stimuli
from nissl.project.writing import write_facts, write_table
from nissl.store import Store
from nissl.sync.intervals import span_samples, span_seconds
from nissl.tasks import Finding

TASK = "windows"
KINDS = (REST, STIMULUS, MOVEMENT, BOTH)
AUTHOR = Author("model", "windows/nissl", "1")


@dataclass(frozen=True, eq=False)
class Place:
    """A source as far as windows need it.

    Parameters
    ----------
    source : Source
    stream : str
        Whose samples its windows count.
    clock : Clock
    n_units : int
        Units that fire, or channels.
    about : About
    """

    source: Source
    stream: str
    clock: Clock
    n_units: int
    about: About


@dataclass(frozen=True, eq=False)
class Windowed:
    """Windows that sources share.

    Parameters
    ----------
    overlaps : tuple of Overlap
        One for each kind.
    labels : mapping of str to LabelSet
        Windows of each source, as people left them.
    table : pyarrow.Table
        A row for each kind and source.
    findings : tuple of Finding
    files : tuple of Path
    """

    overlaps: tuple[Overlap, ...]
    labels: dict[str, LabelSet]
    table: pa.Table
    findings: tuple[Finding, ...]
    files: tuple[Path, ...]


def find_windows(
    store: Store,
    sources: Sequence[Source],
    *,
    kinds: Sequence[str] = (REST,),
    trials: Sequence[str | Path] = (),
    rest: str | None = None,
    movement: str | None = None,
    least_s: float = 10.0,
    bin_s: float = 0.05,
    duration_s: float | None = None,
    same_clock: bool = False,
    out: str | Path | None = None,
    resolve: Rule | None = None,
) -> Windowed:
    """Find windows that sources share; see `nissl.project.Project.windows`."""
    from nissl.report.window_plots import windows_plot

    _check(sources, kinds, trials, least_s)
    places = [place(store, source, resolve) for source in sources]
    each = list(trials) * (len(sources) if len(trials) == 1 else 1)
    found: list[list[Spans]] = [[] for _ in places]
    told: dict[str, list[str]] = {}
    named: list[Spans] = []
    names: list[list[str]] = []
    if trials:
        for one, given in zip(places, each, strict=True):
            spans, conditions = _trials(store, one, given, duration_s, resolve)
            named.append(spans)
            names.append(conditions)
    if REST in kinds or MOVEMENT in kinds:
        wanted = [k for k in (REST, MOVEMENT) if k in kinds]
        for k, one in enumerate(places):
            spans = states_of(
                store, one.source, one.stream, one.clock, least_s,
                rest=rest, movement=movement, resolve=resolve,
                busy=named[k] if named else None,
            )  # fmt: skip
            for kind in wanted:
                found[k].append(spans.take(spans.label == VOCABULARY.code(kind)))
                told.setdefault(kind, []).append(spans.told)
    if STIMULUS in kinds:
        for k, spans in enumerate(named):
            found[k].append(spans)
            told.setdefault(STIMULUS, []).append(f"{Path(each[k]).name}")
    if BOTH in kinds:
        both = shared_time(
            store, sources, [p.clock for p in places], same_clock=same_clock, bin_s=bin_s,
            marks=[span_seconds(p.clock, s.start, s.stop)[0] for p, s in
                   zip(places, named, strict=True)] if named else None,
        )  # fmt: skip
        for k, (one, intervals) in enumerate(zip(places, both.intervals, strict=True)):
            start, stop = span_samples(one.clock, intervals[:, 0], intervals[:, 1])
            sure = np.full(len(start), np.nan)
            found[k].append(Spans.of(BOTH, start, stop, sure, both.told))
            told.setdefault(BOTH, []).append(both.told)
    made = {
        "kinds": list(kinds), "trials": [Path(t).name for t in trials], "rest": rest,
        "movement": movement, "least_s": least_s, "duration_s": duration_s,
        "sources": [s.fingerprint for s in sources],
    }  # fmt: skip
    labels, carried = {}, []
    for one, parts in zip(places, found, strict=True):
        kept, said = keep_windows(store, one, together(parts), kinds, made, resolve=resolve)
        labels[one.source.name] = kept
        carried += [Finding("carried", "note", sentence) for sentence in said]
        if REST in kinds:
            carried += [
                replace(f, sentence=f"{one.source.name}: {f.sentence}")
                for f in remarks(kept, one.clock.segments[0].rate_hz)
            ]
    overlaps = tuple(
        overlap_of(
            kind,
            [
                _side(one, labels[one.source.name], kind, named[k] if named else None, names, k)
                for k, one in enumerate(places)
            ],
            bin_s=bin_s,
            told_by=told[kind],
        )
        for kind in kinds
    )
    findings = (*carried, *_doubts(store, overlaps))
    folder = Path(out) if out is not None else store.path / "reports" / TASK
    make_folder(folder)
    table = pa.Table.from_pylist([row for o in overlaps for row in o.rows()])
    files = [*write_table(table, folder, "windows")]
    files.append(write_facts(_facts(overlaps, labels, findings, made), folder))
    files.append(folder / "windows.png")
    windows_plot({p.source.name: (labels[p.source.name], p.clock) for p in places}, files[-1])
    return Windowed(overlaps, labels, table, findings, tuple(files))


def place(store: Store, source: Source, resolve: Rule | None = None) -> Place:
    """What windows of a source are counted on: its population, else its main stream."""
    try:
        one = population(store, source, resolve=resolve)
        return Place(source, one.stream, one.clock, len(one.units), about(source))
    except MissingInputError:
        if not source.is_recording:
            raise
    stream = source.stream()
    told = source.row.streams[stream]
    channels = dict(told.get("channels") or {}).get("ids", ())
    kind = str(told.get("kind") or "signal")
    n = 1 if kind == MOVIE else len(channels)
    return Place(source, stream, source.clock(stream), n, replace(about(source), modality=kind))


def keep_windows(
    store: Store,
    place: Place,
    found: Spans,
    kinds: Sequence[str],
    parameters: dict[str, Any],
    *,
    author: Author = AUTHOR,
    resolve: Rule | None = None,
) -> tuple[LabelSet, list[str]]:
    """Keep windows of some kinds, beside those of other kinds that were there; as people left them.

    Returns
    -------
    labels : LabelSet
        With people's decisions on an earlier search carried over.
    said : list of str
        What became of these.
    """
    before = [
        row
        for row in store.label_sets(source=place.source.fingerprint, task=TASK)
        if row.stream == place.stream
    ]
    parts = [found]
    made_from: tuple[str, ...] = ()
    old = _as_left(store, before[-1].digest, resolve) if before else None
    if old is not None:
        other = ~np.isin(old.column("label"), [VOCABULARY.code(k) for k in kinds])
        if other.any():
            start, stop, label = (
                old.column(n)[other].astype(np.int64) for n in ("start", "stop", "label")
            )
            sure = old.column("confidence")[other].astype(float)
            parts.append(Spans(start, stop, label, sure))
            made_from = (before[-1].digest,)
    whole = together(parts)
    if old is not None and _same(whole, old):
        return old, []
    provenance = Provenance(
        TASK, place.source.fingerprint, author, place.stream, parameters, made_from=made_from
    )
    labels = label_set(whole, provenance)
    digest = keep(store, labels, items=store.put_items(facts(labels, place.clock, found.told)))
    if REST in kinds:
        doubts = remarks(labels, place.clock.segments[0].rate_hz)
        store.record_findings(digest, [f.to_json() for f in doubts])
    said = follow(store, place.source.name, digest)
    return _as_left(store, digest, resolve), said


def _same(found: Spans, labels: LabelSet) -> bool:
    """Whether another search found what there is already."""
    if len(found.start) != labels.n_rows:
        return False
    order = np.lexsort((labels.column("label"), labels.column("start")))
    names = ("start", "stop", "label")
    return all((getattr(found, n) == labels.column(n)[order]).all() for n in names)


def _as_left(store: Store, digest: str, resolve: Rule | None) -> LabelSet:
    return replay(store.get_labels(digest), store.edits(base=digest), resolve=resolve).labels


def _check(
    sources: Sequence[Source], kinds: Sequence[str], trials: Sequence[str | Path], least_s: float
) -> None:
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise BadArgumentError(f"kinds among {list(KINDS)}", f"{unknown}", "--kind rest")
    if len(sources) < 2:
        raise BadArgumentError(
            "two or more sources", f"{len(sources)}", "Add another: nissl add STUDY PATH"
        )
    if len(trials) not in (0, 1, len(sources)):
        raise BadArgumentError(
            f"trials for all, or for each of {len(sources)} sources", f"{len(trials)}",
            "--trials A.csv --trials B.csv, in the order of the sources",
        )  # fmt: skip
    if STIMULUS in kinds and not trials:
        raise BadArgumentError(
            "the trials or stimuli of the sources", "none",
            "Name a set of spans, or a table onset,duration,stimulus each: --trials trials",
        )  # fmt: skip
    if not least_s > 0:
        raise BadArgumentError("windows longer than nothing", f"{least_s:g} s", "--least 10")


def _trials(
    store: Store,
    one: Place,
    given: str | Path,
    duration_s: float | None,
    resolve: Rule | None,
) -> tuple[Spans, list[str]]:
    told = find_stimuli(
        store, one.source, one.stream, given, duration_s=duration_s, resolve=resolve
    )
    stimuli = told.stimuli
    sure = np.full(len(stimuli.start), np.nan)
    spans = Spans.of(STIMULUS, stimuli.start, stimuli.stop, sure, Path(given).name)
    return spans, [stimuli.names[k] for k in stimuli.which.tolist()]


def _side(
    one: Place,
    labels: LabelSet,
    kind: str,
    trials: Spans | None,
    names: Sequence[Sequence[str]],
    which: int,
) -> Side:
    own = labels.column("label") == VOCABULARY.code(kind)
    start, stop = (labels.column(n)[own].astype(np.int64) for n in ("start", "stop"))
    conditions: tuple[str, ...] = ()
    if kind == STIMULUS and trials is not None and len(start):
        middle = (start + stop) // 2
        nearest = np.abs((trials.start + trials.stop)[None] // 2 - middle[:, None]).argmin(axis=1)
        conditions = tuple(names[which][int(k)] for k in nearest)
    begin, end = span_seconds(one.clock, start, stop)
    sure: Floats = labels.column("confidence")[own].astype(float)
    return Side(one.source.name, begin, end, one.about, one.n_units, conditions, sure)


def _doubts(store: Store, overlaps: Sequence[Overlap]) -> list[Finding]:
    out, seen = [], set()
    for overlap in overlaps:
        for side, by in zip(overlap.sides, overlap.told_by, strict=True):
            if overlap.kind in (REST, MOVEMENT) and "population alone" in by:
                out.append(
                    Finding(
                        "told_by",
                        "warning",
                        f"In {side.name} only the population itself tells {overlap.kind}: review "
                        "it, or add a signal of movement.",
                    )
                )
            if side.about.missing and side.name not in seen:
                seen.add(side.name)
                missing = [m for m in side.about.missing if m not in ("state", "modality")]
                options = " ".join(f"--{m} ..." for m in missing)
                sentence = (
                    f"Of {side.name} nothing says: {', '.join(side.about.missing)}. "
                    f"Tell it: nissl subject {store.path} {side.name} {options}"
                )
                out.append(Finding("metadata", "note", sentence, None, side.about.completeness))
    return out


def _facts(
    overlaps: Sequence[Overlap],
    labels: dict[str, LabelSet],
    findings: Sequence[Finding],
    made: dict[str, Any],
) -> dict[str, Any]:
    return {
        **made,
        "label_sets": {name: each.digest for name, each in labels.items()},
        "overlaps": [
            {
                "kind": o.kind,
                "state": o.state,
                "conditions": count_table(o),
                "completeness": round(o.completeness, 3),
                "weakest": o.weakest[0],
                "missing": list(o.weakest[1]),
                "confidence": None if np.isnan(o.confidence) else round(o.confidence, 3),
            }
            for o in overlaps
        ],
        "findings": [f.to_json() for f in findings],
    }


__all__ = ["FRAGMENT", "KINDS", "TASK", "Place", "Windowed", "find_windows", "keep_windows",
           "place", "timed"]  # fmt: skip
