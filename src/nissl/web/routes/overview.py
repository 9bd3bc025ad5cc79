"""The project at a glance."""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query

from nissl.review import audited
from nissl.review import overview as of
from nissl.review.advice import advice as advice_on
from nissl.review.room import Room
from nissl.web.depends import InRoom, Reader

router = APIRouter()


@router.get("/overview")
def overview(room: InRoom) -> dict[str, Any]:
    """Sessions, confidence, calibration on the audit sample, readers at work."""
    room.refresh()
    rng = np.random.default_rng(0)
    tasks = dict.fromkeys(desk.row.task for desk in room.desks)
    return {
        "sessions": [vars(row).copy() for row in of.sessions(room)],
        "confidences": [each.to_json() for each in of.confidences(room)],
        "calibration": [
            each.to_json() | {"reliability": each.reliability(rng).to_json()}
            for each in of.audit_answers(room)
        ],
        "coverage": {task: of.coverage(room, task).to_json() for task in tasks},
        "residual": {task: _residual(room, task) for task in tasks},
        "readers": [vars(row).copy() for row in of.work(room.edits())],
    }


@router.get("/advice")
def advice(
    room: InRoom, reader: Reader, task: Annotated[str, Query(max_length=100)]
) -> dict[str, Any]:
    """Whether to stop reviewing a task; None where nothing is left that a method is sure of."""
    room.sync()
    version = (room.position, tuple(desk.bases for desk in room.desks))
    found = room.remembered(
        f"advice:{task}:{reader}", version, lambda: advice_on(room, task, reader)
    )
    return {"advice": None if found is None else found.to_json()}


def _residual(room: Room, task: str) -> dict[str, Any] | None:
    found, accepted = audited.residual_error(room, task), audited.acceptance(room, task)
    if found is None or accepted is None:
        return None
    return {
        "estimate": found.estimate if math.isfinite(found.estimate) else None,
        "upper": found.upper,
        "n": found.n,
        "sentence": found.statement(),
        "on": accepted.on,
        "reason": accepted.reason,
        "needed": accepted.needed,
        "budget": accepted.budget,
    }
