"""Spans of a desk in lanes, one per author."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from nissl.errors import BadArgumentError
from nissl.labels import Kind
from nissl.labels.replay import STATES
from nissl.review.hypnodensity import MOST_COLUMNS, hypnodensity
from nissl.review.lanes import epochs, labels_of
from nissl.review.lanes import lanes as lanes_of
from nissl.review.lanes import spans as spans_of
from nissl.review.room import Room
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import array_response, table_response

router = APIRouter()

Sample = Annotated[int | None, Query(ge=0, lt=2**53)]


@router.get("/desks/{key}/spans/lanes")
def lanes(room: InRoom, key: str, reader: Reader, blind: bool = False) -> dict[str, Any]:
    """Authors whose spans the reader may see; the reader's own lane is the first."""
    _check_spans(room, key)
    found = lanes_of(room, key, reader, blind=blind)
    told = [
        {
            "name": lane.name,
            "kind": lane.kind,
            "classes": list(labels_of(room, key, lane).vocabulary.names),
        }
        for lane in found
    ]
    grid = epochs(room.desk(key).labels)
    return {"lanes": told, "states": list(STATES), "epochs": None if grid is None else list(grid)}


@router.get("/desks/{key}/spans")
def spans(
    room: InRoom,
    key: str,
    reader: Reader,
    start: Sample = None,
    stop: Sample = None,
    lanes: Annotated[str, Query(max_length=400, pattern=r"^(\d+(,\d+)*)?$")] = "",
    blind: bool = False,
    asked: Annotated[int | None, Query(gt=-(2**53), lt=2**53)] = None,
) -> Response:
    """Spans that meet a window, as an Arrow stream; see `nissl.review.lanes.SCHEMA`."""
    _check_spans(room, key)
    window = (
        None if start is None and stop is None else (start or 0, 2**53 if stop is None else stop)
    )
    only = frozenset(int(lane) for lane in lanes.split(",")) if lanes else None
    found = spans_of(room, key, reader, window=window, only=only, blind=blind, asked=asked)
    return table_response(found)


@router.get("/desks/{key}/spans/density")
def density(
    room: InRoom,
    key: str,
    n_samples: Annotated[int, Query(ge=1, lt=2**53)],
    columns: Annotated[int, Query(ge=1, le=MOST_COLUMNS)] = 1000,
    blind: bool = False,
) -> Response:
    """How likely each class is along the recording, uint8 (n_classes, n_columns), 255 is certain.

    A blind reader gets no columns.
    """
    _check_spans(room, key)
    labels = room.desk(key).labels
    if blind:
        return array_response(np.zeros((len(labels.vocabulary), 0), np.uint8))
    found = hypnodensity(labels, n_samples, columns)
    return array_response(np.rint(found * 255).astype(np.uint8))


def _check_spans(room: Room, key: str) -> None:
    kind = room.desk(key).kind
    if kind is not Kind.SPANS:
        raise BadArgumentError(
            "a desk of spans", f"one of {kind.value}", "Open a desk whose view is spans."
        )
