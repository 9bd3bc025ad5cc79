"""The task "decoding": what each trial of a recording was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.annotators.decoding.given import NEED, UNKNOWN, given_trials
from nissl.annotators.decoding.judging import scores
from nissl.annotators.decoding.simulate import simulate
from nissl.errors import EvaluationError
from nissl.labels import Edit, ItemTable, Kind, LabelSet, Vocabulary
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task

DOUBTFUL = 0.6
"""Confidence below which a class is as good as open, for two classes."""


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """When each trial is, and the class that it came with ("unknown" where none)."""
    del context
    items = labels.items
    columns: dict[str, Any] = {"item": items}
    if NEED in inputs.labels:
        given = given_trials(inputs, labels.provenance.parameters.get("unknown", (UNKNOWN,)))
        order = np.argsort(given.item)
        rows = order[np.searchsorted(given.item[order], items)]
        names = (*given.classes, UNKNOWN)
        columns |= {
            "start_s": inputs.signal.clock.to_seconds(given.onset[rows]),
            "duration_s": given.length_s[rows],
            "given": pa.array([names[k] for k in given.label[rows].tolist()]),
        }
    return ItemTable(labels.digest, pa.table(columns), {"start_s": "s", "duration_s": "s"})


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay as they are: a person's class changes none of them."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Say how many classes are open."""
    del items, inputs, context
    confidence = labels.column("confidence")
    n = int(np.sum(confidence < DOUBTFUL))
    if not n:
        return []
    return [
        Finding(
            "doubtful_classes",
            "note",
            f"{n} of {labels.n_rows} trials have no class that is likelier than {DOUBTFUL:.0%}; "
            "review asks about them first.",
            value=float(n),
            limit=0.0,
        )
    ]


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Accuracy, balanced accuracy, AUC and bits (Wolpaw) over the trials of both.

    "decided" is the share that has a class at all; the others say nothing and are not scored.

    Raises
    ------
    EvaluationError
        No trial in common, or classes of other names.
    """
    names = [n for n in truth.vocabulary.names if n != UNKNOWN]
    said = dict(zip(proposal.column("target").tolist(), range(proposal.n_rows), strict=True))
    true = dict(zip(truth.column("target").tolist(), truth.column("label").tolist(), strict=True))
    both = sorted(set(said) & set(true))
    if not both or not set(names) <= set(proposal.vocabulary.names):
        raise EvaluationError(
            f"trials in common, of the classes {names}",
            f"{len(both)}, of the classes {list(proposal.vocabulary.names)}",
            "Compare sets about the same trials.",
        )
    last = proposal.vocabulary.code(UNKNOWN)
    labels = proposal.column("label")
    decided = [k for k in both if labels[said[k]] != last]
    rows = np.array([said[k] for k in decided], np.intp)
    codes = [proposal.vocabulary.code(n) for n in names]
    if proposal.table.column("probabilities").null_count:
        p = np.eye(len(proposal.vocabulary))[labels[rows]]
    else:
        flat = proposal.table.column("probabilities").combine_chunks().flatten()
        p = np.asarray(flat).reshape(-1, len(proposal.vocabulary))[rows]
    answer = np.array([names.index(truth.vocabulary.names[true[k]]) for k in decided], np.int64)
    found = scores(p[:, codes].astype(np.float64), answer)
    return {**found, "decided": len(decided) / len(both)}


DECODING = Task(
    name="decoding",
    gives=Kind.CLASSES,
    vocabulary=Vocabulary(("left", "right", UNKNOWN)),
    needs=(NEED,),
    methods=(
        "decoding/riemann",
        "decoding/csp",
        "decoding/ssvep",
        "decoding/fbcca",
        "decoding/trca",
        "decoding/xdawn",
        "decoding/eegnet",
    ),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    open_vocabulary=True,
)
