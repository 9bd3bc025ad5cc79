"""What routes are given: the room, and the reader who asks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from nissl.review.names import reader_name
from nissl.review.room import Room


def _room(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


def _reader(reader: Annotated[str, Query(max_length=400)]) -> str:
    return reader_name(reader)


InRoom = Annotated[Room, Depends(_room)]
"""The project under review."""
Reader = Annotated[str, Depends(_reader)]
"""The query parameter `reader`, checked."""
