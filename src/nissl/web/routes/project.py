"""What there is to review: desks, the queue, the items of a desk."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from nissl import __version__
from nissl.errors import CorruptProjectError
from nissl.review.audited import residual_error
from nissl.review.desk import Desk
from nissl.review.facts import item_rows
from nissl.review.progress import everybody
from nissl.review.queue import DEFAULT_POLICY, Queue, build
from nissl.review.room import Room
from nissl.review.unit_desks import current_facts
from nissl.web.depends import DeskKey, DeskPath, InRoom, Reader
from nissl.web.faults import fault
from nissl.web.wire import table_response

router = APIRouter()


@router.get("/project")
def project(room: InRoom) -> dict[str, Any]:
    """Desks and readers of the project."""
    room.refresh()
    desks = [_told(room, desk) for desk in room.desks]
    return {
        "name": room.store.name,
        "id": str(room.store.id),
        "version": __version__,
        "desks": desks,
        "readers": room.readers,
        "position": room.position,
    }


def _told(room: Room, desk: Desk) -> dict[str, Any]:
    """A desk in the list; one whose files are damaged has a `fault` and nothing to decide."""
    try:
        done = everybody(room, desk)
        names = desk.vocabulary
    except CorruptProjectError as error:
        return desk.facts() | {"n_decided": 0, "vocabulary": [], "fault": fault(error)}
    colours = names.colours or ("",) * len(names)
    classes = [
        {"name": name, "colour": colour, "key": str(k + 1) if k < 9 else ""}
        for k, (name, colour) in enumerate(zip(names.names, colours, strict=True))
    ]
    return desk.facts() | {"n_decided": len(done), "vocabulary": classes, "fault": None}


@router.get("/queue")
def queue(
    room: InRoom,
    reader: Reader,
    desk: DeskKey | None = None,
    task: str | None = None,
    policy: str = DEFAULT_POLICY,
    blind: bool = False,
    limit: Annotated[int, Query(ge=1, le=5000)] = 50,
) -> dict[str, Any]:
    """What the reader is asked next."""
    found = build(
        room,
        reader,
        np.random.default_rng(),
        desk=desk,
        task=task,
        policy=policy,
        blind=blind,
        limit=limit,
    )
    return {
        "total": found.total,
        "done": found.done,
        "left": found.left,
        "automatic": found.automatic,
        "minutes_left": found.minutes.to_json(),
        "residual": _residual(room, found),
        "policy": found.policy,
        "entries": [entry.to_json() for entry in found.entries],
    }


@router.get("/desks/{key}/items")
def items(room: InRoom, key: DeskPath, reader: Reader, blind: bool = False) -> Response:
    """Items of a desk as they stand for the reader, as an Arrow stream."""
    facts = current_facts(room, key, reader)
    with room.reading(key, reader) as reading:
        table = None if facts is None else facts.table
        return table_response(item_rows(reading, table, blind=blind))


def _residual(room: Room, found: Queue) -> dict[str, Any] | None:
    """Error among labels that nobody looked at, of the task that is asked about first."""
    tasks = dict.fromkeys(room.desk(entry.desk).row.task for entry in found.entries)
    tasks = tasks or dict.fromkeys(desk.row.task for desk in room.desks)
    left = next((r for r in (residual_error(room, task) for task in tasks) if r is not None), None)
    return None if left is None else left.to_json() | {"sentence": left.statement()}
