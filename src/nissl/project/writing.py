"""Files beside a study's reports: a table in two formats, and the facts that it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from nissl.labels.atomic import atomic_write, write_bytes


def write_table(table: pa.Table, folder: Path, stem: str) -> tuple[Path, Path]:
    """Write a table as `stem`.csv and `stem`.parquet, each whole or not at all."""
    from pyarrow import csv, parquet

    paths = folder / f"{stem}.csv", folder / f"{stem}.parquet"
    with atomic_write(paths[0]) as file:
        csv.write_csv(table, file)
    with atomic_write(paths[1]) as file:
        parquet.write_table(table, file)
    return paths


def write_facts(facts: Mapping[str, Any], folder: Path) -> Path:
    """Write JSON values as facts.json, whole or not at all."""
    path = folder / "facts.json"
    write_bytes(path, (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode())
    return path
