"""UnitRefine's published metrics and votes, as features and classes.

Jain et al. 2025, UnitRefine: quality metrics of units by SpikeInterface with the majority vote
of two to five curators (MIT licence). A file is one recording, named
``mouse<number><session>_<probe>.csv.gz``; the number is the mouse. Other files of the kind may
lack metrics, which are then missing, and units without a vote, which are left out.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nissl.annotators.curation.features import FEATURES, NAMES
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.labels import FeatureTable
from nissl.tasks import Examples

CLASSES = ("good", "mua", "noise")
NO_VOTE = ("", "nan", "none")
NOT_METRICS = ("cluster_id", "majority_vote", "is_noise")
MOUSE = re.compile(r"mouse[-_]?(\d+|[^\W_]+)", re.IGNORECASE)


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
        A vote that is not one of the three classes, or a file without votes or without any of
        nissl's metrics.
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
        votes = _votes(table, path)
        voted = votes >= 0
        values.append((_mapped(table, path) if mapped else _plain(table, names))[voted])
        label.append(votes[voted])
        ids = table.get("cluster_id") or [str(k) for k in range(len(votes))]
        items.append(np.asarray([int(float(i)) for i in ids], np.int64)[voted])
        subject += [subject_of(path.name)] * len(label[-1])
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


def subject_of(name: str) -> str:
    """Mouse of a file by its name; the name before the first underscore where none is told."""
    found = MOUSE.match(name)
    return f"mouse{found.group(1)}" if found else name.split("_")[0].split(".")[0]


def _mapped(table: dict[str, list[str]], path: Path) -> npt.NDArray[np.float64]:
    known = [f for f in FEATURES if f.unitrefine in table]
    if not known:
        raise CorruptSourceError(
            f"columns among {[f.unitrefine for f in FEATURES]} in {path.name}",
            f"{list(table)[:10]}",
            "Restore the file.",
        )
    values = _plain(table, [f.unitrefine for f in FEATURES])
    return np.asarray(values * np.asarray([f.factor for f in FEATURES]))


def _plain(table: dict[str, list[str]], names: Sequence[str]) -> npt.NDArray[np.float64]:
    n = len(next(iter(table.values())))
    columns = [_numbers(table[name]) if name in table else np.full(n, np.nan) for name in names]
    return np.stack(columns, axis=1)


def _numbers(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    values = np.asarray([float(text) if text.strip() else np.nan for text in texts], np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _votes(table: dict[str, list[str]], path: Path) -> npt.NDArray[np.int64]:
    """Code of each unit's vote, -1 without one."""
    if "majority_vote" not in table:
        raise CorruptSourceError(
            f"a column majority_vote in {path.name}", f"{list(table)[:10]}", "Restore the file."
        )
    votes = [vote.strip().lower() for vote in table["majority_vote"]]
    unknown = sorted(set(votes) - set(CLASSES) - set(NO_VOTE))
    if unknown:
        raise CorruptSourceError(f"votes among {CLASSES} in {path.name}", f"{unknown}", "Mend it.")
    return np.asarray([CLASSES.index(v) if v in CLASSES else -1 for v in votes], np.int64)
