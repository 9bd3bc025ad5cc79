"""Running another program as part of a job: log, measured memory, Ctrl-C, its last words.

The program holds our end of its standard input: once that closes, this process is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal as signals
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from nissl.errors import InterruptedRunError, MethodFailedError
from nissl.run.context import Context
from nissl.run.execute import STARTS_AGAIN
from nissl.run.limits import child_environment
from nissl.run.memory import measure_peak

POLL_S = 0.2


def run_process(
    command: Sequence[str],
    log: Path,
    context: Context,
    stage: str,
    environment: Mapping[str, str] | None = None,
) -> tuple[float, int]:
    """Run a command to its end.

    Parameters
    ----------
    command : sequence of str
    log : Path
        Where its output goes.
    context : Context
    stage : str
        Name for progress and errors.
    environment : mapping of str to str, optional
        Further environment variables.

    Returns
    -------
    wall_s : float
    peak_bytes : int
        Most resident memory of it and its children.

    Raises
    ------
    MethodFailedError
        It failed; its log is named.
    InterruptedRunError
        Ctrl-C; it was ended.
    """
    told = os.environ | child_environment() | dict(environment or {})
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=told,
            start_new_session=True,
        )
        try:
            with measure_peak(process.pid, interval_s=POLL_S) as peak:
                _wait(process, context, stage)
        except KeyboardInterrupt:
            raise InterruptedRunError(
                f"{stage} to finish",
                "an interruption (Ctrl-C)",
                STARTS_AGAIN,
            ) from None
        finally:
            _end(process)
    if process.returncode != 0:
        raise MethodFailedError(
            f"{stage} to finish",
            f"exit status {process.returncode}: {_last_words(log)}",
            f"Read its log: {log}",
        )
    return time.perf_counter() - began, peak.bytes


def _wait(process: subprocess.Popen[bytes], context: Context, stage: str) -> None:
    last = time.perf_counter()
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
        now = time.perf_counter()
        context.progress.advance(stage, now - last)
        last = now


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signals.SIGKILL)
            else:
                process.kill()
        process.wait()
    stdin: IO[bytes] | None = process.stdin
    if stdin is not None:
        with contextlib.suppress(OSError):
            stdin.close()


def _last_words(log: Path) -> str:
    """Last line of a log that says something."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "no log"
    said = [
        line.strip()
        for line in lines
        if "Error" in line and "SpikeSortingError" not in line and "raise " not in line
    ] or [line.strip() for line in lines if line.strip()]
    return said[-1][:300] if said else "nothing in its log"


__all__ = ["run_process"]
