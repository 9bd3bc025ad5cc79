"""Names of columns for people's and machines' opinions."""

from __future__ import annotations

import re

from nissl.labels import LabelSet


def plain_name(text: str) -> str:
    """Lower-case name of letters, digits and underscores; "unnamed" where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "unnamed"


def column_name(labels: LabelSet) -> str:
    """Name such as "curation_by_kilosort" for the classes of a set."""
    author = labels.provenance.author
    return f"{plain_name(labels.provenance.task)}_by_{plain_name(author.name)}"
