"""Where claims go: a journal that survives any crash, and lines on a terminal.

A journal is a text file of JSON lines that is only ever appended to. `Journal.write` returns when
the lines are on the disk (fsync): from then on they are acknowledged, and a process that is
killed loses none of them. A last line that was cut off had not been acknowledged, and is dropped
when the journal is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO, runtime_checkable

from nissl.errors import CorruptSourceError
from nissl.labels.atomic import make_folder, refusal
from nissl.live.contract import Claim, LiveMethod
from nissl.live.sources import Chunk

FORMAT = 1


@runtime_checkable
class Prompt(Protocol):
    """A sink for which every millisecond counts: it is served before all that keep to a disk."""

    def arrived(self, chunk: Chunk) -> None:
        """Take note of a chunk before it is looked at."""


class Sink(Protocol):
    """What claims are given to."""

    def write(self, claims: Sequence[Claim]) -> None:
        """Take claims, at least one; they are acknowledged when it returns."""

    def gap(self, first_sample: int, lost_s: float) -> None:
        """Take note that samples were lost before one."""

    def close(self) -> None:
        """Nothing more will come."""


class Callback:
    """Claims as calls of a function.

    Parameters
    ----------
    call : callable
        Takes the claims of a chunk; what it raises ends the run.
    """

    def __init__(self, call: Callable[[Sequence[Claim]], object]) -> None:
        self._call = call

    def write(self, claims: Sequence[Claim]) -> None:
        """Call it."""
        self._call(claims)

    def gap(self, first_sample: int, lost_s: float) -> None:
        """A gap is no claim."""

    def close(self) -> None:
        """Nothing is held."""


class Lines:
    """One JSON object per line.

    Parameters
    ----------
    out : text file
    rate_hz : float
        To tell seconds beside the samples.
    """

    def __init__(self, out: TextIO, rate_hz: float) -> None:
        self._out, self._rate = out, rate_hz

    def write(self, claims: Sequence[Claim]) -> None:
        """Print them."""
        for claim in claims:
            at = {"start_s": claim.start / self._rate, "stop_s": claim.stop / self._rate}
            self._print({**claim.to_json(), **at})

    def gap(self, first_sample: int, lost_s: float) -> None:
        """Print it."""
        self._print({"gap": {"sample": first_sample, "lost_s": lost_s}})

    def close(self) -> None:
        """The file stays open: it is not ours."""
        self._out.flush()

    def _print(self, value: Mapping[str, Any]) -> None:
        self._out.write(json.dumps(value) + "\n")
        self._out.flush()


class Journal:
    """An append-only file of claims.

    Parameters
    ----------
    path : Path
        A new file.
    head : mapping
        What is known before the first sample, JSON values; see `head_of`.

    Raises
    ------
    StoreError
        The file cannot be written.
    """

    def __init__(self, path: Path, head: Mapping[str, Any]) -> None:
        make_folder(path.parent)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        _hold(self._file)
        self._append({"format": FORMAT, **head})

    def write(self, claims: Sequence[Claim]) -> None:
        """Keep them; they are on the disk when it returns."""
        self._append({"claims": [claim.to_json() for claim in claims]})

    def gap(self, first_sample: int, lost_s: float) -> None:
        """Keep it."""
        self._append({"gap": {"sample": first_sample, "lost_s": lost_s}})

    def close(self) -> None:
        """Close the file; what was acknowledged is there already."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _append(self, value: Mapping[str, Any]) -> None:
        line = (json.dumps(value) + "\n").encode()
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except OSError as error:
            known = refusal(error)
            raise error if known is None else known from error


def _hold(file: int) -> None:
    """Show other processes that a session is writing; ends with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # no POSIX locks here
        return
    fcntl.flock(file, fcntl.LOCK_EX)


@dataclass(frozen=True)
class Kept:
    """What a journal holds.

    Parameters
    ----------
    head : mapping
    claims : tuple of Claim
    gaps : tuple of mapping
    """

    head: Mapping[str, Any]
    claims: tuple[Claim, ...]
    gaps: tuple[Mapping[str, Any], ...]


def read_journal(path: Path) -> Kept:
    """Everything that was acknowledged.

    Raises
    ------
    CorruptSourceError
        A line other than an unfinished last one is not what was written.
    """
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    try:
        head, *rest = [json.loads(line) for line in whole.split(b"\n")]
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}")
        claims = [Claim.from_json(c) for line in rest for c in line.get("claims", ())]
        gaps = [line["gap"] for line in rest if "gap" in line]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptSourceError(
            f"a journal of live labels in {path.name}",
            str(error)[:200],
            "Restore the file from a copy, or move it away: the project is not touched by it.",
        ) from error
    return Kept(head, tuple(claims), tuple(gaps))


def head_of(method: LiveMethod, source: Mapping[str, Any]) -> dict[str, Any]:
    """First line of a journal.

    Parameters
    ----------
    method : LiveMethod
    source : mapping
        "fingerprint" and "stream" of a source of the project, or "recording", the file beside
        the journal that the stream is written to.
    """
    return {
        "method": method.name,
        "version": method.version,
        "weights": method.weights,
        "kind": method.kind.value,
        "classes": list(method.vocabulary.names),
        "colours": list(method.vocabulary.colours),
        "parameters": dict(method.parameters),
        "rate_hz": method.stream.rate_hz,
        "channels": list(method.stream.channels.ids),
        "source": dict(source),
    }


__all__ = ["Callback", "Journal", "Kept", "Lines", "Prompt", "Sink", "head_of", "read_journal"]
