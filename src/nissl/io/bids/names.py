"""Names by the rules of BIDS: letters and digits only, entities in their order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nissl.data.recording import UNKNOWN
from nissl.errors import BadArgumentError
from nissl.io.spikes import channels_of
from nissl.tasks import Dossier

DESCRIPTION = "nissl"
SUFFIX = "events"
_DATATYPES = {"meg": "meg"} | dict.fromkeys(("ieeg", "seeg", "ecog", "lfp", "lf", "ap"), "ieeg")
_ENTITY = re.compile(r"(sub|ses|task|acq|run|desc)-([A-Za-z0-9]+)")


def label_of(identifier: str, prefix: str = "") -> str:
    """Label of an identifier: itself, or its letters and digits and four of its hash.

    Two identifiers that differ only in what BIDS does not allow stay two.
    """
    bare = identifier.removeprefix(f"{prefix}-") if prefix else identifier
    plain = re.sub(r"[^A-Za-z0-9]", "", bare)
    if plain == bare and plain:
        return plain
    return plain + hashlib.sha256(identifier.encode()).hexdigest()[:4]


@dataclass(frozen=True)
class Entities:
    """What the name of a file says.

    Parameters
    ----------
    subject, session, task : str
        Labels; the session is "" where nobody knows it.
    run : int
        0 for the only run.
    datatype : {"eeg", "ieeg", "meg"}
    """

    subject: str
    session: str
    task: str
    run: int
    datatype: str

    @property
    def folder(self) -> Path:
        """Folder of the file, within the dataset."""
        session = [f"ses-{self.session}"] if self.session else []
        return Path(f"sub-{self.subject}", *session, self.datatype)

    @property
    def stem(self) -> str:
        """Name of the file without its ending."""
        parts = [f"sub-{self.subject}"]
        if self.session:
            parts.append(f"ses-{self.session}")
        parts.append(f"task-{self.task}")
        if self.run:
            parts.append(f"run-{self.run:02}")
        return "_".join([*parts, f"desc-{DESCRIPTION}", SUFFIX])

    def at(self, root: Path, ending: str) -> Path:
        """Path of the file with an ending, below the dataset's root."""
        return root / self.folder / f"{self.stem}{ending}"

    def next_run(self) -> Entities:
        """Entities of a further recording of the same session."""
        return replace(self, run=self.run + 1 if self.run else 2)


def entities_of(dossier: Dossier) -> Entities:
    """Entities of a dossier, by pseudonym; a subject nobody knows is told by its source."""
    subject = _id(dossier.source.get("subject"))
    session = _id(dossier.source.get("session"))
    source = str(dossier.source.get("fingerprint") or dossier.labels.provenance.source)
    table = channels_of(dossier)
    return Entities(
        f"unknown{source[:8]}" if subject == UNKNOWN else label_of(subject, "sub"),
        "" if session == UNKNOWN else label_of(session, "ses"),
        label_of(dossier.labels.provenance.task or "events"),
        0,
        _DATATYPES.get("" if table is None else table.kind, "eeg"),
    )


def entities_in(name: str) -> Mapping[str, str]:
    """Entities in a file's name, by their short keys ("sub", "ses", ...)."""
    found = [_ENTITY.fullmatch(part) for part in name.split("_")]
    return {m[1]: m[2] for m in found if m is not None}


def events_files(root: Path) -> list[Path]:
    """All tables of events below a folder.

    Raises
    ------
    BadArgumentError
        There are none.
    """
    found = sorted(root.rglob(f"*_{SUFFIX}.tsv"))
    if not found:
        raise BadArgumentError("a folder with BIDS events", f"none in {root}", "Give a file.")
    return found


def _id(value: Any) -> str:
    return str((value or {}).get("id") or UNKNOWN)
