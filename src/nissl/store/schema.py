"""The journal's tables as SQLAlchemy sees them.

The SQL files in `migrations` are the truth; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import column, table

projects = table("projects", *map(column, ("project_id", "name", "created_s")))
sources = table(
    "sources",
    *map(
        column,
        (
            "project_id",
            "position",
            "fingerprint",
            "name",
            "path",
            "format",
            "options",
            "subject",
            "session",
            "streams",
            "added_s",
            "hashed_mtime_ns",
            "hashed_size",
            "full_hash",
        ),
    ),
)
source_changes = table(
    "source_changes",
    *map(column, ("project_id", "position", "fingerprint", "before", "after", "changed_s")),
)
runs = table(
    "runs",
    *map(
        column,
        (
            "project_id",
            "position",
            "job_hash",
            "job",
            "state",
            "attempts",
            "outputs",
            "log",
            "error",
            "started_s",
            "ended_s",
        ),
    ),
)
label_sets = table(
    "label_sets",
    *map(
        column,
        (
            "project_id",
            "position",
            "digest",
            "kind",
            "task",
            "source",
            "stream",
            "author",
            "targets",
            "n_rows",
            "n_items",
            "created_s",
        ),
    ),
)
items = table("items", *map(column, ("project_id", "position", "labels", "digest", "recorded_s")))
label_runs = table(
    "label_runs", *map(column, ("project_id", "position", "labels", "job_hash", "recorded_s"))
)
heads = table(
    "heads",
    *map(column, ("project_id", "position", "source", "task", "digest", "moved_by", "moved_s")),
)
checks = table("checks", *map(column, ("project_id", "position", "labels", "checked_s")))
findings = table(
    "findings",
    *map(column, ("project_id", "check_position", "ordinal", "severity", "item", "body")),
)
edits = table(
    "edits",
    *map(
        column,
        (
            "project_id",
            "position",
            "uuid",
            "group_uuid",
            "reviewer",
            "role",
            "parent",
            "base",
            "kind",
            "items",
            "payload",
            "when_s",
            "took_s",
            "received_s",
            "digest",
        ),
    ),
)
questions = table(
    "questions",
    *map(
        column,
        (
            "project_id",
            "position",
            "uuid",
            "labels",
            "item",
            "policy",
            "score",
            "body",
            "asked_s",
            "answered_by",
        ),
    ),
)
models = table(
    "models",
    *map(
        column,
        ("project_id", "position", "digest", "task", "name", "version", "card", "made_s"),
    ),
)
model_heads = table(
    "model_heads",
    *map(column, ("project_id", "position", "task", "digest", "moved_by", "moved_s")),
)
settings = table("settings", *map(column, ("project_id", "position", "name", "body", "set_s")))

TABLES = (
    projects,
    sources,
    source_changes,
    runs,
    label_sets,
    items,
    label_runs,
    heads,
    checks,
    findings,
    edits,
    questions,
    models,
    model_heads,
    settings,
)
"""Every table of data, parents first."""
