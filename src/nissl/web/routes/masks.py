"""Routes of masks in the view of tracks: which neuron each voxel of what is shown belongs to."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Response

from nissl.errors import MissingInputError
from nissl.review.mask_layers import mask_layer
from nissl.review.volume_slices import MOST_LEVEL
from nissl.web.depends import InRoom
from nissl.web.routes.points import At, Frame
from nissl.web.wire import array_response

router = APIRouter(prefix="/desks/{key}/masks")


@router.get("/field")
def field(room: InRoom, key: str) -> dict[str, Any]:
    """Neurons with masks in the desk's movie, and whose masks they are; none where there are none.

    A voxel of the first neuron is 1 in what `cuts` gives.
    """
    layer = mask_layer(room.desk(key))
    if layer is None:
        return {"items": [], "author": ""}
    return {"items": layer.items.tolist(), "author": layer.author}


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
) -> Response:
    """Planes xy, xz and yz of numbers through a voxel, or what rays along z, y and x meet first.

    uint16, one after the other, each (1, rows, columns) of the shapes in the meta data.
    """
    layer = mask_layer(room.desk(key))
    if layer is None:
        raise MissingInputError("masks of this movie", "none", "Reload the page.")
    found = layer.cuts(frame, (z, y, x), flat=flat, level=level)
    parts = (found.xy, found.xz, found.yz)
    shapes = [list(part.shape) for part in parts]
    whole = np.concatenate([np.ascontiguousarray(part).ravel() for part in parts])
    return array_response(whole, {"shapes": shapes, "level": level})
