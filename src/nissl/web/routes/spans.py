"""Spans of a desk in lanes, one per author."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from nissl.errors import BadArgumentError
from nissl.labels import Kind
from nissl.labels.replay import STATES
from nissl.review.lanes import labels_of
from nissl.review.lanes import lanes as lanes_of
from nissl.review.lanes import spans as spans_of
from nissl.review.room import Room
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import table_response

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
    return {"lanes": told, "states": list(STATES)}


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


def _check_spans(room: Room, key: str) -> None:
    kind = room.desk(key).kind
    if kind is not Kind.SPANS:
        raise BadArgumentError(
            "a desk of spans", f"one of {kind.value}", "Open a desk whose view is spans."
        )
