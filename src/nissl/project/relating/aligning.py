"""Relating two sources of a project: which cell of one is which of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.align.cells.activity import FACTS, facts_of
from nissl.align.cells.fields import Registration, register
from nissl.align.cells.matching import ALIKE, Matches, aligned
from nissl.align.links import links
from nissl.annotators.cells.footprints import Footprints
from nissl.errors import BadArgumentError
from nissl.io.regions import cells_of, field_of
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.project.adding import keep
from nissl.project.annotating import current
from nissl.project.dossier import gather
from nissl.project.relating.waveforming import UnitAlignment, align_units
from nissl.project.source import Source
from nissl.store import Store
from nissl.tasks import Dossier, Finding

BY = ("cells", "waveform")
"""What sources can be related by."""
_FRAMES = 200


@dataclass(frozen=True, eq=False)
class Alignment:
    """What relates two sources.

    Parameters
    ----------
    labels : LabelSet
        LINKS, already kept in the project.
    items : ItemTable
    matches : Matches
    registration : Registration
    findings : tuple of Finding
    """

    labels: LabelSet
    items: ItemTable
    matches: Matches
    registration: Registration
    findings: tuple[Finding, ...]


def align(
    store: Store,
    a: Source,
    b: Source,
    *,
    by: str = "cells",
    everything: bool = False,
    activity: bool = False,
    out: Path | None = None,
) -> Alignment | UnitAlignment:
    """Find the same items in two sources; see `nissl.project.Project.align`."""
    if by not in BY:
        raise BadArgumentError(f"what to align by among {list(BY)}", repr(by), "Choose one.")
    if a.fingerprint == b.fingerprint:
        raise BadArgumentError("two sources", f"{a.name!r} twice", "Name two of the project's.")
    if by == "waveform":
        if activity:
            raise BadArgumentError(
                "waveforms alone", "activity too", "When units fire is the check, not the evidence."
            )
        return align_units(store, a, b, everything=everything, out=out)
    days = [gather(store, source, "cells", draft=True) for source in (a, b)]
    sets = [_cells(day, everything) for day in days]
    drawn = tuple(Footprints.from_labels(s, field_of(d)) for s, d in zip(sets, days, strict=True))
    images = [picture(day, cells) for day, cells in zip(days, drawn, strict=True)]
    lively = _activity(days, sets) if activity else None
    pictures = register(images[0], images[1])
    found, registration = aligned(drawn[0], drawn[1], pictures, activity=lively)
    labels, items = links(
        found,
        sets[0],
        sets[1],
        registration=registration,
        cells=(drawn[0], drawn[1]),
        targets=(str(current(store, a, "cells")), str(current(store, b, "cells"))),
        activity=activity,
    )
    findings = _findings(registration, found)
    digest = keep(store, labels, items=store.put_items(items))
    store.record_findings(digest, [finding.to_json() for finding in findings])
    return Alignment(labels, items, found, registration, findings)


def _cells(day: Dossier, everything: bool) -> LabelSet:
    """Regions as people left them, those called cells alone unless everything is asked for."""
    labels = day.labels
    if labels.kind is not Kind.REGIONS:
        raise BadArgumentError("regions", labels.kind.value, "Align by another kind.")
    if everything:
        return labels
    rows = np.flatnonzero(cells_of(labels))
    columns: dict[str, Any] = {
        name: labels.table.column(name).take(rows)
        for name in ("id", "item", "label", "frame", "pixels", "weights")
    }
    return LabelSet.build(Kind.REGIONS, columns, labels.vocabulary, labels.provenance)


def _activity(
    days: Sequence[Dossier], sets: Sequence[LabelSet]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Facts of the traces of both days, in the order of the sets' rows.

    Raises
    ------
    BadArgumentError
        A day has no traces.
    """
    facts = []
    for day, labels in zip(days, sets, strict=True):
        found = None
        if day.items is not None:
            rows = {item: row for row, item in enumerate(day.items.items.tolist())}
            at = [rows.get(item, -1) for item in labels.column("item").tolist()]
            columns = {
                name: np.append(day.items.table.column(name).to_numpy(), np.nan)[at]
                for name in FACTS
                if name in day.items.table.column_names
            }
            found = facts_of(columns, labels.n_rows)
        if found is None:
            raise BadArgumentError(
                "traces of both days, to take activity as evidence",
                f"none of {day.source.get('path', labels.provenance.source)}",
                "Align without activity, or find the cells with a method that gives traces.",
            )
        facts.append(found)
    return facts[0], facts[1]


def picture(day: Dossier, cells: Footprints) -> npt.NDArray[np.float64]:
    """Picture of a field, (height, width): its mean where it is known, else its cells."""
    if cells.shape[0] != 1:
        raise BadArgumentError(
            "fields of one plane", f"{cells.shape[0]} planes", "Align the planes one by one."
        )
    shape = cells.shape[1:]
    if "mean" in day.images:
        return np.asarray(day.images["mean"], np.float64).reshape(shape)
    movie = None if day.recording is None else day.recording.movies.get(day.stream)
    if movie is not None and movie.shape == cells.shape:
        frames = np.unique(np.linspace(0, movie.n_frames - 1, _FRAMES).astype(int)).tolist()
        total = np.zeros(shape)
        for frame in frames:
            total += movie.frames(frame, frame + 1)[0]
        return np.asarray(total / len(frames))
    return np.asarray(cells.matrix().sum(axis=0), np.float64).reshape(shape)


def _findings(registration: Registration, found: Matches) -> tuple[Finding, ...]:
    out = []
    if registration.correlation < ALIKE:
        out.append(
            Finding(
                "registration",
                "warning",
                "The two pictures resemble each other little even where they are laid over each "
                "other; check that they show one field, and doubt the links.",
                value=registration.correlation,
                limit=ALIKE,
            )
        )
    outside = int(np.isnan(found.absent_a).sum() + np.isnan(found.absent_b).sum())
    if outside:
        sentence = f"{outside} cells lie beyond what the other day shows and can have no partner."
        out.append(Finding("outside", "note", sentence, value=float(outside)))
    return tuple(out)
