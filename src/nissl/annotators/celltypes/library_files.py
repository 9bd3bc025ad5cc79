"""Library files: a folder with Parquet, Zarr and a card, or a zip of it.

    units.parquet    one row per unit: scalars, label, evidence, subject, session, facts
    arrays.zarr      waveform, acg, isi, acg3 (float32), with their axes as attributes
    card.json        format, name, licence, sources, classes, counts, content digest
    CARD.md          the same for people; not read

Everything is read back against the digest in the card: a changed byte is told, not repaired.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nissl import __version__
from nissl.annotators.celltypes.axes import (
    LAG_EDGES_S,
    LOG_S,
    MODALITIES,
    N_DECILES,
    N_LAGS,
    N_LOG,
    N_WAVE,
    WAVE_MS,
)
from nissl.annotators.celltypes.library import Library
from nissl.annotators.celltypes.library_card import page
from nissl.errors import (
    BadArgumentError,
    CorruptSourceError,
    NisslError,
    SourceNotFoundError,
    StoreError,
    UnknownFormatError,
)
from nissl.labels import FeatureTable
from nissl.labels.atomic import fsync_folder, make_folder, store_error, write_bytes
from nissl.labels.digest import canonical_json

FORMAT, FORMAT_VERSION = "nissl cell-type library", 1
AXES: dict[str, tuple[str, npt.NDArray[np.floating[Any]]]] = {
    "waveform": ("ms", WAVE_MS),
    "acg": ("s", LOG_S),
    "isi": ("s", LOG_S),
    "acg3": ("s", LAG_EDGES_S),
}
"""Unit and values of the last axis of each array; edges of bins for "acg3"."""

SHAPES = {
    "waveform": (N_WAVE,),
    "acg": (N_LOG,),
    "isi": (N_LOG,),
    "acg3": (N_DECILES, N_LAGS),
}
HEAD, UNITS, ARRAYS, PAGE = "card.json", "units.parquet", "arrays.zarr", "CARD.md"
_WRITTEN = ("format", "format_version", "nissl", "units", "counts", "digest")
_BROKEN = (
    OSError,
    RuntimeError,
    MemoryError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    pa.ArrowException,
)


def write_library(path: str | Path, library: Library) -> Path:
    """Write a library to a new folder, or to a new file that ends in ``.zip``.

    It appears under its name only when it is whole and on the disk.

    Parameters
    ----------
    path : str or Path
        Must not exist.
    library : Library

    Raises
    ------
    BadArgumentError
        There is something at the path.
    StoreError
        The file system refuses.
    """
    target = Path(path)
    if target.exists():
        raise BadArgumentError(
            "a place where nothing is yet", f"{target.name}", "Name another, or remove it."
        )
    make_folder(target.parent)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
            folder = Path(scratch) / "library"
            folder.mkdir()
            _write(folder, library)
            made = folder
            if target.suffix == ".zip":
                made = Path(scratch) / "library.zip"
                _pack(folder, made)
            _to_disk(made)
            os.rename(made, target)
            fsync_folder(target.parent)
    except StoreError:
        raise
    except OSError as error:
        raise store_error(error, target) from error
    return target


def read_library(path: str | Path) -> Library:
    """Read a library.

    Columns that this version does not know are kept, and those that it misses are NaN once
    asked for (`Library.examples`).

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
    if not source.exists():
        raise SourceNotFoundError(
            f"a library at {source}", "nothing", "Name a folder or .zip of a library."
        )
    with _as_folder(source) as folder:
        card = _card(folder, source.name)
        try:
            library = _assembled(folder, card)
            found: dict[str, Any] = {"units": len(library), "counts": counts_of(library)}
            found["digest"] = library.digest
        except NisslError as error:
            raise _broken(source.name, str(error)) from None
        except _BROKEN as error:
            raise _broken(source.name, f"{type(error).__name__}: {error}"[:300]) from None
    if any(card.get(key) != value for key, value in found.items()):
        raise CorruptSourceError(
            f"the content that the card of {source.name} states",
            "another content",
            "It was changed or damaged: fetch it again, or build it anew.",
        )
    return library


def counts_of(library: Library) -> dict[str, dict[str, int]]:
    """Units by class, evidence and animal, and by what else is known; "" is not known."""
    told: dict[str, Sequence[str]] = {
        "class": library.label,
        "evidence": library.evidence,
        "animal": library.features.subject,
    }
    told |= {
        name: library.facts[name] for name in ("lab", "species", "region") if name in library.facts
    }
    return {name: dict(sorted(Counter(values).items())) for name, values in told.items()}


def stated(library: Library) -> dict[str, Any]:
    """Card of a library with what files state beside it: format, counts, digest."""
    return dict(library.card) | {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "nissl": __version__,
        "units": len(library),
        "counts": counts_of(library),
        "digest": library.digest,
    }


def _write(folder: Path, library: Library) -> None:
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
    pq.write_table(pa.table(columns, schema=pa.schema(fields)), folder / UNITS)
    _write_arrays(folder / ARRAYS, table, arrays)
    card = stated(library)
    write_bytes(folder / HEAD, canonical_json(card))
    write_bytes(folder / PAGE, page(card).encode())


def _write_arrays(path: Path, table: FeatureTable, arrays: Mapping[str, list[int]]) -> None:
    import numcodecs
    import zarr

    group = zarr.open_group(str(path), mode="w")
    n = len(table.items)
    for name, columns in arrays.items():
        shape = (n, *SHAPES[name])
        made = group.create_dataset(
            name,
            shape=shape,
            dtype="<f4",
            chunks=(max(n, 1), *SHAPES[name]),
            compressor=numcodecs.Zstd(level=3, checksum=True),
            fill_value=0,
            write_empty_chunks=True,
        )
        made[...] = table.values[:, columns].astype(np.float32).reshape(shape)
        unit, axis = AXES[name]
        made.attrs.update({"axis": axis.tolist(), "axis_unit": unit, "unit": _unit(table, columns)})


def _card(folder: Path, name: str) -> dict[str, Any]:
    head = folder / HEAD
    if not head.is_file():
        raise UnknownFormatError(
            f"a cell-type library ({HEAD}, {UNITS}, {ARRAYS})",
            f"{name} without {HEAD}",
            "Name the folder or .zip that `nissl library build` wrote.",
        )
    try:
        card = json.loads(head.read_text(encoding="utf-8"))
        known, version = card.get("format"), card.get("format_version")
    except (ValueError, AttributeError, RecursionError):
        raise CorruptSourceError("a card of a library", f"{name}", "Fetch it again.") from None
    if known != FORMAT or type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise UnknownFormatError(
            f"{FORMAT}, version {FORMAT_VERSION} or earlier",
            f"{known!r}, version {version!r}",
            "Install a later nissl, or ask for an older file.",
        )
    return dict(card)


def _assembled(folder: Path, card: Mapping[str, Any]) -> Library:
    table = pq.read_table(folder / UNITS)
    names, units, parts = [], [], []
    for column in table.column_names:
        if column.startswith("value_"):
            names.append(column.removeprefix("value_"))
            units.append((table.schema.field(column).metadata or {}).get(b"unit", b"").decode())
            parts.append(table.column(column).to_numpy()[:, None])
    for name, unit, values in _read_arrays(folder / ARRAYS, table.num_rows):
        names += MODALITIES[name]
        units += [unit] * len(MODALITIES[name])
        parts.append(values)
    features = FeatureTable(
        items=table.column("item").to_numpy(),
        names=tuple(names),
        values=np.hstack(parts).astype(np.float64) if parts else np.empty((table.num_rows, 0)),
        units=tuple(units),
        subject=tuple(table.column("subject").to_pylist()),
        session=tuple(table.column("session").to_pylist()),
    )
    facts = {
        column.removeprefix("fact_"): tuple(table.column(column).to_pylist())
        for column in table.column_names
        if column.startswith("fact_")
    }
    return Library(
        features,
        tuple(table.column("label").to_pylist()),
        tuple(table.column("evidence").to_pylist()),
        facts,
        {key: value for key, value in card.items() if key not in _WRITTEN},
    )


def _read_arrays(path: Path, n: int) -> Iterator[tuple[str, str, npt.NDArray[np.float64]]]:
    """Arrays in the order of `MODALITIES`, unit by unit flat."""
    import zarr
    from zarr.errors import MetadataError

    try:
        group = zarr.open_group(str(path), mode="r")
        present = {name: group[name] for name in group.array_keys()}
    except MetadataError as error:
        raise ValueError(str(error)) from None
    strange = set(present) - set(MODALITIES)
    if strange:
        raise ValueError(f"arrays that this format does not have: {sorted(strange)}")
    for name in MODALITIES:
        if name not in present:
            continue
        stored = present[name]
        shape, (axis_unit, axis) = (n, *SHAPES[name]), AXES[name]
        if stored.shape != shape or stored.dtype != np.dtype("<f4"):
            raise ValueError(f"{name} of shape {stored.shape} and type {stored.dtype}")
        told = np.asarray(stored.attrs["axis"], np.float64)
        same = told.shape == axis.shape and np.allclose(told, axis, rtol=1e-9, atol=1e-12)
        if not same or stored.attrs["axis_unit"] != axis_unit:
            raise ValueError(f"{name} on another axis than nissl's")
        values = np.asarray(stored[...], np.float64).reshape(n, len(MODALITIES[name]))
        yield name, str(stored.attrs["unit"]), values


def _split(table: FeatureTable) -> tuple[dict[str, list[int]], list[int]]:
    """Columns of whole curves by modality, and all others."""
    place = {name: k for k, name in enumerate(table.names)}
    arrays = {
        name: [place[c] for c in columns]
        for name, columns in MODALITIES.items()
        if all(c in place for c in columns) and len({table.units[place[c]] for c in columns}) == 1
    }
    taken = {k for columns in arrays.values() for k in columns}
    return arrays, [k for k in range(len(table.names)) if k not in taken]


def _unit(table: FeatureTable, columns: Sequence[int]) -> str:
    return table.units[columns[0]]


def _broken(name: str, what: str) -> CorruptSourceError:
    return CorruptSourceError(f"the units and arrays of {name}", what, "Fetch it again.")


def _to_disk(made: Path) -> None:
    files = [made] if made.is_file() else [p for p in made.rglob("*") if p.is_file()]
    for path in files:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    for folder in [made, *made.rglob("*")] if made.is_dir() else []:
        if folder.is_dir():
            fsync_folder(folder)


def _pack(folder: Path, packed: Path) -> None:
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as out:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                out.write(each, each.relative_to(folder).as_posix())


@contextmanager
def _as_folder(source: Path) -> Iterator[Path]:
    """The folder of a library; of a zip, unpacked for as long as it is read."""
    if source.is_dir():
        yield source
        return
    if source.suffix != ".zip" and not zipfile.is_zipfile(source):
        raise UnknownFormatError(
            "a folder or .zip of a library", source.name, "Name what `nissl library build` wrote."
        )
    with tempfile.TemporaryDirectory() as scratch:
        _unpack(source, Path(scratch))
        inner = list(Path(scratch).glob(f"*/{HEAD}"))
        whole = (Path(scratch) / HEAD).is_file() or len(inner) != 1
        yield Path(scratch) if whole else inner[0].parent


def _unpack(source: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(source) as packed:
            for each in packed.infolist():
                target = (folder / each.filename).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise CorruptSourceError(
                        "files below the library's folder", each.filename, "Do not trust this file."
                    )
            packed.extractall(folder)
    except NisslError:
        raise
    except (zipfile.BadZipFile, *_BROKEN) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise CorruptSourceError("a whole .zip", str(error), "Fetch it again.") from None


__all__ = [
    "AXES",
    "FORMAT",
    "FORMAT_VERSION",
    "counts_of",
    "read_library",
    "stated",
    "write_library",
]
