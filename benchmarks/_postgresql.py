"""A PostgreSQL server of Debian's package, in a folder of its own, for the length of a block."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def initdb() -> Path | None:
    """Program that makes a database cluster, None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1] if found else None


@contextmanager
def postgresql() -> Iterator[str]:
    """Address of a running server with its default, durable settings (fsync on)."""
    program = initdb()
    if program is None:
        raise FileNotFoundError("no PostgreSQL server; run: apt-get install -y postgresql")
    # a short path: the socket's name has a limit; the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="nissl-pg-"))
    prefix: list[str] = []
    if os.geteuid() == 0:
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    control = [str(program.with_name("pg_ctl")), "-D", str(data), "-w"]
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"

    def command(*arguments: str) -> None:
        subprocess.run([*prefix, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    command(str(program), "-D", str(data), "-U", "nissl", "-A", "trust")
    command(*control, "-o", options, "-l", str(data / "server.log"), "start")
    try:
        yield f"postgresql://nissl@127.0.0.1:{port}/postgres"
    finally:
        command(*control, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
