"""UnitRefine's published metrics and votes, as features and classes.

Jain et al. 2025, UnitRefine: quality metrics of units by SpikeInterface with the majority vote
of two to five curators (MIT licence). A file is one recording, named
``mouse<digit><session>_<probe>.csv.gz``; the digit is the mouse.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.features import FEATURES, NAMES
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.labels import FeatureTable
from nissl.tasks import Examples

CLASSES = ("good", "mua", "noise")
NOT_METRICS = ("cluster_id", "majority_vote", "is_noise")
MOUSE = len("mouse") + 1


def read_unitrefine(folder: Path, *, mapped: bool = True) -> Examples:
    """Units of all recordings of a folder with their votes.

    Parameters
    ----------
    folder : Path
        Holds ``mouse*.csv.gz``.
    mapped : bool
        Features of nissl (see `FEATURES`); otherwise all metrics under UnitRefine's own names,
        NaN in the recordings that lack one.

    Returns
    -------
    examples : Examples
        Subject = mouse, session = recording and probe.

    Raises
    ------
    SourceNotFoundError
        No such files.
    CorruptSourceError
        A vote that is not one of the three classes, or a column that is missing.
    """
    paths = sorted(Path(folder).glob("mouse*.csv.gz"))
    if not paths:
        raise SourceNotFoundError(
            f"files mouse*.csv.gz in {folder}", "none", "Name the folder of UnitRefine's metrics."
        )
    tables = [_table(path) for path in paths]
    names = NAMES if mapped else _all_names(tables)
    values, label, subject, session, items = [], [], [], [], []
    for path, table in zip(paths, tables, strict=True):
        values.append(_mapped(table, path) if mapped else _plain(table, names))
        label.append(_votes(table, path))
        items.append(np.asarray([int(float(i)) for i in table["cluster_id"]], np.int64))
        subject += [path.name[:MOUSE]] * len(label[-1])
        session += [path.name.removesuffix(".csv.gz")] * len(label[-1])
    return Examples(
        features=FeatureTable(
            items=np.concatenate(items),
            names=tuple(names),
            values=np.concatenate(values),
            units=tuple(f.unit for f in FEATURES) if mapped else ("",) * len(names),
            subject=tuple(subject),
            session=tuple(session),
        ),
        label=np.concatenate(label),
        weight=np.ones(sum(map(len, label))),
    )


def _table(path: Path) -> dict[str, list[str]]:
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[k] for row in rows[1:]] for k, name in enumerate(rows[0])}


def _all_names(tables: Sequence[dict[str, list[str]]]) -> tuple[str, ...]:
    names = dict.fromkeys(name for table in tables for name in table)
    return tuple(name for name in names if name not in NOT_METRICS)


def _mapped(table: dict[str, list[str]], path: Path) -> npt.NDArray[np.float64]:
    missing = [f.unitrefine for f in FEATURES if f.unitrefine not in table]
    if missing:
        raise CorruptSourceError(
            f"the columns {missing} in {path.name}", "none", "Restore the file."
        )
    return np.stack([_numbers(table[f.unitrefine]) * f.factor for f in FEATURES], axis=1)


def _plain(table: dict[str, list[str]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    n = len(table["cluster_id"])
    columns = [_numbers(table[name]) if name in table else np.full(n, np.nan) for name in names]
    return np.stack(columns, axis=1)


def _numbers(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    values = np.asarray([float(text) if text else np.nan for text in texts], np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _votes(table: dict[str, list[str]], path: Path) -> npt.NDArray[np.int64]:
    votes = table["majority_vote"]
    unknown = sorted(set(votes) - set(CLASSES))
    if unknown:
        raise CorruptSourceError(f"votes among {CLASSES} in {path.name}", f"{unknown}", "Mend it.")
    return np.asarray([CLASSES.index(vote) for vote in votes], np.int64)
