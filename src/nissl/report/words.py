"""Words of the report that depend on what is reported on."""

from __future__ import annotations

from dataclasses import dataclass

from nissl.labels import Kind
from nissl.tasks import Dossier, Finding

ByItem = dict[int | None, list[Finding]]
"""Findings of each item, the gravest first; under None those of the recording."""


@dataclass(frozen=True)
class Words:
    """How what is labelled is called.

    Parameters
    ----------
    one, many : str
    signals : str
        What was recorded, at the beginning of a sentence.
    done : str
        What was done with them, in the passive voice, before "by".
    """

    one: str
    many: str
    signals: str
    done: str


_UNITS = Words("unit", "units", "Extracellular signals", "Spikes were sorted")
_SLEEP = Words("epoch", "epochs", "Polysomnographic signals", "Sleep stages were assigned")
_SPANS = Words("event", "events", "Electrophysiological signals", "Events were marked")


def words_of(dossier: Dossier) -> Words:
    """Words for a dossier, by the kind and task of its labels."""
    if dossier.labels.kind is not Kind.SPANS:
        return _UNITS
    return _SLEEP if dossier.labels.provenance.task == "sleep" else _SPANS


__all__ = ["ByItem", "Words", "words_of"]
