"""Fitted models: folders by digest, their rows in the journal, and which one is in use."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nissl.errors import BadArgumentError, MissingInputError, StoreError
from nissl.labels.atomic import fsync_folder, store_error, write_bytes
from nissl.labels.digest import canonical_json, digest_json
from nissl.store import schema
from nissl.store.faults import damaged
from nissl.store.journal import Journal
from nissl.store.objects import checked
from nissl.store.plain import dumps, loads
from nissl.store.rows import parsing, text

CARD = "card.json"


@dataclass(frozen=True)
class ModelRow:
    """A model on record.

    Parameters
    ----------
    digest, task, name, version : str
    card : dict
        Training data, metrics, calibration; JSON values.
    made_s : float
        Unix time, seconds.
    """

    digest: str
    task: str
    name: str
    version: str
    card: dict[str, Any]
    made_s: float


@dataclass(frozen=True)
class ModelMove:
    """Who put which model of a task into use, and when (Unix seconds)."""

    task: str
    digest: str
    by: str
    moved_s: float


def put(root: Path, files: Mapping[str, bytes], card: Mapping[str, Any]) -> str:
    """Write a model's folder, whole or not at all; returns its digest."""
    for name in files:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name) or name == CARD:
            raise BadArgumentError(
                f"plain file names other than {CARD!r}", repr(name)[:100], "Rename the file."
            )
    digest = _digest(files, card)
    target = root / "models" / digest
    if not target.exists():
        partial = target.with_name(f".{digest}.{secrets.token_hex(8)}.partial")
        try:
            partial.mkdir(parents=True)
            for name, content in files.items():
                write_bytes(partial / name, content)
            write_bytes(partial / CARD, canonical_json(dict(card)))
            try:
                os.rename(partial, target)
            except OSError:
                if not target.exists():  # else another process was first, with the same content
                    raise
            fsync_folder(target.parent)
        except OSError as error:
            raise error if isinstance(error, StoreError) else store_error(error, target) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return digest


def get(root: Path, digest: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files and card of a model, proved to be what was put.

    Raises
    ------
    MissingInputError, CorruptProjectError
    """
    folder = root / "models" / checked(digest)
    if not folder.is_dir():
        raise MissingInputError(
            f"the model {digest[:12]!r}", "no such folder", "`nissl models` lists what there is."
        )
    try:
        files = {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != CARD}
        card = json.loads((folder / CARD).read_bytes())
    except (OSError, ValueError) as error:
        raise damaged(folder, f"{type(error).__name__}: {str(error)[:100]}") from error
    if not isinstance(card, dict) or _digest(files, card) != digest:
        raise damaged(folder, "content with another digest")
    return files, card


def record(journal: Journal, digest: str, card: Mapping[str, Any], *, now_s: float) -> None:
    """Put a kept model on record; a second time does nothing."""
    missing = [name for name in ("task", "name", "version") if not card.get(name)]
    if missing:
        raise BadArgumentError(
            "a card with task, name and version", f"none for {missing}", "Complete the card."
        )
    t = schema.models
    values = {name: str(card[name]) for name in ("task", "name", "version")}
    with journal.writing() as connection:
        if not journal.select(connection, t, t.c.digest == digest):
            row = {"digest": digest, "card": dumps(dict(card), "a card"), "made_s": now_s}
            journal.insert(connection, t, row | values)


def models(journal: Journal, task: str | None = None) -> list[ModelRow]:
    """Models on record, oldest first."""
    t = schema.models
    with journal.reading() as connection:
        rows = journal.select(connection, t, *([] if task is None else [t.c.task == task]))
    with parsing(journal.where):
        return [
            ModelRow(
                digest=text(row["digest"]),
                task=text(row["task"]),
                name=text(row["name"]),
                version=text(row["version"]),
                card=loads(row["card"], dict, journal.where),
                made_s=float(row["made_s"]),
            )
            for row in rows
        ]


def moves(journal: Journal, task: str) -> list[ModelMove]:
    """Every model that was put into use for a task, oldest first."""
    t = schema.model_heads
    with journal.reading() as connection:
        rows = journal.select(connection, t, t.c.task == task)
    with parsing(journal.where):
        return [
            ModelMove(
                task=text(row["task"]),
                digest=text(row["digest"]),
                by=text(row["moved_by"]),
                moved_s=float(row["moved_s"]),
            )
            for row in rows
        ]


def use(journal: Journal, task: str, digest: str, *, by: str, now_s: float) -> None:
    """Put a model into use; "" puts the method's own (shipped) weights back.

    Raises
    ------
    MissingInputError
        The model is not on record for this task.
    BadArgumentError
        Nobody is named.
    """
    if not by:
        raise BadArgumentError("who puts the model into use", "an empty name", "Say who decides.")
    t = schema.models
    with journal.writing() as connection:
        known = journal.select(connection, t, t.c.digest == digest, t.c.task == task)
        if digest and not known:
            raise MissingInputError(
                f"a model of the task {task!r} with the digest {digest[:12]!r}",
                "none",
                "`nissl models` lists what there is.",
            )
        row = {"task": task, "digest": digest, "moved_by": by, "moved_s": now_s}
        journal.insert(connection, schema.model_heads, row)


def _digest(files: Mapping[str, bytes], card: Mapping[str, Any]) -> str:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return digest_json({"format": 1, "files": hashes, "card": dict(card)})
