"""Labels of every kind as CSV or Parquet, with all facts beside them.

A folder with `facts.json`, `labels`, `items`, `classes_<n>`, `events_<n>` and `traces_<name>`.
Parquet holds everything. In CSV the class stands by name, lists are JSON in one cell, an empty
cell is null, floats have all their digits; arrays of the item table are .npy files; item tables
with nested columns are refused.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.errors import BadArgumentError, CorruptSourceError, ExportError, SourceNotFoundError
from nissl.io.columns import to_plain
from nissl.io.contracts import Imported
from nissl.io.files import corrupt, load_json, load_npy, read_text
from nissl.io.manifest import (
    checked,
    describe,
    describe_columns,
    restore_items,
    restore_set,
    write_facts,
)
from nissl.io.targets import new_folder
from nissl.io.trace_tables import read_traces, trace_differences, write_traces
from nissl.io.verifying import (
    classes_differences,
    item_differences,
    readable,
    report,
    set_differences,
)
from nissl.labels import ItemTable, Kind, LabelSet
from nissl.labels.kinds import schema
from nissl.labels.serialise import read_items, read_labels, write_items, write_labels
from nissl.tasks import Dossier

FACTS = "facts.json"


@dataclass(frozen=True)
class Tables:
    """Exporter and importer of folders of tables.

    Parameters
    ----------
    name : {"csv", "parquet"}
    suffix : str
    """

    name: str
    suffix: str

    def write(
        self, dossier: Dossier, path: Path, *, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a folder of tables; there are no further options."""
        if options:
            raise BadArgumentError("no further options", f"{sorted(options)}", "Leave them out.")
        write_set, write_table = _WRITERS[self.name]
        more: dict[str, Any] = {"tables": self.name}
        if self.name == "csv":
            more |= describe_columns(dossier.items)
        with new_folder(path, overwrite=overwrite) as folder:
            for name, labels in _sets(dossier).items():
                write_set(labels, folder / f"{name}.{self.name}")
            if dossier.items is not None:
                write_table(dossier.items, folder / f"items.{self.name}")
            if dossier.signals:
                more["traces"] = write_traces(dossier.signals, folder, self.name)
            write_facts(folder / FACTS, {**describe(dossier), **more})
        return Path(path)

    def verify(self, dossier: Dossier, path: Path) -> None:
        """Read all tables back and compare them whole."""
        with readable(Path(path)):
            back = self.read(path)
            differences = set_differences(
                _NAMES[dossier.labels.kind], dossier.labels, back.labels[0]
            )
            differences += item_differences(dossier.items, back.items[0] if back.items else None)
            differences += classes_differences(dossier.classes, back.labels[1:])
            for name, events in dossier.events.items():
                if back.events.get(name) != events:
                    differences.append(f"events: {name}")
            differences += trace_differences(dossier.signals, back.signals)
        report(differences, Path(path))

    def matches(self, path: Path) -> bool:
        """Whether `path` is a folder that this exporter wrote."""
        path = Path(path)
        return (path / FACTS).is_file() and (path / f"labels.{self.name}").is_file()

    def read(
        self,
        path: Path,
        *,
        reviewer: str | None = None,
        source: str | None = None,
        rate_hz: float | None = None,
    ) -> Imported:
        """Read a folder of tables; authors, source and rate are those that it states."""
        path = Path(path)
        if not self.matches(path):
            raise SourceNotFoundError(
                f"{FACTS} and labels.{self.name}", f"none in {path}", "Give an exported folder."
            )
        facts = checked(load_json(path / FACTS), FACTS)
        with corrupt(path / FACTS, "the facts of an export"):
            read_set = _csv_set if self.name == "csv" else _parquet_set
            labels = read_set(path, "labels", facts["labels"])
            classes = [
                read_set(path, f"classes_{k}", each) for k, each in enumerate(facts["classes"])
            ]
            events = {
                name: read_set(path, f"events_{k}", each)
                for k, (name, each) in enumerate(facts["events"].items())
            }
            items = _items(path, self.name, facts)
            return Imported(
                labels=(labels, *classes),
                items=() if items is None else (items,),
                what_is_missing=("Tables name no raw file; traces cannot be shown.",),
                format=self.name,
                fingerprint=str(facts["source"]["fingerprint"]),
                subject=str(facts["source"]["subject"].get("id", "unknown")),
                session=str(facts["source"]["session"].get("id", "unknown")),
                events=events,
                facts={"clock": facts.get("clock")},
                signals=read_traces(path, facts.get("traces") or {}),
            )


_NAMES = {kind: kind.value for kind in Kind} | {Kind.EVENTS: "spikes or events"}


def _sets(dossier: Dossier) -> dict[str, LabelSet]:
    classes = {f"classes_{k}": labels for k, labels in enumerate(dossier.classes)}
    events = {f"events_{k}": labels for k, labels in enumerate(dossier.events.values())}
    return {"labels": dossier.labels, **classes, **events}


def _same_digest(labels: LabelSet, facts: Mapping[str, Any], path: Path) -> LabelSet:
    if labels.digest != facts["digest"]:
        raise CorruptSourceError(
            f"the rows that were exported to {path.name}",
            "other rows",
            "Tables are not edited in place; import them with `nissl import`, or export again.",
        )
    return labels


def _parquet_set(folder: Path, name: str, facts: Mapping[str, Any]) -> LabelSet:
    path = folder / f"{name}.parquet"
    return _same_digest(read_labels(path), facts, path)


def _csv_set(folder: Path, name: str, facts: Mapping[str, Any]) -> LabelSet:
    path = folder / f"{name}.csv"
    header, *rows = _csv_rows(path)
    names = facts["vocabulary"]["names"]
    fields = schema(Kind(facts["kind"]), len(names), header)
    if header != fields.names:
        raise CorruptSourceError(f"the columns {fields.names}", f"{header}", f"Restore {path}.")
    columns: dict[str, Any] = {}
    for index, column in enumerate(fields):
        texts = [row[index] for row in rows]
        if column.name == "label":
            columns["label"] = np.asarray([names.index(t) for t in texts], np.int32)
        else:
            values = [_parse(text, column.type) for text in texts]
            columns[column.name] = pa.array(values, type=column.type, from_pandas=False)
    return _same_digest(restore_set(facts, columns), facts, path)


def _write_csv_set(labels: LabelSet, path: Path) -> None:
    names = labels.vocabulary.names
    columns = []
    for name in labels.table.column_names:
        values = labels.table.column(name).to_pylist()
        columns.append(
            [names[v] for v in values] if name == "label" else [_text(v) for v in values]
        )
    _write_csv(path, labels.table.column_names, columns)


def _write_csv_items(items: ItemTable, path: Path) -> None:
    to_plain(items.table)  # refuses what a cell cannot hold
    columns = [[_text(v) for v in c.to_pylist()] for c in items.table.columns]
    _write_csv(path, items.table.column_names, columns)
    for name, array in items.arrays.items():
        if not name.isidentifier():
            raise ExportError(
                "arrays named as identifiers", repr(name), "Export as parquet instead."
            )
        np.save(path.parent / f"items.{name}.npy", array)


def _items(folder: Path, kind: str, facts: Mapping[str, Any]) -> ItemTable | None:
    if facts["items"] is None:
        return None
    if kind == "parquet":
        items = read_items(folder / "items.parquet")
    else:
        header, *rows = _csv_rows(folder / "items.csv")
        types = facts["columns"]["types"]
        values = {
            name: np.asarray([_cell(row[k], types[name]) for row in rows])
            for k, name in enumerate(header)
        }
        arrays = {
            name: load_npy(folder / f"items.{name}.npy", kinds="biufc")
            for name in facts["items"]["arrays"]
        }
        items = restore_items(facts, values, arrays, of=facts["items"]["of"])
    if items.digest != facts["items"]["digest"]:
        raise CorruptSourceError(
            "the item table that was exported", "another one", "Export the labels again."
        )
    return items


def _cell(text: str, kind: str) -> Any:
    if kind.endswith("string"):
        return text
    if kind == "bool":
        return text == "True"
    if kind in ("halffloat", "float", "double"):
        return float(text) if text else np.nan
    return int(text) if text else 0


def _parse(text: str, kind: pa.DataType) -> Any:
    if not text:
        return None
    if pa.types.is_floating(kind):
        return float(text)
    if pa.types.is_boolean(kind):
        return {"True": True, "False": False}[text]
    return json.loads(text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list) else repr(value)


def _write_csv(path: Path, header: list[str], columns: list[list[str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))


def _csv_rows(path: Path) -> list[list[str]]:
    text = read_text(path)
    with corrupt(path, "rows of equal length below a header"):
        rows = list(csv.reader(StringIO(text, newline="")))
        if not rows or any(len(row) != len(rows[0]) for row in rows):
            raise ValueError("rows of different length")
        return rows


_WRITERS: dict[str, tuple[Callable[[LabelSet, Path], None], Callable[[ItemTable, Path], None]]] = {
    "csv": (_write_csv_set, _write_csv_items),
    "parquet": (write_labels, write_items),
}

CSV = Tables("csv", "_csv")
PARQUET = Tables("parquet", "_parquet")
