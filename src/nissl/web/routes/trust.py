"""How far labels that nobody looked at can be trusted, and the error budget people name."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body

from nissl.project.reviewing import prepare
from nissl.review.audit import current
from nissl.review.audited import acceptance, residual_error
from nissl.review.auditing import BUDGET, choose_budget, chosen_budget
from nissl.review.names import reader_name
from nissl.review.room import Room
from nissl.web.depends import InRoom

router = APIRouter()


@router.get("/trust")
def trust(room: InRoom) -> dict[str, Any]:
    """For each task: budget, audit sample, residual error, whether acceptance is on."""
    tasks = dict.fromkeys(desk.row.task for desk in room.desks)
    return {"tasks": [_state(room, task) for task in tasks]}


@router.post("/trust/budget")
def budget(
    room: InRoom,
    task: Annotated[str, Body(max_length=100)],
    budget: Annotated[float, Body()],
    reader: Annotated[str, Body(max_length=400)],
) -> dict[str, Any]:
    """Name the share of wrong labels that is allowed; draws an audit sample for it."""
    choose_budget(room.store, task, budget, by=reader_name(reader))
    prepare(room)
    return _state(room, task)


def _state(room: Room, task: str) -> dict[str, Any]:
    audit, verdict = current(room, task), acceptance(room, task)
    left = residual_error(room, task)
    return {
        "task": task,
        "budget": chosen_budget(room.store, task) or BUDGET,
        "sample": None if audit is None else len(audit.refs),
        "selection": None if audit is None else audit.selection.to_json(),
        "residual": None if left is None else left.to_json() | {"sentence": left.statement()},
        "acceptance": None if verdict is None else verdict.to_json(),
    }
