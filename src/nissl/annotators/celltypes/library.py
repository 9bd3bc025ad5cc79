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

from nissl.annotators.celltypes.axes import ACG, ISI, MODALITIES, WAVE
from nissl.annotators.celltypes.vocabulary import UNKNOWN, canonical
from nissl.errors import BadArgumentError, BadLabelsError
from nissl.labels import FeatureTable
from nissl.labels.digest import digest_array, digest_json, plain_json
from nissl.tasks import Examples

FACTS = ("lab", "species", "region", "probe", "layer")
EVIDENCE = ("optotagging", "juxtacellular", "pharmacology", "expert", "")
REQUIRED = ("name", "licence")
_CURVES = (*WAVE, *ACG, *ISI)


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
        JSON values; "name" and "licence" (an SPDX expression, or the words of the terms) at
        least. "version" is that of the library, "classes" may define the names of classes,
        "sources" lists where units come from: mappings with "name", "licence", "citation", ...

    Raises
    ------
    BadLabelsError
        Columns of different lengths, or a card that JSON cannot hold.
    BadArgumentError
        A card without name or licence, or evidence of an unknown kind.
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
        columns = {"label": self.label, "evidence": self.evidence, **self.facts}
        texts = (*columns.items(), ("subject", self.features.subject))
        texts = (*texts, ("session", self.features.session))
        other = sorted(name for name, each in texts if not all(isinstance(v, str) for v in each))
        if other:
            raise BadLabelsError(
                'texts, "" where unknown', f"other values in {other}", "Mend the units."
            )
        object.__setattr__(self, "card", plain_json(dict(self.card), "the card of a library"))
        lacking = [name for name in REQUIRED if not str(self.card.get(name, "")).strip()]
        if lacking:
            raise BadArgumentError(
                f"a card with {', '.join(REQUIRED)}",
                f"one without {', '.join(lacking)}",
                "State them: who uses a library must know under which terms.",
            )
        names = tuple(canonical(name) if name else "" for name in self.label)
        names = tuple("" if n == UNKNOWN else n for n in names)
        object.__setattr__(self, "label", names)
        pairs = zip(self.evidence, names, strict=True)
        object.__setattr__(self, "evidence", tuple(e if n else "" for e, n in pairs))
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
        """Hex SHA-256 over units and card, with curves in the single precision of files.

        The order of columns does not count.
        """
        table = rounded(self.features)
        order = sorted(range(len(table.names)), key=table.names.__getitem__)
        columns = {"label": self.label, "evidence": self.evidence}
        columns |= {f"fact_{name}": self.facts[name] for name in sorted(self.facts)}
        return digest_json(
            {
                "card": self.card,
                "names": [(table.names[k], table.units[k]) for k in order],
                "items": table.items.tolist(),
                "values": digest_array(table.values[:, order]),
                "subject": table.subject,
                "session": table.session,
                "columns": columns,
            }
        )

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """What tells a unit from others, whatever it is called; "" where nothing was measured.

        Hex SHA-256 of its waveform, autocorrelogram and intervals in single precision, or of
        its numbers where it has no curve.
        """
        table = self.features
        names, values = np.asarray(table.names), rounded(table).values.astype("<f4")
        curve = np.isin(table.names, _CURVES)
        out = []
        for row in values:
            known = np.isfinite(row)
            used = known & curve if np.any(known & curve) else known
            order = np.flatnonzero(used)[np.argsort(names[used])]
            told = "\0".join(names[order]).encode() + b"\0" + row[order].tobytes()
            out.append(hashlib.sha256(told).hexdigest() if order.size else "")
        return tuple(out)

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
        given = self.classes if classes is None else map(canonical, classes)
        wanted = tuple(name for name in dict.fromkeys(given) if name != UNKNOWN)
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


def rounded(table: FeatureTable) -> FeatureTable:
    """The same units with curves in the single precision in which files keep them."""
    curve = np.isin(table.names, [name for names in MODALITIES.values() for name in names])
    values = table.values.copy()
    values[:, curve] = values[:, curve].astype(np.float32)
    return replace(table, values=values)


__all__ = ["EVIDENCE", "FACTS", "Library", "columns_of", "rounded"]
