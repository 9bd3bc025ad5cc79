"""What routes are given: the room, the reader who asks, and names that are checked."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query, Request

from nissl.review.names import reader_name
from nissl.review.room import Room

DIGEST = r"^[0-9a-f]{64}$"
_MOST = 2**63 - 1


def _room(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


def _reader(reader: Annotated[str, Query(max_length=400)]) -> str:
    return reader_name(reader)


InRoom = Annotated[Room, Depends(_room)]
"""The project under review."""
Reader = Annotated[str, Depends(_reader)]
"""The query parameter `reader`, checked."""
DeskKey = Annotated[str, Query(pattern=DIGEST)]
"""A query parameter that is the digest of a label set."""
DeskPath = Annotated[str, Path(pattern=DIGEST)]
"""A part of the path that is the digest of a label set; so no path leaves the project."""
ItemPath = Annotated[int, Path(ge=-_MOST, le=_MOST)]
"""A part of the path that is an item."""
Position = Annotated[int, Query(ge=0, le=_MOST)]
"""A query parameter that is a position of the journal."""
