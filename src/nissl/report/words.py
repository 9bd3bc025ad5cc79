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
_SPANS = Words("event", "events", "Electrophysiological signals", "Events were marked")
_LINKS = Words("link", "links", "Recordings", "Items were matched")
_ITEMS = Words("item", "items", "Recordings", "Items were classified")
_OF_KIND = {
    Kind.EVENTS: _UNITS,
    Kind.SPANS: _SPANS,
    Kind.REGIONS: Words("region", "regions", "Movies", "Regions were outlined"),
    Kind.LINKS: _LINKS,
}
_OF_TASK = {
    "sleep": Words("epoch", "epochs", "Polysomnographic signals", "Sleep stages were assigned"),
    "components": Words("component", "components", "EEG", "Independent components were classified"),
    "decoding": Words("trial", "trials", "Neural signals", "Trials were decoded"),
    "cells": Words("region", "regions", "Movies of fluorescence", "Cells were outlined"),
    "rates": Words("cell", "cells", "Traces of fluorescence", "Spikes were inferred"),
    "responses": Words("answer", "answers", "Traces of neurons", "Answers to stimuli were tested"),
    "tracks": Words("neuron", "neurons", "Volumes of a moving animal", "Neurons were followed"),
    "masks": Words("neuron", "neurons", "Volumes of a moving animal", "Masks were drawn"),
}


def words_of(dossier: Dossier) -> Words:
    """Words for a dossier, by the task of its labels, else by their kind."""
    labels = dossier.labels
    return _OF_TASK.get(labels.provenance.task) or _OF_KIND.get(labels.kind, _ITEMS)


__all__ = ["ByItem", "Words", "words_of"]
