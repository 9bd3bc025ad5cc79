"""Classes of units that people know: from juxtacellular recording, staining, or by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nissl.annotators.celltypes.ground_truth import (
    NO_CLASS,
    GroundTruth,
    class_set,
    item_table,
    require_spikes,
    require_units,
)
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import Author, LabelSet

EXPERT = "expert"


@dataclass(frozen=True)
class Statement:
    """What somebody knows of one unit.

    Parameters
    ----------
    unit : int
    name : str
        Class.
    evidence : str
        "juxtacellular", "optotagging", "pharmacology", "expert", or other words.
    """

    unit: int
    name: str
    evidence: str = EXPERT


def statements_of(columns: Mapping[str, Sequence[str]], where: str) -> tuple[Statement, ...]:
    """Statements of a table with the columns unit, class and, optionally, evidence.

    Parameters
    ----------
    columns : mapping of str to sequence of str
    where : str
        Name of the table, for errors.

    Raises
    ------
    BadLabelsError
        Columns that are missing, units that are no whole numbers, rows without a class.
    """
    lacking = [name for name in ("unit", "class") if name not in columns]
    if lacking:
        raise BadLabelsError(
            f"the columns unit, class and, optionally, evidence in {where}",
            f"{list(columns)}, without {lacking}",
            "Name the columns so.",
        )
    evidence = columns.get("evidence", [EXPERT] * len(columns["unit"]))
    rows = []
    triples = zip(columns["unit"], columns["class"], evidence, strict=True)
    for number, (unit, name, why) in enumerate(triples, start=1):
        try:
            whole = int(unit)
        except ValueError:
            raise BadLabelsError(
                f"ids of units in {where}", f"{unit!r} in row {number}", "Write whole numbers."
            ) from None
        if name.strip().lower() in NO_CLASS:
            raise BadLabelsError(
                f"a class in every row of {where}",
                f"{name!r} in row {number}",
                "Leave out units whose class is not known; they stay open.",
            )
        rows.append(Statement(whole, name.strip(), why.strip() or EXPERT))
    return tuple(rows)


def known_units(
    spikes: LabelSet, statements: Sequence[Statement], by: str, *, table: str = ""
) -> GroundTruth:
    """Classes that a person states, with the evidence of each.

    Parameters
    ----------
    spikes : LabelSet
    statements : sequence of Statement
    by : str
        The person who says so.
    table : str
        Name of the file they come from.

    Raises
    ------
    BadArgumentError
        Nobody is named.
    BadLabelsError
        No statements, units that do not exist, or two classes for one unit.
    """
    require_spikes(spikes)
    if not by.strip():
        raise BadArgumentError("the person who states the classes", "nobody", "Name one: --by ana")
    if not statements:
        raise BadLabelsError("at least one unit with its class", "none", "Fill the table.")
    require_units(spikes, [each.unit for each in statements], table or "the statements")
    classes: dict[int, str] = {}
    evidence: dict[int, str] = {}
    for each in statements:
        if classes.setdefault(each.unit, each.name) != each.name:
            raise BadLabelsError(
                "one class per unit",
                f"unit {each.unit} as {classes[each.unit]} and as {each.name}",
                "Decide on one, or leave the unit out.",
            )
        known = evidence.get(each.unit)
        if known is None:
            evidence[each.unit] = each.evidence
        elif each.evidence not in known.split("; "):
            evidence[each.unit] = f"{known}; {each.evidence}"
    parameters = {"evidence": {str(unit): text for unit, text in sorted(evidence.items())}}
    labels = class_set(
        spikes, classes, Author("person", by.strip()), {**parameters, "table": table}
    )
    rows = {unit: {"evidence": text} for unit, text in evidence.items()}
    tested = tuple(
        {"unit": unit, "verdict": classes[unit], "sentence": evidence[unit]}
        for unit in sorted(classes)
    )
    return GroundTruth(labels, item_table(labels, rows, {}, {}), (), tested)
