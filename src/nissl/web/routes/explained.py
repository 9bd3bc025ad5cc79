"""Why the sorter gave a unit its spikes, as `nissl explain` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request

from nissl.project.explainer import Explainer
from nissl.project.explaining import Train, channel_of
from nissl.review.desk import Desk
from nissl.review.room import Room
from nissl.review.unit_desks import unit_desk
from nissl.run.progress import Progress
from nissl.web.depends import InRoom, ItemPath, Reader
from nissl.web.jobs import Jobs

router = APIRouter(prefix="/desks/{key}/units")


@router.get("/{item}/explained")
def explained(
    request: Request, room: InRoom, key: str, reader: Reader, item: ItemPath
) -> dict[str, Any]:
    """Words and pictures of a unit as it stands for the reader.

    `state` is "fitting" while the sorter is fitted again in the background, with what it is at
    (`stage`, `done`); then ask again. Otherwise it is "ready".
    """
    desk = room.desk(key)
    unit_desk(desk)  # refuses what holds no units
    explainer = _explainer(room, desk)
    with room.reading(key, reader) as reading:
        live = reading.base
        rows = live.rows(item)
        train = Train.of(*(live.draft.values(name, rows) for name in ("sample", "confidence")))
        column = channel_of(live.draft.values("channel", rows))
        state = tuple(edit.uuid for edit in live.standing)
        now = {i: live.draft.images(i) for i in live.draft.rows}
    if not explainer.is_ready(column):
        return _fitting(request.app.state.jobs, explainer, column)
    images = {i: found[0] for i, found in now.items() if found is not None and len(found) == 1}
    return {"state": "ready"} | explainer.explain(item, column, train, images, state)


def _explainer(room: Room, desk: Desk) -> Explainer:
    """What explains a desk's units; one is remembered, as a sorter may take much memory."""
    return room.remembered(
        "explainer", desk.key, lambda: Explainer(desk.store, desk.labels, lambda: desk.signal)
    )


def _fitting(jobs: Jobs, explainer: Explainer, column: int) -> dict[str, Any]:
    """Start to fit the sorter, or tell how far that is; a failure is raised once, then retried."""
    explainer.complain()

    def work(progress: Progress) -> Mapping[str, Any]:
        explainer.prepare(column, progress)
        return {}

    run = jobs.start(f"explaining {explainer.base.digest[:12]}", work)
    return {"state": "fitting", "stage": run.stage, "done": run.done}
