"""Decisions: appended to the journal before they are acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import StreamingResponse

from nissl.errors import BadEditError
from nissl.labels import Edit
from nissl.review.stack import Step
from nissl.web.depends import DeskKey, InRoom, Position, Reader
from nissl.web.faults import MalformedEditError
from nissl.web.wire import MOST_DEEP, deeper

router = APIRouter()

MOST_EDITS = 100_000
"""Decisions of one request; a batch accept of more is sent in parts."""


@router.post("/decisions")
def decide(
    room: InRoom,
    edits: Annotated[list[dict[str, Any]], Body(max_length=MOST_EDITS)],
    question: Annotated[UUID | None, Body()] = None,
) -> dict[str, Any]:
    """Record decisions of one reader at one desk, all or none; they are on disk then."""
    uuids, position = room.decide([_edit(edit) for edit in edits], question=question)
    return {"acknowledged": [str(uuid) for uuid in uuids], "position": position}


@router.get("/edits")
def edits(room: InRoom, after: Position = 0, desk: DeskKey | None = None) -> dict[str, Any]:
    """Edits after a position of the journal, by anybody, at one desk or all."""
    found = room.store.edits_after(after)
    position = found[-1][0] if found else min(after, room.sync())
    bases = room.desk(desk).bases if desk else None
    told = [(at, edit) for at, edit in found if bases is None or edit.base in bases]
    return {
        "position": position,
        "edits": [{"position": at, "edit": edit.to_json()} for at, edit in told],
    }


@router.get("/stack")
def stack(
    room: InRoom, reader: Reader, limit: Annotated[int, Query(ge=1, le=100_000)] = 1000
) -> dict[str, Any]:
    """What the reader can undo and redo, the next step first."""
    undo, redo = room.stacks(reader)
    return {
        "undo": [_step(s) for s in undo[::-1][:limit]],
        "redo": [_step(s) for s in redo[::-1][:limit]],
        "n_undo": len(undo),
        "n_redo": len(redo),
    }


@router.get("/events", include_in_schema=False)
async def events(request: Request) -> StreamingResponse:
    """Server-sent events: the position of the journal, whenever it has grown."""
    stream: AsyncIterator[str] = request.app.state.feed.events()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _edit(value: dict[str, Any]) -> Edit:
    if deeper(value, MOST_DEEP):
        raise MalformedEditError(
            "an edit of plain values", f"values nested more than {MOST_DEEP} deep", "Flatten them."
        )
    try:
        return Edit.from_json(value)
    except BadEditError as error:
        raise MalformedEditError(error.expected, error.got, error.remedy) from None
    except (OverflowError, RecursionError) as error:
        raise MalformedEditError(
            "an edit of plain values", f"{type(error).__name__}", "Check the client."
        ) from None


def _step(step: Step) -> dict[str, Any]:
    return {
        "target": str(step.target),
        "bases": list(step.bases),
        "text": step.text,
        "when_s": step.edits[0].when_s,
        "items": [{"base": e.base, "items": list(e.items)} for e in step.edits],
    }
