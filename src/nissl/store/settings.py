"""Settings in the journal: what readers and projects chose, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from nissl.store import schema
from nissl.store.journal import Journal
from nissl.store.plain import dumps, loads


def setting(journal: Journal, name: str) -> dict[str, Any] | None:
    """Newest setting of a name, None where nothing was set."""
    t = schema.settings
    query = sa.select(t.c.body).where(t.c.project_id == journal.project_id, t.c.name == name)
    with journal.reading() as connection:
        row = connection.execute(query.order_by(t.c.position.desc()).limit(1)).first()
    return None if row is None else loads(row[0], dict, journal.where)


def setting_position(journal: Journal, name: str) -> int | None:
    """Position of the newest setting of a name: another one means that it was set anew."""
    t = schema.settings
    query = sa.select(sa.func.max(t.c.position))
    with journal.reading() as connection:
        found = connection.execute(
            query.where(t.c.project_id == journal.project_id, t.c.name == name)
        ).scalar()
    return None if found is None else int(found)


def set_setting(journal: Journal, name: str, body: Mapping[str, Any], *, now_s: float) -> None:
    """Set a setting; what it was before stays on record."""
    with journal.writing() as connection:
        row = {"name": name, "body": dumps(dict(body), "a setting"), "set_s": now_s}
        journal.insert(connection, schema.settings, row)
