"""Decisions that look wrong, and items that may be of a class that nobody has named."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Query

from nissl.errors import MissingInputError
from nissl.review.doubts import NewClass, Suspect, ask_again, new_classes, suspects
from nissl.review.names import reader_name
from nissl.review.room import Room
from nissl.web.depends import InRoom

router = APIRouter()


@router.get("/doubts")
def doubts(room: InRoom, task: Annotated[str, Query(max_length=100)]) -> dict[str, Any]:
    """Suspects and possible new classes of a task; computes for seconds."""
    room.sync()
    try:
        wrong, refused = [each.to_json() for each in _suspects(room, task)], None
    except MissingInputError as error:
        wrong, refused = [], {"error": str(error)}
    new = [each.to_json() for each in _new_classes(room, task)]
    return {"task": task, "suspects": wrong, "refused": refused, "classes": new}


@router.post("/doubts/ask")
def ask(
    room: InRoom,
    task: Annotated[str, Body(max_length=100)],
    reader: Annotated[str, Body(max_length=400)],
) -> dict[str, Any]:
    """Put the suspects of a task to people again."""
    reader_name(reader)
    room.sync()
    return {"asked": ask_again(room.store, _suspects(room, task))}


def _suspects(room: Room, task: str) -> list[Suspect]:
    version = (room.position, len(room.desks))
    return room.remembered(
        f"suspects:{task}", version, lambda: suspects(room, task, rng=np.random.default_rng(0))
    )


def _new_classes(room: Room, task: str) -> list[NewClass]:
    version = tuple(desk.bases for desk in room.desks)
    return room.remembered(
        f"classes:{task}", version, lambda: new_classes(room, task, rng=np.random.default_rng(0))
    )
