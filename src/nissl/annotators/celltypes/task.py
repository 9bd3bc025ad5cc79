"""The task "celltypes": which kind of neuron a sorted unit is, or that it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nissl.annotators.celltypes.facts import item_table
from nissl.annotators.celltypes.learner import LEARNER
from nissl.annotators.celltypes.vocabulary import CORTICAL
from nissl.data import Recording
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.labels.compare import compare
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task

EVIDENCE = (
    "celltypes/optotagging",
    "celltypes/pharmacology",
    "celltypes/juxtacellular",
)
MOSTLY = 0.8


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts about units with a class, as the view shows them; see `facts.item_table`."""
    del context
    units, table = inputs.labels["spikes"], inputs.items.get("spikes")
    features = LEARNER.featurise(units, table)
    return item_table(LEARNER.known, labels, features, table, LEARNER.unlike(features)[1])


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay as they are: a person's class changes none of them."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Say how much stays unknown, and when polarity is odd."""
    del items, context
    findings = []
    n = labels.n_rows
    unknown = int(np.sum(labels.column("label") == len(labels.vocabulary) - 1))
    if n and unknown >= MOSTLY * n:
        findings.append(
            Finding(
                "mostly_unknown",
                "note",
                f"{unknown} of {n} units stay unknown: no class can be claimed within the error "
                "budget. Units of your own whose class is known (nissl tag), or a library "
                "(nissl learn --library), teach the model.",
                value=float(unknown),
                limit=MOSTLY * n,
            )
        )
    if inputs is not None and "spikes" in inputs.labels:
        findings += remarks(inputs.labels["spikes"], inputs.items.get("spikes"))
    return findings


def remarks(units: LabelSet, table: ItemTable | None) -> list[Finding]:
    """What is told of a sorting whatever its classes: odd polarity."""
    del units
    if table is None or "template" not in table.arrays:
        return []
    from nissl.annotators.spikes.polarity import polarity_finding

    found = polarity_finding(table.arrays["template"])
    return [] if found is None else [found]


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Agreement with known classes over the units of both: see `nissl.labels.compare`."""
    return {k: float(v) for k, v in compare(truth, proposal).metrics.items()}


def _simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    from nissl.annotators.celltypes.simulate import simulate_cells

    recording, _, truth = simulate_cells(seed, **size)
    return recording, truth


CELLTYPES = Task(
    name="celltypes",
    gives=Kind.CLASSES,
    vocabulary=CORTICAL,
    needs=("spikes",),
    methods=("celltypes/nissl", "celltypes/putative", "celltypes/c4"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=_simulate,
    open_vocabulary=True,
    view="celltypes",
    evidence=EVIDENCE,
    remarks=remarks,
)
