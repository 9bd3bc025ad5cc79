"""Routes of the regions view: pictures of the field, outlines, traces, frames of the movie."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from nissl.errors import BadArgumentError, BadEditError, MissingInputError
from nissl.review.crops import Box, box_of, frames_of
from nissl.review.region_desks import Outlines, RegionDesk, region_desk
from nissl.review.region_images import to_bytes
from nissl.review.region_traces import Lines, peaks
from nissl.review.room import Room
from nissl.web.depends import InRoom, Reader
from nissl.web.wire import array_response

router = APIRouter(prefix="/desks/{key}/regions")

MOST_PIXELS = 250_000
MOST_FRAMES = 600
AROUND_PX = 10
"""What is shown of the movie around a region, beyond its outline."""
_MOST_VALUES = 1 << 24

Item = Annotated[int, Path(ge=-(2**53), lt=2**53)]
Plane = Annotated[int, Query(ge=0, lt=2**31)]
Frame = Annotated[int, Query(ge=0, lt=2**53)]


class OutlineModel(BaseModel):
    """An outline that may not stand anywhere yet."""

    model_config = ConfigDict(extra="forbid")

    pixels: list[Annotated[int, Field(ge=0, lt=2**53)]] = Field(
        min_length=1, max_length=MOST_PIXELS
    )
    weights: list[Annotated[float, Field(gt=0, lt=1e30)]] | None = Field(
        None, max_length=MOST_PIXELS
    )
    item: Annotated[int, Field(ge=-(2**53), lt=2**53)] | None = None


def _regions(room: Room, key: str, reader: str) -> tuple[RegionDesk, Outlines]:
    """Live side of a desk, and the outlines as the reader has them now."""
    found = region_desk(room.desk(key))
    with room.reading(key, reader) as reading:
        return found, found.outlines(reading)


@router.get("/field")
def field(room: InRoom, key: str) -> dict[str, Any]:
    """Size of the field, its pictures, and whether the movie is there."""
    desk = region_desk(room.desk(key))
    desk.wait(0.3)
    movie = desk.movie
    return {
        "shape": list(desk.shape),
        "layers": desk.layers,
        "pictures": desk.pictures,
        "movie": movie is not None,
        "rate_hz": desk.rate_hz,
        "n_frames": None if movie is None else movie.n_frames,
        "spacing_um": None if movie is None else movie.spacing_um,
    }


@router.get("/images/{name}")
def image(
    room: InRoom, key: str, name: Annotated[str, Path(max_length=80)], plane: Plane = 0
) -> Response:
    """A picture of the field, uint8 (y, x); 0 is unknown, `low` and `high` are steps 1 and 255."""
    steps, low, high = to_bytes(region_desk(room.desk(key)).image(name, plane))
    return array_response(steps, {"low": low, "high": high})


@router.get("/outlines")
def outlines(room: InRoom, key: str, reader: Reader) -> Response:
    """Every region as it stands: the items, where each one's pixels end, the pixels, the weights.

    One array of int32; the weights are float32 in the same bytes.
    """
    _, found = _regions(room, key, reader)
    parts = [found.items, found.starts[1:], found.pixels]
    if any(part.size and int(part.max()) >= 2**31 for part in parts):
        raise BadArgumentError(
            "items and pixels below 2 ** 31", "larger ones", "Review such a field in parts."
        )
    weights = found.weights.astype("<f4").view("<i4")
    whole = np.concatenate([*(part.astype("<i4") for part in parts), weights])
    return array_response(whole, {"n": int(found.items.size)})


@router.get("/{item}/trace")
def trace(room: InRoom, key: str, reader: Reader, item: Item) -> Response:
    """Curves of a region, float32 (n_lines, n_samples), and where its largest transients are."""
    desk, found = _regions(room, key, reader)
    return _told(desk, desk.lines(found, item))


@router.post("/extract")
def extract(
    room: InRoom, key: str, reader: Reader, outline: Annotated[OutlineModel, Body()]
) -> Response:
    """Curves of an outline as it is drawn; `item` is the region that it replaces."""
    desk, found = _regions(room, key, reader)
    if outline.weights is not None and len(outline.weights) != len(outline.pixels):
        raise BadArgumentError(
            "one weight per pixel",
            f"{len(outline.weights)} weights for {len(outline.pixels)} pixels",
            "Reload the page.",
        )
    return _told(desk, desk.extract(found, outline.pixels, outline.weights, but=outline.item))


@router.get("/warm")
def warm(
    room: InRoom, key: str, y: Annotated[int, Query(ge=0)], x: Annotated[int, Query(ge=0)],
    plane: Plane = 0,
) -> dict[str, Any]:  # fmt: skip
    """Begin to read the movie around a place where somebody begins to draw."""
    desk = region_desk(room.desk(key))
    depth, height, width = desk.shape
    if plane >= depth or y >= height or x >= width:
        raise BadArgumentError(
            f"a place in the field of {desk.shape}", f"{(plane, y, x)}", "Draw inside the picture."
        )
    crop = desk.crop(np.asarray([(plane * height + y) * width + x]))
    return {"read": None if crop is None else crop.n_read / max(crop.first.size, 1)}


@router.get("/{item}/frames")
def frames(
    room: InRoom,
    key: str,
    reader: Reader,
    item: Item,
    start: Frame = 0,
    n: Annotated[int, Query(ge=1, le=MOST_FRAMES)] = 60,
) -> Response:
    """Frames of the movie around a region, uint8 (n, height, width), on one scale of grey."""
    desk, found = _regions(room, key, reader)
    movie = desk.movie
    if movie is None:
        raise MissingInputError("the movie", "none at hand", "Add or relocate the movie.")
    own = found.of(item)
    if own is None:
        raise BadEditError("a region that is there", f"region {item}", "Undo brings it back.")
    box = box_of(own[0], desk.shape).wider(AROUND_PX, desk.shape)
    if start >= movie.n_frames:
        raise BadArgumentError(f"a frame below {movie.n_frames}", str(start), "Reload the page.")
    segment = next(s for s in movie.clock.segments if s.start <= start < s.stop)
    most = max(_MOST_VALUES // int(np.prod(box.shape)), 1)
    stop = min(start + min(n, most), segment.stop)
    shown = _frames(desk, start, stop, box)
    steps, low, high = to_bytes(shown)
    told = {"top": box.top, "left": box.left, "first": start, "low": low, "high": high}
    return array_response(steps, told)


def _frames(desk: RegionDesk, start: int, stop: int, box: Box) -> np.ndarray[Any, np.dtype[Any]]:
    """From what is in memory where that holds them, else from the movie."""
    if desk.crops is None or desk.movie is None:
        raise MissingInputError("the movie", "none at hand", "Add or relocate the movie.")
    crop = desk.crops.of(box)
    if crop.step > 1 or crop.n_read < stop or crop.fault:
        return frames_of(desk.movie, start, stop, box)
    top, left = box.top - crop.box.top, box.left - crop.box.left
    height, width = box.shape
    return crop.values[start:stop, top : top + height, left : left + width]


def _told(desk: RegionDesk, lines: Lines) -> Response:
    main = lines.line("dff")
    found = np.zeros(0, np.int64) if main is None else peaks(main, lines.rate_hz)
    step = int(lines.frame[1] - lines.frame[0]) if lines.frame.size > 1 else 1
    told = {
        "lines": list(lines.names),
        "rate_hz": lines.rate_hz,
        "origin": lines.origin,
        "frame_step": step,
        "peaks": found.tolist(),
        "movie": desk.movie is not None,
        **lines.facts,
    }
    return array_response(lines.values, told)
