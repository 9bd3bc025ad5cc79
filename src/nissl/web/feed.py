"""News of the journal for open pages: its position, whenever it has grown."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator

from nissl.errors import NisslError
from nissl.review.room import Room

LOOK_S = 0.5
"""How often the journal is asked for what other processes appended, seconds."""

_TICK_S = 0.05
_ALIVE_S = 15.0


class Feed:
    """Tells every listener of every growth of the journal.

    What this server appends is told within `_TICK_S`, what other processes append within
    `LOOK_S`. Nothing is asked of the journal while nobody listens.

    Parameters
    ----------
    room : Room
    closing : threading.Event
        Set when the server is about to end; then listeners are let go.
    """

    def __init__(self, room: Room, closing: threading.Event) -> None:
        self._room = room
        self._closing = closing
        self._listeners = 0

    async def watch(self) -> None:
        """Look for what other processes append, until cancelled."""
        while not self._closing.is_set():
            if self._listeners:
                await asyncio.to_thread(self._look)
            await asyncio.sleep(LOOK_S)

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events: the position now, then each time it has grown."""
        self._listeners += 1
        last, silent_s = -1, 0.0
        try:
            while not self._closing.is_set():
                if self._room.position != last:
                    last, silent_s = self._room.position, 0.0
                    yield f"data: {json.dumps({'position': last})}\n\n"
                elif silent_s >= _ALIVE_S:
                    silent_s = 0.0
                    yield ": still here\n\n"
                await asyncio.sleep(_TICK_S)
                silent_s += _TICK_S
        finally:
            self._listeners -= 1

    def _look(self) -> None:
        try:
            self._room.sync()
        except NisslError:  # whoever decides next is told; listening goes on
            return
