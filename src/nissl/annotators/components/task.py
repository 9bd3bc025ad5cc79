"""The task "components": what each independent component of a recording is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from nissl.annotators.components.icalabel import CLASSES
from nissl.annotators.components.simulate import simulate
from nissl.data.channels import BRAIN
from nissl.errors import EvaluationError
from nissl.labels import Edit, ItemTable, Kind, LabelSet, Vocabulary
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task

DOUBTFUL = 0.5
"""Probability below which a class is no more than the likeliest of several."""


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Nothing beyond the components' numbers: their pictures come with the decomposition."""
    del inputs, context
    return ItemTable(labels.digest, pa.table({"item": labels.items}))


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay as they are: a person's class changes none of them."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Say which components have no class that is likelier than all others together."""
    del items, inputs, context
    confidence = labels.column("confidence")
    return [
        Finding(
            "doubtful_component",
            "note",
            f"Component {item} is {labels.vocabulary.names[code]} at {p:.0%} only.",
            item=item,
            value=p,
            limit=DOUBTFUL,
        )
        for item, code, p in zip(
            labels.column("item").tolist(),
            labels.column("label").tolist(),
            confidence.tolist(),
            strict=True,
        )
        if p < DOUBTFUL
    ]


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Accuracy, and balanced accuracy over the classes that occur.

    Raises
    ------
    EvaluationError
        Sets about other components.
    """
    if sorted(proposal.column("target").tolist()) != sorted(truth.column("target").tolist()):
        raise EvaluationError(
            f"classes of the same {truth.n_rows} components",
            f"{proposal.n_rows}, or others",
            "Compare sets about one decomposition.",
        )
    order = [np.argsort(each.column("target")) for each in (proposal, truth)]
    said, true = (
        np.asarray(each.vocabulary.names)[each.column("label")[rows]]
        for each, rows in zip((proposal, truth), order, strict=True)
    )
    right = said == true
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(np.mean([right[true == name].mean() for name in set(true)])),
    }


VOCABULARY = Vocabulary(
    CLASSES, ("#009e73", "#d55e00", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#8a8f98")
)

COMPONENTS = Task(
    name="components",
    gives=Kind.CLASSES,
    vocabulary=VOCABULARY,
    needs=(),
    methods=("components/icalabel",),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=BRAIN,
)
