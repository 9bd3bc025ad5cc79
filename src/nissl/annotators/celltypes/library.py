"""A library of cell types: labelled units that laboratories share, merge and learn from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nissl.annotators.celltypes.vocabulary import UNKNOWN, canonical
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import FeatureTable
from nissl.tasks import Examples

FACTS = ("lab", "species", "region", "probe", "layer")
EVIDENCE = ("optotagging", "juxtacellular", "pharmacology", "expert", "")
REQUIRED = ("name", "licence")


@dataclass(frozen=True, eq=False)
class Library:
    """Units with what is known of their kind.

    Parameters
    ----------
    features : FeatureTable
        Columns as `nissl.annotators.celltypes.features`, NaN where missing; subject and session
        of each unit.
    label : tuple of str
        Canonical class of each unit, "" where there is none.
    evidence : tuple of str
        What the class rests on, one of `EVIDENCE`; "" for unlabelled units.
    facts : mapping of str to tuple of str
        One text per unit, "" where unknown: lab, species, region, probe, layer, and others.
    card : mapping
        JSON values; "name" and "licence" at least. "classes" may define the names, "sources"
        lists where units come from.
    """

    features: FeatureTable
    label: tuple[str, ...]
    evidence: tuple[str, ...]
    facts: Mapping[str, tuple[str, ...]]
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        n = len(self.features.items)
        lengths = {"label": len(self.label), "evidence": len(self.evidence)}
        lengths |= {name: len(values) for name, values in self.facts.items()}
        wrong = {name: k for name, k in lengths.items() if k != n}
        if wrong:
            raise BadLabelsError(f"{n} values of each, one per unit", str(wrong), "Mend the units.")
        lacking = [name for name in REQUIRED if not str(self.card.get(name, "")).strip()]
        if lacking:
            raise BadArgumentError(
                f"a card with {', '.join(REQUIRED)}",
                f"one without {', '.join(lacking)}",
                "State them: who uses a library must know under which terms.",
            )
        names = tuple(canonical(name) if name else "" for name in self.label)
        object.__setattr__(self, "label", tuple("" if n == UNKNOWN else n for n in names))
        strange = sorted(set(self.evidence) - set(EVIDENCE))
        if strange:
            raise BadArgumentError(
                f"evidence among {[e for e in EVIDENCE if e]}", str(strange), "Use one of them."
            )

    def __len__(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that occur, the most frequent first."""
        counts = Counter(name for name in self.label if name)
        return tuple(sorted(counts, key=lambda name: (-counts[name], name)))

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 over units and card."""
        from nissl.labels.digest import canonical_json

        hashed = hashlib.sha256()
        hashed.update(canonical_json({k: v for k, v in self.card.items() if k != "digest"}))
        for unit in self.unit_digests:
            hashed.update(unit.encode())
        named = (self.label, self.evidence, *(self.facts[k] for k in sorted(self.facts)))
        for column in named:
            hashed.update("\0".join(column).encode() + b"\1")
        return hashed.hexdigest()

    @cached_property
    def unit_digests(self) -> tuple[str, ...]:
        """Hex SHA-256 of what was measured of each unit, whatever it is called."""
        order = np.argsort(self.features.names)
        names = "\0".join(np.asarray(self.features.names)[order]).encode()
        values = np.ascontiguousarray(self.features.values[:, order], "<f4")
        values[np.isnan(values)] = np.float32(np.nan)
        return tuple(hashlib.sha256(names + row.tobytes()).hexdigest() for row in values)

    def take(self, rows: npt.NDArray[Any]) -> Library:
        """Some of the units, by index or mask."""
        picked = np.arange(len(self))[rows]
        table = self.features
        part = Examples(table, np.zeros(len(self), np.int64), np.ones(len(self))).take(picked)
        return replace(
            self,
            features=part.features,
            label=tuple(self.label[k] for k in picked.tolist()),
            evidence=tuple(self.evidence[k] for k in picked.tolist()),
            facts={n: tuple(v[k] for k in picked.tolist()) for n, v in self.facts.items()},
        )

    def examples(
        self, names: Sequence[str] | None = None, classes: Sequence[str] | None = None
    ) -> Examples:
        """Labelled units to learn from.

        Parameters
        ----------
        names : sequence of str, optional
            Columns in the order that a learner wants; what the library lacks is NaN.
        classes : sequence of str, optional
            Codes of the examples, to which "unknown" is added; by default `classes`. Units of
            other classes are left out.
        """
        wanted = tuple(classes) if classes is not None else self.classes
        rows = np.flatnonzero(np.isin(self.label, wanted))
        part = self.take(rows)
        codes = np.asarray([wanted.index(name) for name in part.label], np.int64)
        table = part.features if names is None else columns_of(part.features, names)
        return Examples(table, codes, np.ones(len(codes)), (*wanted, UNKNOWN))


def columns_of(table: FeatureTable, names: Sequence[str]) -> FeatureTable:
    """The same units with columns by name; NaN where the table lacks one."""
    place = {name: k for k, name in enumerate(table.names)}
    values = np.full((len(table.items), len(names)), np.nan)
    for k, name in enumerate(names):
        if name in place:
            values[:, k] = table.values[:, place[name]]
    units = tuple(table.units[place[n]] if n in place else "" for n in names)
    return replace(table, names=tuple(names), values=values, units=units)


def merged(
    libraries: Sequence[Library],
    *,
    name: str,
    aliases: Mapping[str, str] | None = None,
) -> tuple[Library, tuple[str, ...]]:
    """Units of several libraries below each other.

    Parameters
    ----------
    libraries : sequence of Library
    name : str
        Of the new one.
    aliases : mapping of str to str, optional
        Class names that mean another.

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
    rename = {canonical(old): canonical(new) for old, new in (aliases or {}).items()}
    parts = [
        replace(each, label=tuple(rename.get(n, n) for n in each.label), card=dict(each.card))
        for each in libraries
    ]
    defined = _definitions(parts, rename)
    kept, told = _without_doubles(parts)
    names = tuple(dict.fromkeys(n for part in kept for n in part.features.names))
    tables = [columns_of(part.features, names) for part in kept]
    first = tables[0]
    units = dict(zip(first.names, first.units, strict=True))
    for part in kept:
        for column, unit in zip(part.features.names, part.features.units, strict=True):
            units[column] = units.get(column) or unit
    facts = tuple(dict.fromkeys(n for part in kept for n in part.facts))
    table = FeatureTable(
        items=np.arange(sum(len(part) for part in kept), dtype=np.int64),
        names=names,
        values=np.concatenate([t.values for t in tables]),
        units=tuple(units[n] for n in names),
        subject=tuple(s for t in tables for s in t.subject),
        session=tuple(s for t in tables for s in t.session),
    )
    licences = list(dict.fromkeys(str(part.card["licence"]) for part in parts))
    card = {
        "name": name,
        "licence": " AND ".join(f"({each})" if " " in each else each for each in licences),
        "sources": [source for part in parts for source in _sources(part)],
        "classes": defined,
    }
    library = Library(
        table,
        tuple(n for part in kept for n in part.label),
        tuple(n for part in kept for n in part.evidence),
        {f: tuple(v for p in kept for v in p.facts.get(f, ("",) * len(p))) for f in facts},
        card,
    )
    return library, told


def _definitions(parts: Sequence[Library], rename: Mapping[str, str]) -> dict[str, str]:
    out: dict[str, tuple[str, str]] = {}
    for part in parts:
        for given, text in dict(part.card.get("classes", {})).items():
            known = rename.get(canonical(given), canonical(given))
            own = (str(text).strip(), str(part.card["name"]))
            if known in out and out[known][0] != own[0]:
                raise BadArgumentError(
                    f"one meaning of the class {known!r}",
                    f"{out[known][0]!r} in {out[known][1]!r} and {own[0]!r} in {own[1]!r}",
                    f"Rename one: --alias '{known}=another name', or mend the card.",
                )
            out.setdefault(known, own)
    return {name: text for name, (text, _) in out.items()}


def _without_doubles(parts: Sequence[Library]) -> tuple[list[Library], tuple[str, ...]]:
    seen: dict[str, tuple[str, str]] = {}
    kept, told, clashes = [], [], []
    for part in parts:
        rows = []
        for k, digest in enumerate(part.unit_digests):
            own = (part.label[k], f"unit {int(part.features.items[k])} of {part.card['name']!r}")
            before = seen.setdefault(digest, own)
            if before is own:
                rows.append(k)
            elif before[0] and own[0] and before[0] != own[0]:
                clashes.append(f"{own[1]} is {own[0]!r}, but {before[0]!r} as {before[1]}")
        if len(rows) < len(part):
            lost = len(part) - len(rows)
            told.append(f"{lost} units of {part.card['name']!r} are in another library already.")
        kept.append(part.take(np.asarray(rows, np.int64)))
    if clashes:
        raise BadArgumentError(
            "one class for a unit that two libraries hold",
            "; ".join(clashes[:5]) + (f"; {len(clashes) - 5} more" if len(clashes) > 5 else ""),
            "Settle it in one of them, or rename a class with --alias.",
        )
    return kept, tuple(told)


def _sources(part: Library) -> list[Any]:
    given = part.card.get("sources")
    if given:
        return list(given)
    return [{"name": part.card["name"], "licence": part.card["licence"], "units": len(part)}]
