"""Edits in the journal: appended, never changed, each proved by its own digest when read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from nissl.errors import BadEditError, NisslError
from nissl.labels import Edit
from nissl.labels.digest import canonical_json, digest_json
from nissl.store import asking, schema
from nissl.store.faults import damaged
from nissl.store.journal import Journal
from nissl.store.plain import loads
from nissl.store.rows import parsing

_T = schema.edits


def append(
    journal: Journal, edits: Sequence[Edit], *, now_s: float, answering: UUID | None = None
) -> list[UUID]:
    """Append edits in one transaction; all are on disk when this returns, or none is kept.

    An edit that is already there, sent again, is acknowledged and not stored twice.

    Raises
    ------
    BadEditError
        A known uuid with other content, or a payload that JSON cannot hold.
    """
    rows = [_row(edit) for edit in edits]
    with journal.writing() as connection:
        known = _known(journal, connection, [row["uuid"] for row in rows])
        position = journal.next_position(connection, _T)
        fresh: list[dict[str, Any]] = []
        for row in rows:
            held = known.get(row["uuid"])
            if held is None:
                known[row["uuid"]] = row["digest"]
                place = {"project_id": journal.project_id, "position": position + len(fresh)}
                fresh.append(row | place | {"received_s": now_s})
            elif held != row["digest"]:
                raise BadEditError(
                    f"the edit {row['uuid']} as it was first sent",
                    "other content under the same uuid",
                    "Give every decision a uuid of its own.",
                )
        if fresh:
            connection.execute(sa.insert(_T), fresh)
        if answering is not None and edits:
            asking.answer(journal, connection, answering, edits[0].uuid)
    return [edit.uuid for edit in edits]


def edits_after(
    journal: Journal, position: int, *, base: str | None = None
) -> list[tuple[int, Edit]]:
    """Edits with their positions, from the one after `position` on."""
    where = [_T.c.position > position] + ([] if base is None else [_T.c.base == base])
    with journal.reading() as connection:
        rows = journal.select(connection, _T, *where)
    return [(int(row["position"]), _edit(row, journal)) for row in rows]


def last_position(journal: Journal) -> int:
    """Position of the newest edit; 0 where there is none."""
    with journal.reading() as connection:
        return journal.next_position(connection, _T) - 1


def edits(journal: Journal, *, base: str | None = None) -> list[Edit]:
    """Edits in the order of the journal; of one base, or all.

    Raises
    ------
    CorruptProjectError
        A row is not what was appended.
    """
    where = [] if base is None else [_T.c.base == base]
    with journal.reading() as connection:
        rows = journal.select(connection, _T, *where)
    return [_edit(row, journal) for row in rows]


def _row(edit: Edit) -> dict[str, Any]:
    try:
        plain = Edit.from_json(edit.to_json()).to_json()
        for name in ("reviewer", "role", "base"):
            if "\0" in plain[name]:
                raise ValueError(f"{name} holds a NUL character")
        digest = digest_json(plain)
        items, payload = (canonical_json(plain[k]).decode() for k in ("items", "payload"))
    except NisslError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise BadEditError(
            "an edit of finite numbers, text, lists and mappings", str(error), "Check the client."
        ) from None
    row = {k: plain[k] for k in ("uuid", "reviewer", "role", "parent", "base", "kind")}
    row |= {"group_uuid": plain["group"], "when_s": plain["when_s"], "took_s": plain["took_s"]}
    return row | {"items": items, "payload": payload, "digest": digest}


def _known(journal: Journal, connection: sa.Connection, uuids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(uuids), 500):  # databases limit the variables of a statement
        part = uuids[start : start + 500]
        query = sa.select(_T.c.uuid, _T.c.digest)
        query = query.where(_T.c.project_id == journal.project_id, _T.c.uuid.in_(part))
        found |= {uuid: digest for uuid, digest in connection.execute(query)}
    return found


def _edit(row: sa.RowMapping, journal: Journal) -> Edit:
    where = f"edit {row['position']!r:.20} of {journal.where}"
    plain = {
        "uuid": row["uuid"],
        "kind": row["kind"],
        "base": row["base"],
        "items": loads(row["items"], list, where),
        "reviewer": row["reviewer"],
        "when_s": row["when_s"],
        "payload": loads(row["payload"], dict, where),
        "group": row["group_uuid"],
        "role": row["role"],
        "parent": row["parent"],
        "took_s": row["took_s"],
    }
    with parsing(where):
        if digest_json(plain) != row["digest"]:
            raise damaged(where, "content with another digest")
        try:
            return Edit.from_json(plain)
        except BadEditError as error:
            raise damaged(where, error.got) from None
