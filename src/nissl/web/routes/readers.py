"""Several people: agreement, what each errs in, adjudication, gold items, training."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Query

from nissl.review import panel as of
from nissl.review.names import reader_name
from nissl.review.room import Room
from nissl.web.depends import InRoom, Reader

router = APIRouter()

Task = Annotated[str, Query(min_length=1, max_length=100)]
InTask = Annotated[str, Body(min_length=1, max_length=100)]
Name = Annotated[str, Body(max_length=400)]
_SHOWN = 200


@router.get("/readers")
def readers(room: InRoom, task: Task) -> dict[str, Any]:
    """How far the readers of a task agree, and what they still have to settle."""
    room.sync()
    panel, rng = of.gather(room, task), np.random.default_rng(0)
    agreed, errors, bias = panel.agreement(rng), panel.errors, panel.bias(rng)
    return {
        "task": task,
        "classes": list(panel.classes),
        "readers": list(panel.readers),
        "n_gold": len(panel.gold),
        "agreement": None if agreed is None else agreed.to_json(),
        "errors": None if errors is None else errors.to_json(),
        "disagreements": [
            {"desk": key, "item": item, "said": dict(each.said), "doubt": each.doubt}
            for (key, item), each in panel.disagreements()[:_SHOWN]
        ],
        "bias": None if bias is None else bias.to_json(),
        "drift": [each.to_json() for each in panel.drifts(rng)],
        "extents": [
            {"desk": key, "readers": list(pair), "f1": f1.to_json()}
            for key, pair, f1 in of.extents(room, task, rng)
        ],
    }


@router.post("/readers/second")
def second(
    room: InRoom,
    task: InTask,
    readers: Annotated[list[str], Body(min_length=2, max_length=50)],
    fraction: Annotated[float, Body(ge=0, le=1)],
) -> dict[str, Any]:
    """Have a random part of the items read by two readers, each on their own."""
    names = [reader_name(name) for name in readers]
    return {"asked": of.ask_second(room, task, names, fraction, _rng())}


@router.post("/readers/gold")
def gold(room: InRoom, task: InTask, by: Name) -> dict[str, Any]:
    """Take what a reader decided as known."""
    return {"n_gold": of.choose_gold(room, task, reader_name(by))}


@router.post("/readers/gold/ask")
def ask_gold(
    room: InRoom, task: InTask, reader: Name, n: Annotated[int, Body(ge=1, le=1000)] = 20
) -> dict[str, Any]:
    """Hide gold items among a reader's others; also what a training begins with."""
    return {"asked": of.ask_gold(room, task, reader_name(reader), n, _rng())}


@router.get("/readers/training")
def training(room: InRoom, task: Task, reader: Reader) -> dict[str, Any]:
    """A reader's progress in training, with what the right answers were."""
    return _training(room, task, reader)


def _training(room: Room, task: str, reader: str) -> dict[str, Any]:
    room.sync()
    found, refs = of.training(room, task, reader)
    told = found.to_json()
    for each in told["feedback"]:
        each["desk"], each["item"] = refs[each["item"]]
    return told


def _rng() -> np.random.Generator:
    return np.random.default_rng()
