"""Edits: what people decide, one immutable record each, appended to the journal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from nissl.errors import BadEditError, BadLabelsError
from nissl.labels.digest import plain_json

BY_METHOD = "method"
"""Role of edits that a method makes on a person's behalf: they move points and decide nothing."""


class EditKind(StrEnum):
    """What an edit does; the payload each takes stands beside it."""

    ACCEPT = "accept"  # {}; of a track also {"frames": [...]} or {"rows": [row ids]}: these only
    REJECT = "reject"  # {}
    RELABEL = "relabel"  # {"label": class name}
    MOVE = "move"  # the kind's place columns: {"sample"} | {"start", "stop"} | {"x", "y", "z"}
    # a method's, of several points: {"rows": [row ids], "x": [...], "y": [...], "z": [...]}
    RESHAPE = "reshape"  # {"pixels": [...], "weights": [...] or None}
    ADD = "add"  # {"rows": [{column: value}]}; items are assigned by replay
    REMOVE = "remove"  # {}
    MERGE = "merge"  # {}; the items become the lowest of them
    SPLIT = "split"  # {"rows": [[row ids of the first new item], [second], ...]}
    SWAP = "swap"  # {"from": frame or sample}; two items exchange identity from there on
    LINK = "link"  # {"to": [digest, item]}
    UNSURE = "unsure"  # {}; of a track also {"frames": [...]} or {"rows": [row ids]}
    NOTE = "note"  # {"text": str}
    FLAG = "flag"  # {"text": str}; asks for a second reader
    ADJUDICATE = "adjudicate"  # {"label": class name}; settles readers who disagree
    UNDO = "undo"  # {"target": uuid of an edit or group of the same reviewer}


@dataclass(frozen=True)
class Edit:
    """One decision of one reviewer.

    Parameters
    ----------
    uuid : UUID
        From the client; sending it again does nothing twice.
    kind : EditKind
    base : str
        Digest of the label set it was made on.
    items : tuple of int
        Items of that set.
    reviewer : str
    when_s : float
        Unix time at which it was made, seconds.
    payload : mapping
        JSON values, by kind (see `EditKind`).
    group : UUID, optional
        Edits made and undone together.
    role : str
        "reader", "adjudicator", `BY_METHOD`, ...
    parent : UUID, optional
        The edit it answers.
    took_s : float, optional
        How long the decision took, seconds.
    """

    uuid: UUID
    kind: EditKind
    base: str
    items: tuple[int, ...]
    reviewer: str
    when_s: float
    payload: Mapping[str, Any] = field(default_factory=dict)
    group: UUID | None = None
    role: str = "reader"
    parent: UUID | None = None
    took_s: float | None = None

    def __post_init__(self) -> None:
        if not self.reviewer:
            raise BadEditError("a reviewer's name", "an empty one", "Say who decides.")
        if not math.isfinite(self.when_s) or not math.isfinite(self.took_s or 0.0):
            raise BadEditError(
                "finite times", f"when_s={self.when_s}, took_s={self.took_s}", "Check the client."
            )
        try:
            payload = plain_json(dict(self.payload), "payload of an edit")
        except BadLabelsError as error:
            raise BadEditError(error.expected, error.got, error.remedy) from None
        object.__setattr__(self, "payload", payload)

    @property
    def of_rows(self) -> bool:
        """Whether it speaks of some points of tracks only, not of whole items."""
        named = "frames" in self.payload or "rows" in self.payload
        return named and self.kind in (EditKind.ACCEPT, EditKind.UNSURE)

    @property
    def by_method(self) -> bool:
        """Whether a method made it on the reviewer's behalf: it is no decision of a person."""
        return self.role == BY_METHOD

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "uuid": str(self.uuid),
            "kind": self.kind.value,
            "base": self.base,
            "items": list(self.items),
            "reviewer": self.reviewer,
            "when_s": self.when_s,
            "payload": dict(self.payload),
            "group": str(self.group) if self.group else None,
            "role": self.role,
            "parent": str(self.parent) if self.parent else None,
            "took_s": self.took_s,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Edit:
        """Inverse of `to_json`; anything malformed raises `BadEditError`."""
        try:
            return cls(
                uuid=UUID(value["uuid"]),
                kind=EditKind(value["kind"]),
                base=str(value["base"]),
                items=tuple(int(i) for i in value["items"]),
                reviewer=str(value["reviewer"]),
                when_s=float(value["when_s"]),
                payload=dict(value["payload"]),
                group=UUID(value["group"]) if value.get("group") else None,
                role=str(value.get("role", "reader")),
                parent=UUID(value["parent"]) if value.get("parent") else None,
                took_s=None if value.get("took_s") is None else float(value["took_s"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadEditError(
                "the fields of an edit", f"{value!r:.200} ({error})", "Check the client."
            ) from None
