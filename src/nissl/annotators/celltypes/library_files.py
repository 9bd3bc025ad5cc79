"""Library files: a folder with Parquet, Zarr and a card, or a zip of it.

    units.parquet    one row per unit: scalars, label, evidence, subject, session, facts
    arrays.zarr      waveform, acg, isi, acg3 (float32), with their axes as attributes
    card.json        format, name, licence, sources, classes, counts, content digest
    CARD.md          the same for people

Everything is read back against the digest in the card: a changed byte is told, not repaired.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nissl.annotators.celltypes.axes import LAG_EDGES_S, LOG_S, MODALITIES, WAVE_MS
from nissl.annotators.celltypes.library import Library
from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    SourceNotFoundError,
    UnknownFormatError,
)
from nissl.labels import FeatureTable
from nissl.labels.atomic import write_bytes
from nissl.labels.digest import canonical_json

FORMAT, VERSION = "nissl cell-type library", 1
_AXES = {
    "waveform": ("milliseconds", WAVE_MS),
    "acg": ("seconds", LOG_S),
    "isi": ("seconds", LOG_S),
    "acg3": ("seconds, edges of lags by decile of rate", LAG_EDGES_S),
}
_FIXED = ("item", "label", "evidence", "subject", "session")


def write_library(path: str | Path, library: Library) -> Path:
    """Write a library to a new folder, or to a new file that ends in ``.zip``.

    Parameters
    ----------
    path : str or Path
        Must not exist.
    library : Library

    Raises
    ------
    BadArgumentError
        There is something at the path.
    """
    target = Path(path)
    if target.exists():
        raise BadArgumentError(
            "a place where nothing is yet", f"{target.name}", "Name another, or remove it."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        folder = Path(scratch) / "library"
        folder.mkdir()
        _write(folder, library)
        if target.suffix == ".zip":
            packed = Path(scratch) / "library.zip"
            _pack(folder, packed)
            packed.rename(target)
        else:
            folder.rename(target)
    return target


def read_library(path: str | Path) -> Library:
    """Read a library.

    Raises
    ------
    SourceNotFoundError
        Nothing there.
    UnknownFormatError
        Not a library, or one of a later version.
    CorruptSourceError
        Its content is not what its card says.
    """
    source = Path(path)
    if source.is_file() and zipfile.is_zipfile(source):
        with tempfile.TemporaryDirectory() as scratch:
            _unpack(source, Path(scratch))
            return _read(Path(scratch), source.name)
    if not source.exists():
        raise SourceNotFoundError(
            f"a library at {source}", "nothing", "Name a folder or .zip of a library."
        )
    return _read(source, source.name)


def _write(folder: Path, library: Library) -> None:
    import zarr

    arrays, rest = _split(library.features)
    table = library.features
    columns: dict[str, Any] = {
        "item": table.items,
        "label": list(library.label),
        "evidence": list(library.evidence),
        "subject": list(table.subject),
        "session": list(table.session),
    }
    fields = [pa.field(n, pa.int64() if n == "item" else pa.string()) for n in columns]
    for name, values in sorted(library.facts.items()):
        columns[f"fact_{name}"] = list(values)
        fields.append(pa.field(f"fact_{name}", pa.string()))
    for k in rest:
        name = table.names[k]
        columns[f"value_{name}"] = table.values[:, k]
        fields.append(pa.field(f"value_{name}", pa.float64(), metadata={"unit": table.units[k]}))
    pq.write_table(pa.table(columns, schema=pa.schema(fields)), folder / "units.parquet")
    group = zarr.open_group(str(folder / "arrays.zarr"), mode="w")
    for name, columns_ in arrays.items():
        made = group.create_dataset(name, data=table.values[:, columns_].astype(np.float32))
        unit, axis = _AXES[name]
        made.attrs.update({"axis": [float(v) for v in axis], "axis_unit": unit})
    kept = replace(library, features=_rounded(table, arrays))
    card = dict(library.card) | {
        "format": FORMAT,
        "version": VERSION,
        "units": len(library),
        "counts": _counts(library),
        "digest": kept.digest,
    }
    write_bytes(folder / "card.json", canonical_json(card))
    write_bytes(folder / "CARD.md", page(card).encode())


def page(card: Mapping[str, Any]) -> str:
    """Card of a library as Markdown."""
    lines = [f"# {card['name']}", "", f"Licence: {card['licence']}", ""]
    lines += [f"{card.get('units', '?')} units.", ""]
    for what, counts in dict(card.get("counts", {})).items():
        lines += [f"## By {what}", "", "| | units |", "|:---|---:|"]
        lines += [f"| {name or '(unknown)'} | {n} |" for name, n in counts.items()] + [""]
    if card.get("classes"):
        lines += ["## Classes", ""]
        lines += [f"- **{name}**: {text}" for name, text in dict(card["classes"]).items()] + [""]
    if card.get("sources"):
        lines += ["## Sources", ""]
        lines += [
            "- " + ", ".join(f"{k}: {v}" for k, v in dict(s).items()) for s in card["sources"]
        ]
        lines.append("")
    return "\n".join(lines)


def _read(folder: Path, name: str) -> Library:
    head = folder / "card.json"
    if not head.is_file():
        raise UnknownFormatError(
            "a cell-type library (card.json, units.parquet, arrays.zarr)",
            f"{name} without card.json",
            "Name the folder or .zip that `nissl library build` wrote.",
        )
    try:
        card = json.loads(head.read_text(encoding="utf-8"))
        known, version = card.get("format"), card.get("version")
    except (ValueError, AttributeError):
        raise CorruptSourceError("a card of a library", f"{name}", "Fetch it again.") from None
    if known != FORMAT or not isinstance(version, int) or version > VERSION:
        raise UnknownFormatError(
            f"{FORMAT}, version {VERSION} or earlier",
            f"{known!r}, version {version}",
            "Install a later nissl, or ask for an older file.",
        )
    try:
        library = _assembled(folder, card)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise CorruptSourceError(
            f"the units and arrays of {name}", f"{type(error).__name__}: {error}", "Fetch it again."
        ) from None
    if library.digest != card.get("digest"):
        raise CorruptSourceError(
            f"the content that the card of {name} states",
            "another content",
            "It was changed or damaged: fetch it again, or build it anew.",
        )
    return library


def _assembled(folder: Path, card: Mapping[str, Any]) -> Library:
    import zarr

    table = pq.read_table(folder / "units.parquet")
    group = zarr.open_group(str(folder / "arrays.zarr"), mode="r")
    n = table.num_rows
    names, units, parts = [], [], []
    for column in table.column_names:
        if column.startswith("value_"):
            names.append(column.removeprefix("value_"))
            units.append((table.schema.field(column).metadata or {}).get(b"unit", b"").decode())
            parts.append(table.column(column).to_numpy()[:, None])
    for name in sorted(group.array_keys()):
        own = np.asarray(group[name][:], np.float64)
        columns = MODALITIES.get(name)
        if columns is None or own.shape != (n, len(columns)):
            raise ValueError(f"array {name} of shape {own.shape}")
        names += columns
        units += [""] * len(columns)
        parts.append(own)
    features = FeatureTable(
        items=table.column("item").to_numpy(),
        names=tuple(names),
        values=np.hstack(parts).astype(np.float64) if parts else np.empty((n, 0)),
        units=tuple(units),
        subject=tuple(table.column("subject").to_pylist()),
        session=tuple(table.column("session").to_pylist()),
    )
    facts = {
        column.removeprefix("fact_"): tuple(table.column(column).to_pylist())
        for column in table.column_names
        if column.startswith("fact_")
    }
    written = ("format", "version", "units", "counts", "digest")
    return Library(
        features,
        tuple(table.column("label").to_pylist()),
        tuple(table.column("evidence").to_pylist()),
        facts,
        {key: value for key, value in card.items() if key not in written},
    )


def _split(table: FeatureTable) -> tuple[dict[str, list[int]], list[int]]:
    """Columns of whole curves by modality, and all others."""
    place = {name: k for k, name in enumerate(table.names)}
    arrays = {
        name: [place[c] for c in columns]
        for name, columns in MODALITIES.items()
        if all(c in place for c in columns)
    }
    taken = {k for columns in arrays.values() for k in columns}
    return arrays, [k for k in range(len(table.names)) if k not in taken]


def _rounded(table: FeatureTable, arrays: Mapping[str, list[int]]) -> FeatureTable:
    values = table.values.copy()
    for columns in arrays.values():
        values[:, columns] = values[:, columns].astype(np.float32)
    return replace(table, values=values)


def _counts(library: Library) -> dict[str, dict[str, int]]:
    told = {
        "class": library.label,
        "evidence": library.evidence,
        "animal": library.features.subject,
    }
    told |= {
        name: library.facts[name] for name in ("lab", "species", "region") if name in library.facts
    }
    return {name: dict(sorted(Counter(values).items())) for name, values in told.items()}


def _pack(folder: Path, packed: Path) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                out.write(each, each.relative_to(folder).as_posix())


def _unpack(source: Path, folder: Path) -> None:
    with zipfile.ZipFile(source) as packed:
        for each in packed.infolist():
            target = (folder / each.filename).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise CorruptSourceError(
                    "files below the library's folder", each.filename, "Do not trust this file."
                )
        try:
            packed.extractall(folder)
        except (zipfile.BadZipFile, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise CorruptSourceError("a whole .zip", str(error), "Fetch it again.") from None
