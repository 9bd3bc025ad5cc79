"""Corrections of a volume reach volumes of similar posture at once, without learning anything anew.

What a person corrected in one volume is looked for in those most like it, from each to the next of
similar posture (`tracks.alike`); where the same error was made, undecided points are put right by
an edit of the method on the reader's behalf: on record with its name and version, taken back by
one undo, and no decision of anybody.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import numpy as np
import numpy.typing as npt

from nissl.annotators.tracks.alike import Correction, follow
from nissl.annotators.tracks.posture import steps
from nissl.labels import Edit, EditKind
from nissl.labels.edits import BY_METHOD
from nissl.labels.replay.pointwise import ADDED, CHANGED, UNTOUCHED
from nissl.review.point_desks import PointDesk, point_desk
from nissl.review.point_postures import postures_of
from nissl.review.reading import Reading
from nissl.review.room import Room

METHOD = "tracks/alike 1"
MOST = 120
"""Volumes that are looked at: those of the nearest postures."""
UNKNOWN = 0.7
"""Trust in points of methods that say no confidence."""
SAME_VOXELS = 0.05
"""A point that would move less than this stands there already."""
LEAST_UM = 2.0
"""A step shorter than a nucleus is wide (or of so many voxels, without a spacing) makes a place
better, and says nothing of other volumes."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Carried:
    """What was put right in similar volumes.

    Parameters
    ----------
    frames : tuple of int
        Volumes with points that were moved.
    points : int
    looked_at : int
        Volumes of similar posture that were held against the corrected one.
    edits : tuple of UUID
    """

    frames: tuple[int, ...] = ()
    points: int = 0
    looked_at: int = 0
    edits: tuple[UUID, ...] = ()


def carry_on(room: Room, key: str, reader: str, frame: int) -> Carried:
    """Put right in similar volumes what a reader corrected in one, and record it.

    Parameters
    ----------
    room : Room
    key : str
        Of a desk of POINTS.
    reader : str
    frame : int
        The corrected volume; what stands there and is not as proposed is the correction.

    Returns
    -------
    Carried
        Nothing where no neuron was placed by hand in that volume, or nothing else is like it.
    """
    desk = point_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        found = _found(desk, reading, frame)
        if not found.rows.size:
            return Carried(looked_at=found.looked_at)
        last = reading.base.edits[-1]
        edits = _edits(desk, reading, found, frame, last)
        room.decide(edits)
    frames = tuple(np.unique(found.frame).tolist())
    return Carried(frames, int(found.rows.size), found.looked_at, tuple(e.uuid for e in edits))


@dataclass(frozen=True, eq=False)
class _Moves:
    """Positions of rows, their volumes, and where they go (voxels)."""

    rows: npt.NDArray[np.intp]
    frame: Ints
    xyz: Floats
    looked_at: int


def _found(desk: PointDesk, reading: Reading, frame: int) -> _Moves:
    draft, items = reading.base.draft, reading.items
    none = _Moves(np.zeros(0, np.intp), np.zeros(0, np.int64), np.zeros((0, 3)), 0)
    rows = draft.rows_at([frame], items.tolist())
    said = draft.said(rows)
    placed = np.isin(said, (CHANGED, ADDED))
    seen = draft.values("visible", rows).astype(bool)
    unit = np.asarray((1.0, 1.0, 1.0) if desk.spacing_um is None else desk.spacing_um[::-1])
    here = _places(draft, rows) * unit
    column = np.searchsorted(items, draft.item[rows])
    places = np.full((items.size, 3), np.nan)
    places[column[seen]] = here[seen]
    before = _proposed(desk, frame, items) * unit
    step = np.linalg.norm(places - before, axis=1)
    mine = np.zeros(items.size, bool)
    mine[column[placed & seen]] = True
    corrected = np.flatnonzero(mine & (step > LEAST_UM))
    if not corrected.size:
        return none
    told: dict[int, Correction] = {
        frame: Correction(places, corrected.astype(np.int64), before[corrected])
    }
    frames, parents = _like(desk, frame)
    base, last, carried = _before(desk, reading)
    moved: list[tuple[int, int, Floats]] = []
    for other, parent in zip(frames.tolist(), parents.tolist(), strict=True):
        from_ = told[parent]
        theirs = draft.rows_at([other], items.tolist())
        theirs = theirs[draft.values("visible", theirs).astype(bool)]
        at = np.searchsorted(items, draft.item[theirs])
        there, trust = np.full((items.size, 3), np.nan), np.zeros(items.size)
        now = _places(draft, theirs)
        # points that were put elsewhere before are judged anew: more is corrected by now
        before_it = np.isin(theirs, carried) & (draft.said(theirs) == UNTOUCHED)
        there[at] = np.where(before_it[:, None], base[np.minimum(theirs, last)], now) * unit
        sure = draft.values("confidence", theirs).astype(np.float64)
        trust[at] = np.where(np.isfinite(sure), sure, UNKNOWN)
        row_of = np.full(items.size, -1, np.intp)
        row_of[at] = theirs
        open_ = np.zeros(items.size, bool)
        open_[at] = draft.said(theirs) == UNTOUCHED
        trust[at[~open_[at]]] = 1.0
        found = follow(from_, there, trust)
        told[other] = found.then or from_  # where it is not clear, on from the one before
        goes = np.isfinite(found.goes).all(axis=1) & open_[corrected]
        stands = np.full((items.size, 3), np.nan)
        stands[at] = now
        for k in np.flatnonzero(goes).tolist():
            if np.abs(stands[corrected[k]] - found.goes[k] / unit).max() < SAME_VOXELS:
                continue
            moved.append((int(row_of[corrected[k]]), other, found.goes[k] / unit))
    if not moved:
        return _Moves(none.rows, none.frame, none.xyz, int(frames.size))
    return _Moves(
        np.asarray([row for row, _, _ in moved], np.intp),
        np.asarray([at for _, at, _ in moved], np.int64),
        np.stack([xyz for _, _, xyz in moved]),
        int(frames.size),
    )


def _before(desk: PointDesk, reading: Reading) -> tuple[Floats, int, npt.NDArray[np.intp]]:
    """Places as proposed, the last row of them, and the rows that a method put elsewhere."""
    labels = desk.desk.labels
    base = np.stack([_flat(labels.column(name)) for name in "xyz"], axis=1)
    rows = np.fromiter(reading.base.draft.moved.get("confidence", ()), np.intp)
    return base, len(base) - 1, rows[rows < len(base)]


def _like(desk: PointDesk, frame: int) -> tuple[Ints, Ints]:
    """Volumes of the nearest postures, and from which one each is reached by small steps."""
    latent = postures_of(desk).latent
    if frame >= len(latent) or not np.isfinite(latent[frame]).all():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    away = np.linalg.norm(latent - latent[frame], axis=1)
    away[frame] = -1.0
    order = np.argsort(np.nan_to_num(away, nan=np.inf), kind="stable")[: MOST + 1]
    order = order[np.isfinite(away[order])]
    way = steps(latent[order], [0])
    rest = way.order[way.order != 0]
    return order[rest].astype(np.int64), order[way.parent[rest]].astype(np.int64)


def _proposed(desk: PointDesk, frame: int, items: Ints) -> Floats:
    """Where the method had put each track in a volume, voxels; NaN where nowhere."""
    labels = desk.desk.labels
    frames = labels.column("frame")
    rows = np.arange(np.searchsorted(frames, frame), np.searchsorted(frames, frame, side="right"))
    rows = rows[labels.column("visible")[rows] & np.isin(labels.column("item")[rows], items)]
    out = np.full((items.size, 3), np.nan)
    at = np.searchsorted(items, labels.column("item")[rows])
    out[at] = np.stack([_flat(labels.column(name)[rows]) for name in "xyz"], axis=1)
    return out


def _places(draft: object, rows: npt.NDArray[np.intp]) -> Floats:
    values = draft.values  # type: ignore[attr-defined]
    return np.stack([_flat(values(name, rows)) for name in "xyz"], axis=1)


def _flat(values: npt.NDArray[np.floating]) -> Floats:
    """Places; points of a plane lie in plane 0."""
    return np.nan_to_num(np.asarray(values, np.float64))


def _edits(desk: PointDesk, reading: Reading, found: _Moves, frame: int, last: Edit) -> list[Edit]:
    """One edit per track, in one step of undo: that of the correction where it was the last."""
    draft = reading.base.draft
    corrects = last.kind in (EditKind.MOVE, EditKind.ADD, EditKind.SWAP) and not last.by_method
    group = (last.group or last.uuid) if corrects else uuid4()
    ids, owner = draft.values("id", found.rows), draft.item[found.rows]
    made = []
    for item in np.unique(owner).tolist():
        mine = owner == item
        xyz = found.xyz[mine].round(2)
        payload = {
            "rows": ids[mine].tolist(),
            **{name: xyz[:, axis].tolist() for axis, name in enumerate("xyz")},
            "method": METHOD,
            "as": frame,
        }
        made.append(
            Edit(
                uuid4(),
                EditKind.MOVE,
                desk.desk.key,
                (item,),
                reading.reader,
                time.time(),
                payload,
                group=group,
                role=BY_METHOD,
                parent=last.uuid,
            )
        )
    return made


__all__ = ["METHOD", "Carried", "carry_on"]
