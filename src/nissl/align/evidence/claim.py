"""A claim: that a population codes something alike in several recordings.

It names what the claim is about and predicts what can be checked, so that nothing of it can be
chosen after the data were seen: its digest stands in the output.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from nissl.align.errormap.reading import RULES
from nissl.align.fragments import About
from nissl.errors import BadArgumentError

PREDICTIONS = ("higher", "lower")
Part = TypeVar("Part")


@dataclass(frozen=True)
class Recorded:
    """One recording that a claim is about.

    Parameters
    ----------
    source : str
        Name in the study.
    windows : str
        Windows whose names are the conditions: a table, or the name of a set of spans.
    subject, day, species, region, state : str
        Where empty, what the study knows.
    """

    source: str
    windows: str
    subject: str = ""
    day: str = ""
    species: str = ""
    region: str = ""
    state: str = ""

    def about(self, known: About) -> About:
        """Metadata, with what the study knows where the claim says nothing."""
        return About(
            self.species or known.species,
            self.subject or known.subject,
            self.day or known.session,
            self.region or known.region,
            self.state or known.state,
            known.modality,
        )


@dataclass(frozen=True)
class Intervention:
    """What an intervention is predicted to do to the activity of a source.

    Parameters
    ----------
    source : str
    on, off : str
        Windows with and without stimulation (or lesion): tables, or names of sets of spans.
    predicts : {"higher", "lower"}
        Activity with it, compared with activity without.
    subject : str
        Empty: what the study knows.
    """

    source: str
    on: str
    off: str
    predicts: str
    subject: str = ""

    def __post_init__(self) -> None:
        if self.predicts not in PREDICTIONS:
            raise BadArgumentError(
                f"a prediction among {list(PREDICTIONS)}",
                repr(self.predicts),
                "Say whether activity is higher or lower where the intervention is on.",
            )


@dataclass(frozen=True)
class Drive:
    """That one channel (unit, axis, region) of a source drives another.

    Parameters
    ----------
    source, cause, effect : str
    modality : {"", "spikes", "fields", "bold"}
        What may feign a direction; empty: by what the source holds.
    subject : str
        Empty: what the study knows.
    """

    source: str
    cause: str
    effect: str
    modality: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim with all that it predicts.

    Parameters
    ----------
    name, says : str
        A short name, and the claim in words.
    sources : tuple of Recorded
        Two or more.
    bin_s : float
    rule : {"linear", "rotation"}
        What the map between two recordings may do: a linear map asks for the same distinctions
        between conditions, a rotation with one scale for the same geometry.
    axes : int, optional
        How many shared axes are claimed to carry the transfer; found where None.
    interventions : tuple of Intervention
    drives : tuple of Drive
    """

    name: str
    says: str
    sources: tuple[Recorded, ...]
    bin_s: float = 0.05
    rule: str = "linear"
    axes: int | None = None
    interventions: tuple[Intervention, ...] = ()
    drives: tuple[Drive, ...] = ()

    def __post_init__(self) -> None:
        names = [s.source for s in self.sources]
        if len(names) < 2 or len(set(names)) != len(names):
            raise BadArgumentError(
                "two or more different sources in a claim", f"{names}", "Name each source once."
            )
        if self.rule not in RULES:
            raise BadArgumentError(f"a rule among {list(RULES)}", repr(self.rule), "Choose one.")
        if not self.bin_s > 0 or (self.axes is not None and self.axes < 1):
            raise BadArgumentError(
                "bins longer than nothing and one axis or more",
                f"{self.bin_s} s and {self.axes}",
                "Correct the claim.",
            )
        if not self.name or any(c in self.name for c in "/\\") or self.name.startswith("."):
            raise BadArgumentError(
                "a name that can be a file's", repr(self.name), "Use letters, digits and dashes."
            )

    def to_json(self) -> dict[str, Any]:
        """As JSON values; `of_json` reads them."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return own | {
            part: [vars(each) for each in own[part]]
            for part in ("sources", "interventions", "drives")
        }

    @property
    def digest(self) -> str:
        """SHA-256 of all that it says."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def of_json(value: Mapping[str, Any]) -> Claim:
    """A claim from JSON values.

    Raises
    ------
    BadArgumentError
        Of fields that no claim has, or that are missing.
    """
    known = dict(value)
    for part, of in (("sources", Recorded), ("interventions", Intervention), ("drives", Drive)):
        known[part] = _parts(of, known.get(part, ()), part)
    return _made(Claim, known, "a claim")


def _parts(of: type[Part], values: Sequence[Mapping[str, Any]], what: str) -> tuple[Part, ...]:
    return tuple(_made(of, each, f"one of {what}") for each in values)


def _made(of: type[Part], values: Mapping[str, Any], what: str) -> Part:
    names = [f.name for f in fields(of)]  # type: ignore[arg-type]
    strange = sorted(set(values) - set(names))
    if strange:
        raise BadArgumentError(
            f"{what} with the fields {names}", f"{strange}", "Correct the claim's file."
        )
    try:
        return of(**values)
    except TypeError as error:
        raise BadArgumentError(
            f"{what} with the fields {names}", str(error), "Add what is missing."
        ) from None
