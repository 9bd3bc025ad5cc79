"""The task "spikes": neurons' spikes in extracellular recordings."""

from __future__ import annotations

from typing import Any

from nissl.annotators.spikes.checks import check
from nissl.annotators.spikes.matching import match_units
from nissl.annotators.spikes.score import score
from nissl.annotators.spikes.units import describe
from nissl.annotators.spikes.updating import update
from nissl.data import Recording
from nissl.labels import Kind, LabelSet, Vocabulary
from nissl.tasks import Task


def _simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    from nissl.annotators.spikes.simulate import simulate

    return simulate(seed, **size)


SPIKES = Task(
    name="spikes",
    gives=Kind.EVENTS,
    vocabulary=Vocabulary(("unit",)),
    needs=(),
    methods=(
        "spikes/nissl",
        "spikes/lupin",
        "spikes/tridesclous2",
        "spikes/spykingcircus2",
        "spikes/mountainsort5",
        "spikes/kilosort4",
    ),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=_simulate,
    match=match_units,
)
