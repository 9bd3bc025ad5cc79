"""The task "curation": whether a sorted unit is one neuron, a mixture, or noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.annotators.curation.features import ALL
from nissl.annotators.curation.flags import flags
from nissl.annotators.curation.learner import LEARNER
from nissl.annotators.curation.model import VOCABULARY
from nissl.annotators.spikes.polarity import polarity_finding
from nissl.data import Recording
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.labels.compare import compare
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task

DOUBTFUL = 0.6
"""Confidence below which a class is as good as open."""


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Features of the units that the classes are about, one row per class.

    Returns
    -------
    ItemTable
        A column per feature of `nissl.annotators.curation.features.ALL`.
    """
    del context
    features = LEARNER.featurise(inputs.labels["spikes"], inputs.items.get("spikes"))
    order = np.argsort(labels.column("item"), kind="stable")
    rows = np.searchsorted(features.items, labels.column("target")[order])
    columns: dict[str, Any] = {"item": labels.column("item")[order]}
    columns |= {f.name: features.values[rows, k] for k, f in enumerate(ALL)}
    return ItemTable(labels.digest, pa.table(columns), {f.name: f.unit for f in ALL})


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay as they are: a person's class changes none of them."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Say how many classes are open, when hardly anything was good, and flag single units."""
    del items, context
    n = labels.n_rows
    findings: list[Finding] = []
    confidence = labels.column("confidence")
    open_ = int(np.sum(confidence < DOUBTFUL))
    if open_:
        findings.append(
            Finding(
                "doubtful_classes",
                "note",
                f"{open_} of {n} units have no class that is likelier than {DOUBTFUL:.0%}; "
                "review asks about them first.",
                value=float(open_),
                limit=0.0,
            )
        )
    good = int(np.sum(labels.column("label") == labels.vocabulary.code("good")))
    if n >= 20 and good < 0.05 * n:
        findings.append(
            Finding(
                "hardly_any_good",
                "warning",
                f"Only {good} of {n} units are called good; look at the sorting and at the "
                "recording's own findings before trusting the rest.",
                value=float(good),
                limit=0.05 * n,
            )
        )
    if inputs is not None and "spikes" in inputs.labels:
        findings += remarks(inputs.labels["spikes"], inputs.items.get("spikes"))
    return findings


def remarks(units: LabelSet, table: ItemTable | None) -> list[Finding]:
    """What is told of a sorting whatever its classes: flags of units, and odd polarity."""
    findings = flags(units, table)
    if table is not None and "template" in table.arrays:
        found = polarity_finding(table.arrays["template"])
        findings += [] if found is None else [found]
    return findings


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Agreement with known classes over the units of both: see `nissl.labels.compare`."""
    return {k: float(v) for k, v in compare(truth, proposal).metrics.items()}


def _simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    from nissl.annotators.curation.simulate import simulate_sorting

    recording, _, truth = simulate_sorting(seed, **size)
    return recording, truth


CURATION = Task(
    name="curation",
    gives=Kind.CLASSES,
    vocabulary=VOCABULARY,
    needs=("spikes",),
    methods=("curation/nissl", "curation/thresholds"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=_simulate,
    remarks=remarks,
)
