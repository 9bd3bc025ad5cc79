"""Routes of the view of tracks: planes of volumes, points by volume, the grid of confidence."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Path, Query, Response

from nissl.review.point_carrying import carry_on
from nissl.review.point_desks import UNKNOWN, point_desk
from nissl.review.point_postures import next_volume
from nissl.review.volume_slices import MOST_LEVEL
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import array_response, table_response

router = APIRouter(prefix="/desks/{key}/points")

MOST_VOLUMES = 64
"""Volumes whose points are told at a time."""

Item = Annotated[int, Path(ge=-(2**53), lt=2**53)]
Frame = Annotated[int, Query(ge=0, lt=2**53)]
At = Annotated[int, Query(ge=-(2**31), lt=2**31)]


@router.get("/field")
def field(room: InRoom, key: str) -> dict[str, Any]:
    """Size of the volumes, how many there are, their channels, and whether they are there."""
    desk = point_desk(room.desk(key))
    return {
        "shape": list(desk.shape),
        "spacing_um": desk.spacing_um,
        "n_frames": desk.n_frames,
        "rate_hz": desk.rate_hz,
        "channels": [movie.name for movie in desk.channels],
        "n_volumes": desk.channels[0].n_frames if desk.channels else 0,
        "layers": desk.layers,
    }


@router.get("/cuts")
def cuts(
    room: InRoom,
    key: str,
    frame: Frame,
    z: At = 0,
    y: At = 0,
    x: At = 0,
    flat: bool = False,
    level: Annotated[int, Query(ge=0, le=MOST_LEVEL)] = 0,
    layer: Annotated[str, Query(max_length=120)] = "",
) -> Response:
    """Planes xy, xz and yz through a voxel, or the projections along z, y and x.

    uint8, one after the other, each (n_channels, rows, columns) of the shapes in the meta data.
    """
    desk = point_desk(room.desk(key))
    found = desk.cuts(frame, (z, y, x), flat=flat, level=level, layer=layer)
    parts = (found.xy, found.xz, found.yz)
    shapes = [list(part.shape) for part in parts]
    whole = np.concatenate([np.ascontiguousarray(part).ravel() for part in parts])
    return array_response(whole, {"shapes": shapes, "level": level})


@router.get("/grid")
def grid(room: InRoom, key: str, reader: Reader, blind: bool = False) -> Response:
    """How sure every point is and what was said of it, uint8 (2, n_items, n_frames)."""
    desk = point_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        found = desk.grid(reading)
    sure = np.minimum(found.sure, UNKNOWN) if blind else found.sure
    return array_response(np.stack([sure, found.said]), {"items": found.items.tolist()})


@router.get("/rows")
def rows(
    room: InRoom,
    key: str,
    reader: Reader,
    start: Frame,
    n: Annotated[int, Query(ge=1, le=MOST_VOLUMES)] = 1,
    blind: bool = False,
) -> Response:
    """Points of volumes [start, start + n) as they stand for the reader, as an Arrow stream."""
    desk = point_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        table = desk.rows(reading, start, start + n)
    return table_response(table.drop_columns(["confidence"]) if blind else table)


@router.get("/next")
def next_to_annotate(room: InRoom, key: str, reader: Reader) -> dict[str, Any]:
    """The volume whose annotation is expected to put most neuron-frames right."""
    desk = point_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        found = desk.grid(reading)
    return next_volume(desk, found).to_json()


@router.post("/alike")
def alike(
    room: InRoom,
    key: str,
    reader: Reader,
    frame: Annotated[int, Body(ge=0, lt=2**53, embed=True)],
) -> dict[str, Any]:
    """Put right in volumes of similar posture what the reader corrected in one; on disk then."""
    carried = carry_on(room, key, reader, frame)
    return {
        "frames": list(carried.frames),
        "points": carried.points,
        "looked_at": carried.looked_at,
        "position": room.position,
    }


@router.get("/{item}/track")
def track(room: InRoom, key: str, reader: Reader, item: Item) -> Response:
    """Frame, x, y and z of a track's points that are to be seen, float32 (4, n)."""
    desk = point_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        return array_response(desk.track(reading, item))
