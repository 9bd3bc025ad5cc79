"""The facts that travel beside an export: who claimed what, how, from which recording.

One JSON object with the vocabularies, provenances and digests of all sets, the types and
units of the item table, pseudonym and session, preprocessing and sorter, and how much of it
was reviewed. Never in it: paths of the raw data, names, birth dates, hospital numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl import __version__
from nissl.errors import CorruptSourceError, ExportError, NisslError
from nissl.io.columns import Plain, from_plain, to_plain
from nissl.io.spikes import clock_of
from nissl.labels import ItemTable, Kind, LabelSet, Provenance, Vocabulary
from nissl.labels.kinds import optional_columns
from nissl.tasks import Dossier

FORMAT = 1
FILE_NAME = "nissl.json"
_SUBJECT = ("id", "species", "sex", "region", "age", "genotype")
_SESSION = ("id", "day", "device")
_LOG = ("preprocessing", "bad_channels", "sorter", "motion")


def describe(dossier: Dossier) -> dict[str, Any]:
    """Plain JSON values for everything that a format's own fields cannot say."""
    return {
        "format": FORMAT,
        "nissl": __version__,
        "labels": describe_set(dossier.labels),
        "items": None if dossier.items is None else describe_items(dossier.items),
        "classes": [describe_set(labels) for labels in dossier.classes],
        "events": {name: describe_set(labels) for name, labels in dossier.events.items()},
        "stream": dossier.stream,
        "clock": _clock(dossier),
        "source": {
            "fingerprint": dossier.source.get("fingerprint") or dossier.labels.provenance.source,
            "subject": _only(dossier.source.get("subject"), _SUBJECT),
            "session": _only(dossier.source.get("session"), _SESSION),
        },
        "reviewed": dossier.reviewed,
        "draft": dossier.draft,
        "findings": _finite([finding.to_json() for finding in dossier.findings]),
        "log": _finite(_only(dossier.log, _LOG)),
    }


def describe_set(labels: LabelSet) -> dict[str, Any]:
    """Kind, vocabulary, provenance, digest and number of rows of a set, its optional columns."""
    optional = optional_columns(labels.kind, labels.table.column_names)
    return {
        "kind": labels.kind.value,
        "vocabulary": labels.vocabulary.to_json(),
        "provenance": labels.provenance.to_json(),
        "digest": labels.digest,
        "n_rows": labels.n_rows,
        **({"optional": optional} if optional else {}),
    }


def describe_items(items: ItemTable) -> dict[str, Any]:
    """Units, arrays' types and context of an item table, without its values."""
    return {
        "of": items.of,
        "digest": items.digest,
        "units": dict(items.units),
        "arrays": {name: a.dtype.newbyteorder("<").str for name, a in items.arrays.items()},
        "context": dict(items.context),
    }


def describe_columns(items: ItemTable | None) -> dict[str, Any]:
    """Types and nulls of an item table's columns, for formats without Arrow's types.

    Raises
    ------
    ExportError
        A column holds neither numbers, truth values nor text.
    """
    if items is None:
        return {}
    plain = to_plain(items.table)
    nulls = {name: list(rows) for name, rows in plain.nulls.items()}
    return {"columns": {"types": dict(plain.types), "nulls": nulls}}


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write a manifest as JSON; the order of its keys (columns, events) is kept."""
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def checked(value: Any, where: str) -> dict[str, Any]:
    """Return a manifest that was read, or raise `CorruptSourceError`."""
    if not isinstance(value, dict) or "labels" not in value or "format" not in value:
        raise CorruptSourceError(
            f"nissl's facts in {where}", f"{value!r:.100}", "Export the labels again."
        )
    if not isinstance(value["format"], int) or value["format"] > FORMAT:
        raise CorruptSourceError(
            f"an export of format {FORMAT} or lower in {where}",
            f"format {value['format']!r:.50}",
            "Upgrade: pip install --upgrade nissl",
        )
    return value


def restore_set(facts: Mapping[str, Any], columns: Mapping[str, Any]) -> LabelSet:
    """Build a set from its facts and its columns.

    Raises
    ------
    CorruptSourceError
        The facts are malformed, or the rows are not those of a label set.
    """
    try:
        vocabulary = Vocabulary.from_json(facts["vocabulary"])
        provenance = Provenance.from_json(facts["provenance"])
        if facts.get("n_rows") == 0:  # formats leave sets without rows out
            columns = {**{name: () for name in facts.get("optional", ())}, **columns}
        return LabelSet.build(Kind(facts["kind"]), columns, vocabulary, provenance)
    except (NisslError, KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise CorruptSourceError(
            "rows and facts of a label set", f"{error!s:.200}", "Export the labels again."
        ) from error


def restore_items(
    manifest: Mapping[str, Any],
    values: Mapping[str, npt.NDArray[Any]],
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    of: str,
) -> ItemTable:
    """Build an item table from its facts, the values of its columns and its arrays."""
    try:
        facts, columns = manifest["items"], manifest["columns"]
        plain = Plain(values, columns["types"], columns["nulls"])
        kept = {
            name: np.asarray(array).astype(np.dtype(facts["arrays"][name]))
            for name, array in arrays.items()
            if name in facts["arrays"]
        }
        return ItemTable(of, from_plain(plain), facts["units"], kept, facts["context"])
    except (NisslError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptSourceError(
            "an item table as its facts describe it", f"{error!s:.200}", "Export again."
        ) from error


def _clock(dossier: Dossier) -> list[list[float]] | None:
    try:
        return clock_of(dossier).to_json()
    except ExportError:
        return None


def _finite(value: Any) -> Any:
    """JSON has no NaN; what was not measured is null."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _only(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {name: value[name] for name in names if value.get(name) is not None}
