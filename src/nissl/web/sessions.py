"""Who is let in: the token of a running server, one-time tickets, and servers side by side."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from nissl.labels.atomic import write_bytes

TICKET_S = 120.0
"""How long a one-time ticket is good for, seconds."""


class Keys:
    """What opens a server: its token, and tickets that are good once.

    A ticket is what the browser is started with, because other users of a machine can read the
    arguments of programs; whoever comes second with it is refused.

    Parameters
    ----------
    token : str, optional
        192 random bits by default.
    now : callable
        Seconds that only ever grow.
    """

    def __init__(self, token: str = "", *, now: Callable[[], float] = time.monotonic) -> None:
        self.token = token or secrets.token_urlsafe(24)
        # browsers send cookies to every port of a host: each server needs a name of its own
        self.cookie = "nissl_" + hashlib.sha256(self.token.encode()).hexdigest()[:12]
        self._now = now
        self._tickets: dict[str, float] = {}
        self._lock = threading.Lock()

    def ticket(self) -> str:
        """Return a new ticket."""
        made = secrets.token_urlsafe(24)
        with self._lock:
            self._tickets[made] = self._now() + TICKET_S
        return made

    def fits(self, given: str) -> bool:
        """Whether it is the token; takes the same time for any wrong one."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def admits(self, given: str) -> bool:
        """Whether it is the token or a ticket, which is used up by this."""
        if self.fits(given):
            return True
        with self._lock:
            until = self._tickets.pop(given, None)
        return until is not None and self._now() <= until


@dataclass(frozen=True)
class Running:
    """A review server of a project.

    Parameters
    ----------
    host : str
        Name of its machine.
    pid : int
    started_s : float
        When its process began, Unix time in seconds.
    port : int
    """

    host: str
    pid: int
    started_s: float
    port: int

    @property
    def alive(self) -> bool:
        """Whether its process still runs; of another machine's nobody here can say."""
        if self.host != socket.gethostname():
            return False
        try:
            return bool(abs(psutil.Process(self.pid).create_time() - self.started_s) < 2.0)
        except psutil.Error:
            return False


def others(folder: Path) -> list[Running]:
    """Return the servers of this machine that have the project open.

    Parameters
    ----------
    folder : Path
        The project's folder. What killed servers left behind is removed.
    """
    found = []
    for file in sorted(_notes(folder).glob("*.json")):
        try:
            note = Running(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if note.alive:
            found.append(note)
        elif note.host == socket.gethostname():
            with suppress(OSError):
                file.unlink()
    return found


@contextmanager
def announced(folder: Path, port: int) -> Iterator[None]:
    """Leave a note in the project, for `others`, while the block runs.

    The note holds no token. A project that cannot be written has none.
    """
    pid = os.getpid()
    note = Running(socket.gethostname(), pid, psutil.Process(pid).create_time(), port)
    file = _notes(folder) / f"{note.host}-{pid}.json"
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, json.dumps(asdict(note)).encode())
    try:
        yield
    finally:
        with suppress(OSError):
            file.unlink()


def _notes(folder: Path) -> Path:
    return folder / "work" / "review"
