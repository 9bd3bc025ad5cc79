"""What there is to review: desks, the queue, the items of a desk."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from nissl import __version__
from nissl.review.facts import item_rows
from nissl.review.progress import decided
from nissl.review.queue import DEFAULT_POLICY, build
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import table_response

router = APIRouter()


@router.get("/project")
def project(room: InRoom) -> dict[str, Any]:
    """Desks and readers of the project."""
    room.refresh()
    desks = []
    for desk in room.desks:
        edits = {base: room.edits(base=base) for base in desk.bases}
        done = decided(desk, edits) if any(edits.values()) else {}
        names = desk.vocabulary
        colours = names.colours or ("",) * len(names)
        classes = [
            {"name": name, "colour": colour, "key": str(k + 1) if k < 9 else ""}
            for k, (name, colour) in enumerate(zip(names.names, colours, strict=True))
        ]
        desks.append(desk.facts() | {"n_decided": len(done), "vocabulary": classes})
    return {
        "name": room.store.name,
        "id": str(room.store.id),
        "version": __version__,
        "desks": desks,
        "readers": room.readers,
        "position": room.position,
    }


@router.get("/queue")
def queue(
    room: InRoom,
    reader: Reader,
    desk: str | None = None,
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
        "minutes_left": {"estimate": found.left * found.seconds / 60, "low": None, "high": None},
        "residual": None,
        "policy": found.policy,
        "entries": [entry.to_json() for entry in found.entries],
    }


@router.get("/desks/{key}/items")
def items(room: InRoom, key: str, reader: Reader, blind: bool = False) -> Response:
    """Items of a desk as they stand for the reader, as an Arrow stream."""
    with room.reading(key, reader) as reading:
        facts = None if reading.desk.items is None else reading.desk.items.table
        return table_response(item_rows(reading, facts, blind=blind))
