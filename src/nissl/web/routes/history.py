"""Who changed what and when; the difference of two states; taking a range back."""

from __future__ import annotations

import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query

from nissl.review import history as of
from nissl.review.names import reader_name
from nissl.web.depends import InRoom

router = APIRouter()

Position = Annotated[int, Body(ge=0, lt=2**53)]
Key = Annotated[str, Body(max_length=128)]
Name = Annotated[str, Body(max_length=400)]


@router.get("/history")
def history(
    room: InRoom,
    desk: str | None = None,
    by: Annotated[str | None, Query(max_length=400)] = None,
    before: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
    limit: Annotated[int, Query(ge=1, le=2000)] = 200,
) -> dict[str, Any]:
    """Edits of one desk or all, by one reader or all, newest first."""
    position = room.sync()
    desks = [room.desk(desk)] if desk else room.desks
    lines: list[dict[str, Any]] = []
    for each in desks:
        if any(room.edits(base=base) for base in each.bases):
            found = of.history(room, each, reader=by, limit=limit, before=before)
            lines += [record.to_json() | {"desk": each.key} for record in found]
    lines.sort(key=lambda line: -int(line["position"]))
    return {"position": position, "readers": room.readers, "edits": lines[:limit]}


@router.post("/history/diff")
def diff(
    room: InRoom,
    desk: Key,
    reader: Name,
    since: Annotated[int, Body(ge=0, lt=2**53, alias="from")],
    until: Annotated[int, Body(ge=0, lt=2**53, alias="to")],
) -> dict[str, Any]:
    """How a reader's items at a desk differ between two positions of the journal."""
    room.sync()
    changes = of.difference(room, room.desk(desk), reader_name(reader), since, until)
    return {"changes": [vars(change).copy() for change in changes]}


@router.post("/history/revert")
def revert(
    room: InRoom,
    desk: Key,
    reader: Name,
    edits: Annotated[list[UUID], Body(max_length=10_000)],
    preview: Annotated[bool, Body()] = True,
) -> dict[str, Any]:
    """Take a reader's decisions back in one step, or tell what that would change."""
    room.sync()
    at, name = room.desk(desk), reader_name(reader)
    undos = of.revert(room, at, name, edits, now_s=time.time())
    if preview:
        changes = of.preview(room, at, name, undos)
        return {"changes": [vars(change).copy() for change in changes], "n_edits": len(undos)}
    uuids, position = room.decide(undos)
    return {"acknowledged": [str(uuid) for uuid in uuids], "position": position}
