"""What the command line prints: tables or JSON to standard output, everything else to errors."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from nissl.tasks import Finding

_WHOLE = 24  # cells up to this width are never cut

notes = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Tell the user something; on standard error, so that `--json` stays clean."""
    notes.print(text, soft_wrap=True, markup=False)


class Told(Protocol):
    """What a command did: what is doubtful, and what it wrote."""

    @property
    def findings(self) -> Sequence[Finding]:
        """Sentences to read."""

    @property
    def files(self) -> Sequence[Path]:
        """What was written."""


def tell(done: Told) -> None:
    """Say what is doubtful about a result, and which files it lies in."""
    for finding in done.findings:
        say(finding.sentence)
    for path in done.files:
        say(f"wrote {path}")


def show(title: str, rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as a JSON array."""
    if as_json:
        show_json(list(rows))
        return
    # a pipe or file has no width: nothing is cut there
    out = Console(highlight=False, width=None if sys.stdout.isatty() else _wide())
    if not rows:
        out.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in rows[0]:
        numeric = isinstance(rows[0][name], int | float) and not isinstance(rows[0][name], bool)
        whole = max(len(_cell(row[name])) for row in rows) <= _WHOLE
        table.add_column(
            name.replace("_", " "),
            justify="right" if numeric else "left",
            no_wrap=whole,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    out.print(table)


def show_json(value: Any) -> None:
    """Print a JSON value; numbers that JSON does not have (NaN, infinity) become null."""
    json.dump(_plain(value), sys.stdout, indent=2, default=str, allow_nan=False)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _wide() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else 200


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
