"""Ground truth of cell types as label sets: what optotagging, drugs and tables have in common.

Only units with evidence for a class get a row; all others are open, not negative. Confidence is
NaN: the tests bound how often chance makes a label, which is no probability that it is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.annotators.celltypes.vocabulary import canonical
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Finding

TASK = "celltypes"
VERSION = "1"
NO_CLASS = ("", "unknown", "nan", "none", "n/a")
_SHOWN = 10


@dataclass(frozen=True)
class GroundTruth:
    """What an experiment says of units.

    Parameters
    ----------
    labels : LabelSet
        CLASSES of the task "celltypes" whose target is a unit (item = target), or LINKS between
        units. It may be empty.
    items : ItemTable
        Numbers behind each row; its context holds those of every unit that was tested.
    findings : tuple of Finding
        What is doubtful; their item is a unit.
    tested : tuple of mapping
        One per unit (or pair) that was tested: its numbers, verdict and sentence.
    """

    labels: LabelSet
    items: ItemTable
    findings: tuple[Finding, ...]
    tested: tuple[Mapping[str, Any], ...] = ()


def class_name(text: str) -> str:
    """Name of a class as a user gives it; `BadArgumentError` where it is none."""
    name = text.strip()
    if name.lower() in NO_CLASS:
        raise BadArgumentError(
            "the class that the experiment marks", repr(text), "Name it, for example: --as PV"
        )
    return name


def require_units(spikes: LabelSet, units: Sequence[int], what: str) -> None:
    """Raise `BadLabelsError` where the spikes have no such unit."""
    missing = sorted(set(units) - set(spikes.items.tolist()))
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise BadLabelsError(
            f"units of the sorting ({spikes.items.size} units) in {what}",
            f"units that do not exist: {missing[:_SHOWN]}{more}",
            "Use the ids of the current spikes: nissl report STUDY shows them.",
        )


def require_spikes(spikes: LabelSet) -> None:
    """Raise `BadLabelsError` where a set holds no spikes of units."""
    if spikes.kind is not Kind.EVENTS or not spikes.n_rows:
        raise BadLabelsError(
            "spikes of at least one unit",
            f"{spikes.n_rows} {spikes.kind.value}",
            "Sort first: nissl annotate STUDY --task spikes",
        )


def class_set(
    spikes: LabelSet,
    classes: Mapping[int, str],
    author: Author,
    parameters: Mapping[str, Any],
    *,
    names: Sequence[str] = (),
    made_from: Sequence[str] = (),
    seed: int | None = None,
) -> LabelSet:
    """CLASSES over units of a sorting.

    Parameters
    ----------
    spikes : LabelSet
    classes : mapping of int to str
        Class of each unit that has one; kept under its canonical name.
    author : Author
    parameters : mapping
        JSON values.
    names : sequence of str
        Classes of the vocabulary, also where no unit has them; those that occur by default.
    made_from : sequence of str
        Digests beside that of the spikes.
    seed : int, optional
    """
    require_units(spikes, list(classes), "the labels")
    classes = {unit: canonical(name) for unit, name in classes.items()}
    given = tuple(dict.fromkeys(canonical(name) for name in names))
    vocabulary = given or tuple(sorted(set(classes.values())))
    units = np.asarray(sorted(classes), dtype=np.int64)
    made = spikes.provenance
    return LabelSet.build(
        Kind.CLASSES,
        {
            "id": units,
            "item": units,
            "target": units,
            "label": np.asarray([vocabulary.index(classes[u]) for u in units.tolist()], np.int32),
        },
        vocabulary,
        Provenance(
            task=TASK,
            source=made.source,
            stream=made.stream,
            author=author,
            parameters=dict(parameters),
            seed=seed,
            made_from=(spikes.digest, *made_from),
            targets=(spikes.digest,),
        ),
    )


def item_table(
    labels: LabelSet,
    rows: Mapping[int, Mapping[str, Any]],
    units: Mapping[str, str],
    context: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]] | None = None,
) -> ItemTable:
    """Numbers behind the rows of a set.

    Parameters
    ----------
    labels : LabelSet
    rows : mapping of int to mapping of str to float, int or str
        By item, None for what could not be computed; the same names for all.
    units : mapping of str to str
        Unit of each numeric column.
    context : mapping
    arrays : mapping of str to ndarray, optional
        First axis as the items of the set.
    """
    items = labels.items.tolist()
    columns: dict[str, Any] = {"item": pa.array(items, pa.int64())}
    for name in units:
        columns[name] = pa.array([rows[k][name] for k in items], pa.float64())
    texts = {n for row in rows.values() for n, v in row.items() if isinstance(v, str)}
    for name in sorted(texts - set(units)):
        columns[name] = pa.array([rows[k][name] for k in items], pa.string())
    return ItemTable(labels.digest, pa.table(columns), units, arrays or {}, context)
