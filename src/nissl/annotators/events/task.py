"""The task "events": what happens in EEG, MEG and field potentials, and lasts."""

from __future__ import annotations

from typing import Any

from nissl.annotators.events.checks import check
from nissl.annotators.events.describe import describe, update
from nissl.annotators.events.score import score
from nissl.annotators.events.vocabulary import VOCABULARY
from nissl.data import Recording
from nissl.data.channels import BRAIN
from nissl.labels import Kind, LabelSet
from nissl.tasks import Task


def _simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    from nissl.annotators.events.simulate import simulate

    return simulate(seed, **size)


EVENTS = Task(
    name="events",
    gives=Kind.SPANS,
    vocabulary=VOCABULARY,
    needs=(),
    methods=(
        "events/spindles",
        "events/yasa-spindles",
        "events/yasa-slow-waves",
        "events/yasa-rems",
        "events/slow-waves",
        "events/bursts",
        "events/seizures",
        "events/artifacts",
        "events/spikes-interictal",
        "events/hfo",
        "events/suppression",
        "events/nissl",
        "events/microstates",
        "events/arousals",
        "events/respiration",
        "events/limb-movements",
        "events/background",
    ),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=_simulate,
    streams=BRAIN,
    open_vocabulary=True,
    denies=True,
)
