"""Libraries of cell types below each other: names, doubles, licences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nissl.annotators.celltypes.library import Library, columns_of
from nissl.annotators.celltypes.vocabulary import UNKNOWN, canonical
from nissl.errors import BadArgumentError
from nissl.labels import FeatureTable

Rule = Callable[[str, str], str]
"""Class of a unit that two libraries call differently, from both names; "" leaves it open."""

TERMS = (
    "Units come under several licences: whoever uses or passes on this library must keep to all "
    "of them, and so to the most restrictive combination."
)
NON_COMMERCIAL = "A licence among them forbids commercial use, and with it that of the whole."
_NC = re.compile(r"(?<![a-z])nc(?![a-z])|non-?\s?commercial", re.IGNORECASE)
_SHOWN = 5


def merged(
    libraries: Sequence[Library],
    *,
    name: str,
    aliases: Mapping[str, str] | None = None,
    rule: Rule | None = None,
) -> tuple[Library, tuple[str, ...]]:
    """Units of several libraries below each other, each once.

    A unit occurs twice where its curves are the same, or where laboratory, subject, session and
    the fact "unit" are. The first is kept; the class of the other stands where it had none.

    Parameters
    ----------
    libraries : sequence of Library
    name : str
        Of the new one.
    aliases : mapping of str to str, optional
        Class names that mean another; "LIBRARY:CLASS" speaks of one library's class alone.
    rule : callable, optional
        Settles the class of units that two libraries call differently.

    Returns
    -------
    library : Library
    told : tuple of str
        What was done about units that occur twice, a sentence each.

    Raises
    ------
    BadArgumentError
        None to merge, a unit that two libraries call differently, or a class that their cards
        define differently.
    """
    if not libraries:
        raise BadArgumentError("libraries to merge", "none", "Name at least one.")
    renames = [_renames(each, aliases or {}) for each in libraries]
    parts = [
        replace(each, label=tuple(rename.get(n, n) for n in each.label))
        for each, rename in zip(libraries, renames, strict=True)
    ]
    defined = _definitions(parts, renames)
    kept, told = _each_once(parts, rule)
    facts = tuple(dict.fromkeys(n for part in kept for n in part.facts))
    library = Library(
        stacked([part.features for part in kept]),
        tuple(n for part in kept for n in part.label),
        tuple(n for part in kept for n in part.evidence),
        {f: tuple(v for p in kept for v in p.facts.get(f, ("",) * len(p))) for f in facts},
        _card(name, libraries, defined),
    )
    return library, told


def non_commercial(licence: str) -> bool:
    """Whether the words of a licence forbid commercial use ("CC-BY-NC-4.0", "non-commercial")."""
    return _NC.search(licence) is not None


def _renames(library: Library, aliases: Mapping[str, str]) -> dict[str, str]:
    """Class to class, for one library; what names it alone goes before what names all."""
    own = f"{library.card['name']}:"
    general = {k: v for k, v in aliases.items() if not k.startswith(own)}
    special = {k.removeprefix(own): v for k, v in aliases.items() if k.startswith(own)}
    return {canonical(old): canonical(new) for old, new in (general | special).items()}


def _definitions(parts: Sequence[Library], renames: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Meaning of each class; one that was renamed gives its own only where there is no other."""
    out: dict[str, tuple[str, str]] = {}
    further: dict[str, str] = {}
    for part, rename in zip(parts, renames, strict=True):
        for given, text in dict(part.card.get("classes", {})).items():
            known, own = canonical(given), (str(text).strip(), str(part.card["name"]))
            if known in rename:
                further.setdefault(rename[known], own[0])
                continue
            before = out.setdefault(known, own)
            if before[0] != own[0]:
                raise BadArgumentError(
                    f"one meaning of the class {known!r}",
                    f"{before[0]!r} in {before[1]!r} and {own[0]!r} in {own[1]!r}",
                    f"Rename it in one of them, --alias '{own[1]}:{known}=another name', "
                    "or mend a card.",
                )
    return further | {name: text for name, (text, _) in out.items()}


@dataclass
class _Known:
    """A unit that was kept: where, and what it is called."""

    part: int
    row: int
    label: str
    evidence: str
    told: str


def _each_once(
    parts: Sequence[Library], rule: Rule | None
) -> tuple[list[Library], tuple[str, ...]]:
    seen: dict[Any, _Known] = {}
    units: list[_Known] = []
    told, clashes = [], []
    for number, part in enumerate(parts):
        doubles: dict[bool, int] = {}
        names = zip(part.identities, _names(part), strict=True)
        for row, (identity, name) in enumerate(names):
            keys = [key for key in (identity, name) if key]
            before = next((seen[key] for key in keys if key in seen), None)
            own = _Known(number, row, part.label[row], part.evidence[row], _told(part, row))
            if before is None:
                units.append(own)
                seen |= dict.fromkeys(keys, own)
                continue
            seen |= {key: before for key in keys if key not in seen}
            within = before.part == number
            doubles[within] = doubles.get(within, 0) + 1
            clash = _settle(before, own, rule)
            clashes += [clash] if clash else []
        told += [_sentence(part, n, within) for within, n in doubles.items()]
    if clashes:
        more = f"; {len(clashes) - _SHOWN} more" if len(clashes) > _SHOWN else ""
        raise BadArgumentError(
            "one class for a unit that occurs twice",
            "; ".join(clashes[:_SHOWN]) + more,
            "Settle it in one of them, rename a class with --alias, or say which counts with "
            "--disagree.",
        )
    kept = []
    for number, part in enumerate(parts):
        own_units = [unit for unit in units if unit.part == number]
        rows = part.take(np.asarray([unit.row for unit in own_units], np.int64))
        label = tuple(unit.label for unit in own_units)
        kept.append(replace(rows, label=label, evidence=tuple(u.evidence for u in own_units)))
    return kept, tuple(told)


def _settle(before: _Known, own: _Known, rule: Rule | None) -> str:
    """Bring the class of a double to the unit that is kept; returns what cannot be settled."""
    if before.label == own.label or not own.label:
        return ""
    if not before.label:
        before.label, before.evidence = own.label, own.evidence
        return ""
    if rule is None:
        return f"{own.told} is {own.label!r}, but {before.label!r} as {before.told}"
    chosen = rule(before.label, own.label)
    chosen = canonical(chosen) if chosen else ""
    if chosen == own.label:
        before.evidence = own.evidence
    elif chosen in ("", UNKNOWN):
        before.evidence = ""
    before.label = "" if chosen == UNKNOWN else chosen
    return ""


def _names(part: Library) -> list[Any]:
    """Laboratory, subject, session and unit, where all of them are stated; else None."""
    empty = ("",) * len(part)
    subject = tuple("" if name == UNKNOWN else name for name in part.features.subject)
    columns = (
        part.facts.get("lab", empty),
        subject,
        part.features.session,
        part.facts.get("unit", empty),
    )
    return [name if all(name) else None for name in zip(*columns, strict=True)]


def _told(part: Library, row: int) -> str:
    return f"unit {int(part.features.items[row])} of {part.card['name']!r}"


def _sentence(part: Library, n: int, within: bool) -> str:
    units = "1 unit of {} is" if n == 1 else f"{n} units of {{}} are"
    where = "there twice" if within else "in a library before it"
    return f"{units.format(repr(part.card['name']))} {where}; each is kept once."


def stacked(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Units of tables below each other, numbered anew; NaN where a table lacks a column."""
    names = tuple(dict.fromkeys(n for table in tables for n in table.names))
    units: dict[str, str] = {}
    for table in tables:
        for column, unit in zip(table.names, table.units, strict=True):
            units[column] = units.get(column) or unit
    return FeatureTable(
        items=np.arange(sum(len(table.items) for table in tables), dtype=np.int64),
        names=names,
        values=np.concatenate([columns_of(table, names).values for table in tables]),
        units=tuple(units[n] for n in names),
        subject=tuple(s for table in tables for s in table.subject),
        session=tuple(s for table in tables for s in table.session),
    )


def _card(name: str, libraries: Sequence[Library], defined: Mapping[str, str]) -> dict[str, Any]:
    stated = [each.card.get("licences") or [each.card["licence"]] for each in libraries]
    licences = list(dict.fromkeys(str(licence) for own in stated for licence in own))
    terms = [TERMS] if len(licences) > 1 else []
    terms += [NON_COMMERCIAL] if any(map(non_commercial, licences)) else []
    bracketed = [f"({each})" if " " in each and len(licences) > 1 else each for each in licences]
    card: dict[str, Any] = {
        "name": name,
        "licence": " AND ".join(bracketed),
        "licences": licences,
        "sources": _once(source for each in libraries for source in _sources(each)),
        "made_from": [
            {
                "name": each.card["name"],
                "licence": each.card["licence"],
                "units": len(each),
                "digest": each.digest,
            }
            for each in libraries
        ],
    }
    if terms:
        card["terms"] = " ".join(terms)
    if defined:
        card["classes"] = dict(defined)
    return card


def _once(sources: Iterable[Any]) -> list[Any]:
    out: list[Any] = []
    for source in sources:
        if source not in out:
            out.append(source)
    return out


def _sources(library: Library) -> list[Any]:
    given = library.card.get("sources")
    licence = {"licence": library.card["licence"]}
    if given:
        return [licence | dict(source) for source in given]
    return [{"name": library.card["name"], **licence, "units": len(library)}]


__all__ = ["NON_COMMERCIAL", "TERMS", "Rule", "merged", "non_commercial", "stacked"]
