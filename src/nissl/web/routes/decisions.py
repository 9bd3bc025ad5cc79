"""Decisions: appended to the journal before they are acknowledged."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query

from nissl.labels import Edit
from nissl.review.stack import Step
from nissl.web.depends import InRoom, Reader

router = APIRouter()


@router.post("/decisions")
def decide(
    room: InRoom,
    edits: Annotated[list[dict[str, Any]], Body(max_length=100_000)],
    question: Annotated[UUID | None, Body()] = None,
) -> dict[str, Any]:
    """Record decisions of one reader at one desk, all or none."""
    uuids, position = room.decide([Edit.from_json(edit) for edit in edits], question=question)
    return {"acknowledged": [str(uuid) for uuid in uuids], "position": position}


@router.get("/edits")
def edits(
    room: InRoom, after: Annotated[int, Query(ge=0)] = 0, desk: str | None = None
) -> dict[str, Any]:
    """Edits after a position of the journal, by anybody."""
    position = room.sync()
    bases = room.desk(desk).bases if desk else None
    found = [
        {"position": room.position_of(edit.uuid), "edit": edit.to_json()}
        for edit in room.edits()
        if room.position_of(edit.uuid) > after and (bases is None or edit.base in bases)
    ]
    return {"position": position, "edits": found}


@router.get("/stack")
def stack(room: InRoom, reader: Reader) -> dict[str, Any]:
    """What the reader can undo and redo, the next step first."""
    undo, redo = room.stacks(reader)
    return {"undo": [_step(s) for s in undo[::-1]], "redo": [_step(s) for s in redo[::-1]]}


def _step(step: Step) -> dict[str, Any]:
    return {
        "target": str(step.target),
        "bases": list(step.bases),
        "text": step.text,
        "when_s": step.edits[0].when_s,
        "items": [{"base": e.base, "items": list(e.items)} for e in step.edits],
    }
