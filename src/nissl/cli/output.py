"""What the command line prints: tables or JSON to standard output, everything else to errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_WHOLE = 24  # cells up to this width are never cut

notes = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Tell the user something; on standard error, so that `--json` stays clean."""
    notes.print(text, soft_wrap=True, markup=False)


def show(title: str, rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as a JSON array."""
    if as_json:
        json.dump(list(rows), sys.stdout, indent=2, default=str, allow_nan=True)
        sys.stdout.write("\n")
        return
    out = Console(highlight=False)
    if not rows:
        out.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in rows[0]:
        numeric = isinstance(rows[0][name], int | float) and not isinstance(rows[0][name], bool)
        whole = max(len(_cell(row[name])) for row in rows) <= _WHOLE
        table.add_column(
            name.replace("_", " "), justify="right" if numeric else "left", no_wrap=whole
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    out.print(table)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
