"""The task "windows": stretches by which recordings can be compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from nissl.annotators.windows.simulate import simulate
from nissl.annotators.windows.vocabulary import REST, VOCABULARY
from nissl.clock import Clock
from nissl.data.channels import BRAIN, SPIKING
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.labels.compare import compare
from nissl.run.context import Context
from nissl.sync.intervals import span_seconds
from nissl.tasks import Finding, Inputs, Task

LEAST_REST_S = 60.0
"""Rest in all, below which a space of latents is noise."""


def facts(labels: LabelSet, clock: Clock, told: str = "") -> ItemTable:
    """Where each window lies: start and duration in seconds, its class, by what it was found."""
    order = np.argsort(labels.column("item"), kind="stable")
    begin, end = span_seconds(clock, labels.column("start"), labels.column("stop"))
    names = np.asarray(labels.vocabulary.names, dtype=np.str_)[labels.column("label")]
    columns = {
        "item": labels.column("item")[order],
        "start_s": begin[order],
        "duration_s": (end - begin)[order],
        "kind": names[order].tolist(),
        "told_by": [told] * labels.n_rows,
    }
    units = {"start_s": "s", "duration_s": "s"}
    return ItemTable(labels.digest, pa.table(columns), units, {}, {"rate_hz": clock.rate_hz})


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """See `facts`."""
    del context
    return facts(labels, inputs.signal.clock)


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay until the set is described anew."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """See `remarks`; without the recording nothing counts seconds."""
    del items, context
    return [] if inputs is None else remarks(labels, inputs.signal.rate_hz)


def remarks(labels: LabelSet, rate_hz: float) -> list[Finding]:
    """Little rest, and windows that nothing is sure of."""
    found = []
    own = labels.column("label") == VOCABULARY.code(REST)
    seconds = float((labels.column("stop") - labels.column("start"))[own].sum()) / rate_hz
    if seconds < LEAST_REST_S:
        sentence = (
            f"{seconds:.0f} s of rest in all; {LEAST_REST_S:.0f} s or more make a space. "
            "Record a standardised rest at the beginning of every session."
        )
        found.append(Finding("rest", "warning", sentence, None, seconds, LEAST_REST_S, "s"))
    doubtful = int((labels.column("confidence") < 0.8).sum())
    if doubtful:
        sentence = f"{doubtful} windows are likelier right than not, but below 0.8: review them."
        found.append(Finding("doubtful", "note", sentence, None, float(doubtful), 0.0))
    return found


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Precision, recall and F1 of windows, matched by an overlap of half of both together."""
    found = compare(truth, proposal, rule="iou", min_overlap=0.5).metrics
    return {name: float(found[name]) for name in ("precision", "recall", "f1")}


WINDOWS = Task(
    name="windows",
    gives=Kind.SPANS,
    vocabulary=VOCABULARY,
    needs=(),
    methods=("windows/movement", "windows/sleep", "windows/population"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=("aux", *BRAIN, *SPIKING),
)
