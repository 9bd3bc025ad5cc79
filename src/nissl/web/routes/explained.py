"""Why the sorter gave a unit its spikes, as `nissl explain` tells it, and where it would cut it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request

from nissl.errors import BadEditError
from nissl.project.explainer import Explainer
from nissl.project.explaining import Train, channel_of
from nissl.review.desk import Desk
from nissl.review.room import Room
from nissl.review.unit_desks import unit_desk
from nissl.run.progress import Progress
from nissl.web.depends import InRoom, ItemPath, Reader
from nissl.web.jobs import Jobs

router = APIRouter(prefix="/desks/{key}/units")


@dataclass(frozen=True, eq=False)
class _Unit:
    """A unit as it stands for a reader.

    `ids` are those of its rows, in order of time; `images` what units of the base are called now.
    """

    train: Train
    ids: npt.NDArray[np.int64]
    column: int
    images: Mapping[int, int]
    state: Hashable


@router.get("/{item}/explained")
def explained(
    request: Request, room: InRoom, key: str, reader: Reader, item: ItemPath
) -> dict[str, Any]:
    """Words and pictures of a unit as it stands for the reader.

    `state` is "fitting" while the sorter is fitted again in the background, with what it is at
    (`stage`, `done`); then ask again. Otherwise it is "ready".
    """
    explainer, unit = _asked(room, key, reader, item)
    if not explainer.is_ready(unit.column):
        return _background(request, explainer, lambda p: explainer.prepare(unit.column, p))
    told = explainer.explain(item, unit.column, unit.train, unit.images, unit.state)
    return {"state": "ready"} | told


@router.get("/{item}/cut")
def cut(request: Request, room: InRoom, key: str, reader: Reader, item: ItemPath) -> dict[str, Any]:
    """Row ids of the spikes that the sorter would split off; `state` as of `explained`.

    `probability` is that of two neurons, as where a split is asked about.
    """
    explainer, unit = _asked(room, key, reader, item)
    found = explainer.cut(item, unit.state)
    if found is None:

        def work(progress: Progress) -> None:
            explainer.prepare_cut(item, unit.column, unit.train, unit.state, progress)

        return _background(request, explainer, work)
    if not found.second.any():
        raise BadEditError(
            f"two heaps of spikes in unit {item}",
            "one, to the sorter",
            "Draw a lasso around the spikes that are another neuron's, or say what the unit is.",
        )
    from nissl.annotators.spikes.own.doubting.doubts import probability

    rows = unit.ids[found.second].tolist()
    return {"state": "ready", "item": item, "rows": rows, "probability": probability(found.heaps)}


def _asked(room: Room, key: str, reader: str, item: int) -> tuple[Explainer, _Unit]:
    desk = room.desk(key)
    unit_desk(desk)  # refuses what holds no units
    explainer = _explainer(room, desk)
    with room.reading(key, reader) as reading:
        live = reading.base
        rows = live.rows(item)
        sample, sure, channel, ids = (
            live.draft.values(name, rows) for name in ("sample", "confidence", "channel", "id")
        )
        state = tuple(edit.uuid for edit in live.standing)
        now = {i: live.draft.images(i) for i in live.draft.rows}
    images = {i: found[0] for i, found in now.items() if found is not None and len(found) == 1}
    ids = ids[np.argsort(sample, kind="stable")]
    return explainer, _Unit(Train.of(sample, sure), ids, channel_of(channel), images, state)


def _explainer(room: Room, desk: Desk) -> Explainer:
    """What explains a desk's units; one is remembered, as a sorter may take much memory."""
    return room.remembered(
        "explainer", desk.key, lambda: Explainer(desk.store, desk.labels, lambda: desk.signal)
    )


def _background(
    request: Request, explainer: Explainer, work: Callable[[Progress], None]
) -> dict[str, Any]:
    """Start work, or tell how far it is; a failure is raised once, then the work is repeated."""
    explainer.complain()

    def run(progress: Progress) -> Mapping[str, Any]:
        work(progress)
        return {}

    jobs: Jobs = request.app.state.jobs
    now = jobs.start(f"explaining {explainer.base.digest[:12]}", run)
    return {"state": "fitting", "stage": now.stage, "done": now.done}
