"""Models: learning from the decisions in the background, their cards, which one is in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request

from nissl.project import learning
from nissl.review.loop import learner_of
from nissl.review.names import reader_name
from nissl.run.progress import Progress
from nissl.web.depends import InRoom
from nissl.web.jobs import Jobs

router = APIRouter()

Task = Annotated[str, Body(min_length=1, max_length=100)]
Name = Annotated[str, Body(max_length=400)]


@router.post("/learn")
def learn(request: Request, room: InRoom, task: Task, reader: Name) -> dict[str, Any]:
    """Start to fit a model to what was decided; the model in use stays in use."""
    reader_name(reader)
    learner_of(room.store, task)  # a task that does not learn is refused at once

    def work(progress: Progress) -> Mapping[str, Any]:
        made = learning.learn(room.store, task, progress=progress)
        return {"digest": made.digest, "card": dict(made.card), "seconds": made.seconds}

    return {"run": _jobs(request).start(task, work).run}


@router.get("/learn")
def runs(request: Request) -> dict[str, Any]:
    """Runs of this server, oldest first."""
    return {"runs": [run.to_json() for run in _jobs(request).runs()]}


@router.get("/learn/{run}")
def run(request: Request, run: str) -> dict[str, Any]:
    """How far a run has come, and the card of its model once it has ended."""
    found = _jobs(request).run(run)
    return found.to_json() | {"card": found.result.get("card")}


@router.get("/models")
def models(
    room: InRoom, task: Annotated[str, Query(min_length=1, max_length=100)]
) -> dict[str, Any]:
    """Models of a task, the shipped weights first (their digest is empty)."""
    found = learning.models(room.store, task)
    return {
        "task": task,
        "models": [vars(model) | {"card": dict(model.card), "page": model.page} for model in found],
        "history": [vars(move) for move in room.store.model_head_history(task)],
    }


@router.post("/models/use")
def use(
    room: InRoom,
    task: Task,
    reader: Name,
    digest: Annotated[str, Body(pattern=r"^([0-9a-f]{64})?$")],
) -> dict[str, Any]:
    """Put a model into use: new proposals, with all decisions carried over to them."""
    used = learning.use(room.store, task, digest, by=reader_name(reader))
    room.refresh()
    return {
        "digest": used.digest,
        "labels": list(used.labels),
        "carried": used.carried,
        "questions": [question.reason for question in used.questions],
    }


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs
