"""Serving a project to a browser on this machine until Ctrl-C."""

from __future__ import annotations

import errno
import getpass
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from nissl.errors import BadArgumentError, NisslError
from nissl.project import open_project
from nissl.project.reviewing import open_room, prepare
from nissl.review.room import Room
from nissl.web.app import create_app
from nissl.web.security import Guard
from nissl.web.sessions import Keys, announced, others

HOST = "127.0.0.1"
FIRST_PORT = 8477
_TRIED = 20
_LEAVE_S = 3
_IDLE_S = 60
_SWITCH_S = 0.0005
"""Acknowledging a decision changes between waiting and computing some ten times; at Python's own
5 ms each, one queue that is computed beside it would hold it up by 50 ms."""
_WANTED = ("scipy.special", "nissl.review.policies", "nissl.review.timing", "nissl.review.queue")


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Parameters
    ----------
    port : int
    token : str
    """

    port: int
    token: str

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @property
    def tunnel(self) -> str:
        """Command that brings the port to another computer."""
        return f"ssh -N -L {self.port}:{HOST}:{self.port} {_user()}@{socket.gethostname()}"


def serve(
    path: str | Path,
    *,
    port: int | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the review of a project until Ctrl-C or SIGTERM.

    Parameters
    ----------
    path : str or Path
        The project's folder.
    port : int, optional
        The first free one by default.
    browser : bool
        Whether a browser is opened on it.
    say : callable
        Takes what the user is told.

    Raises
    ------
    BadArgumentError
        The port is taken.
    StoreError
        There is no project, or it cannot be used.
    """
    with open_project(path, create=False) as study, listen(port) as bound, _ending_in_order():
        _make_ready()
        room = open_room(study.store)
        for line in _prepared(room):
            say(line)
        keys = Keys()
        app = create_app(room)
        server = _Server(_config(Guard(app, keys)), app.state.closing)
        address = Address(bound.getsockname()[1], keys.token)
        beside = [note.port for note in others(study.path)]
        with announced(study.path, address.port), suppress(KeyboardInterrupt):
            for line in _welcome(room, address, beside=beside):
                say(line)
            if browser:
                _open_soon(Address(address.port, keys.ticket()).url, server, say)
            server.run(sockets=[bound])  # ends by raising Ctrl-C again
    say("The review has ended. Every decision that the page showed as saved is in the journal.")


def _prepared(room: Room) -> list[str]:
    try:
        return prepare(room)
    except NisslError as error:  # what is there already can be reviewed all the same
        return [f"Not everything could be prepared. {error}"]


def _make_ready() -> None:
    """Let no decision wait for what others compute, nor for an import."""
    sys.setswitchinterval(_SWITCH_S)
    for name in _WANTED:
        importlib.import_module(name)


def _config(app: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level=logging.WARNING,
        access_log=False,  # addresses hold the token
        server_header=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_LEAVE_S,
    )


class _Server(uvicorn.Server):
    """Tells the application at once that it is to end, so that open streams do."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._closing.set()
        super().handle_exit(sig, frame)


def _welcome(room: Room, address: Address, *, beside: list[int]) -> Iterator[str]:
    desks = room.desks
    sources = len({desk.source.fingerprint for desk in desks})
    yield f"Review of {room.store.name}: {_n(len(desks), 'label set')} of {_n(sources, 'source')}."
    if not desks:
        yield f"There is nothing to review yet; propose labels: nissl annotate {room.store.path}"
    for port in beside:
        yield (
            f"This project is also under review on port {port}. Both may be used: decisions "
            "go to the same journal, and each shows those of the other."
        )
    yield f"\n    {address.url}\n"
    yield f"From another computer: {address.tunnel}"
    yield "then open that address there. Ctrl-C ends the review."


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def listen(port: int | None) -> socket.socket:
    """Socket on 127.0.0.1, on a port or, where none is named, the first free one.

    Raises
    ------
    BadArgumentError
        The port is taken or may not be used.
    """
    wanted = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + _TRIED), 0]
    reason = ""
    for each in wanted:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name != "nt":  # there it would let two servers share a port
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((HOST, each))
            bound.listen(128)
        except (OSError, OverflowError) as error:
            bound.close()
            reason = _why(error)
        else:
            return bound
    raise BadArgumentError(
        "a free port", f"port {wanted[0]}: {reason}", "Name another, or none: nissl review STUDY"
    )


def _why(error: OSError | OverflowError) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return "another program listens there"
    return str(getattr(error, "strerror", None) or error)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in containers
        return "USER"


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: end in order, with everything closed."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # no signals arrive there
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open_soon(url: str, server: uvicorn.Server, say: Callable[[str], None]) -> None:
    """Open a browser once the server answers."""

    def wait_and_open() -> None:
        for _ in range(100):
            if server.started:
                break
            threading.Event().wait(0.1)
        if not _has_screen() or not webbrowser.open(url):
            say("No browser could be opened here; open the address yourself.")

    threading.Thread(target=wait_and_open, daemon=True).start()


def _has_screen() -> bool:
    if sys.platform != "linux":
        return True
    # a text browser would take the terminal, and the address with it
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
