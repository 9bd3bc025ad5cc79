"""Rounds on the disk: JSON lines that are there whole or not at all, found again by content.

The file is named by a digest of everything that decides: what is fitted and chosen on, the
beginning and the options. So the same command goes on where it was interrupted, and another
one begins a log of its own. The test part has no say in the name, as in nothing else but the
verdict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nissl.align.coupling.split import Parts
from nissl.align.coupling.state import Options, Round, State
from nissl.align.fragments import Fragment
from nissl.errors import CorruptProjectError
from nissl.labels.atomic import make_folder, write_bytes

VERSION = 1


def key_of(parts: Parts, start: State, options: Options) -> str:
    """Hex digest of all that the rounds follow from.

    Parameters
    ----------
    parts : Parts
        Of which the sealed one is not read.
    start : State
    options : Options
    """
    out = hashlib.sha256(str(VERSION).encode())
    for fragment in (*parts.fit, *parts.choose):
        out.update(fingerprint(fragment).encode())
    told = {"start": start.to_json(), "options": asdict(options)}
    out.update(json.dumps(told, sort_keys=True).encode())
    return out.hexdigest()


def fingerprint(fragment: Fragment) -> str:
    """Hex digest of a fragment's activity, windows and conditions."""
    out = hashlib.sha256(f"{fragment.name} {fragment.bin_s!r}".encode())
    for array in (fragment.activity, fragment.window, fragment.condition):
        if array is not None:
            out.update(f"{array.shape} {array.dtype}".encode())
            out.update(np.ascontiguousarray(array).tobytes())
    return out.hexdigest()


class Log:
    """Rounds of one run, each kept before the next begins.

    Parameters
    ----------
    folder : Path
    key : str
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = make_folder(folder) / f"rounds-{key[:16]}.jsonl"
        self._lines: list[str] = []
        self._verdict: dict[str, Any] | None = None
        rounds = []
        if self.path.is_file():
            try:
                for line in self.path.read_text(encoding="utf-8").splitlines():
                    held = json.loads(line)
                    if "verdict" in held:
                        self._verdict = held
                    else:
                        rounds.append(Round.from_json(held))
                        self._lines.append(line)
            except (ValueError, KeyError, TypeError) as error:
                raise CorruptProjectError(
                    f"rounds of a coupling loop in {self.path.name}",
                    f"{type(error).__name__}: {error}",
                    "Delete the file; the loop begins anew.",
                ) from error
        self.rounds: tuple[Round, ...] = tuple(rounds)

    def append(self, one: Round) -> None:
        """Keep a round; it is on the disk when this returns."""
        self.rounds = (*self.rounds, one)
        self._lines.append(json.dumps(one.to_json(), sort_keys=True, allow_nan=False))
        self._write(self._lines)

    def verdict(self, test: Sequence[str]) -> list[dict[str, Any]] | None:
        """What the test part said, where this very one was opened before."""
        if self._verdict is None or self._verdict["test"] != list(test):
            return None
        found: list[dict[str, Any]] = self._verdict["verdict"]
        return found

    def close(self, verdict: list[dict[str, Any]], test: Sequence[str]) -> None:
        """Keep what the test part said."""
        self._verdict = {"verdict": verdict, "test": list(test)}
        last = json.dumps(self._verdict, sort_keys=True, allow_nan=False)
        self._write([*self._lines, last])

    def _write(self, lines: Sequence[str]) -> None:
        write_bytes(self.path, ("\n".join(lines) + "\n").encode())


__all__ = ["Log", "fingerprint", "key_of"]
