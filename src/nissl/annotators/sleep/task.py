"""The task "sleep": a stage for every epoch of a night."""

from __future__ import annotations

from nissl.annotators.sleep.checks import check as check_night
from nissl.annotators.sleep.numbers import item_table
from nissl.annotators.sleep.score import score
from nissl.annotators.sleep.simulate import simulate
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.data.channels import BRAIN
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Numbers of the epochs, read from the recording; see `nissl.annotators.sleep.powers`."""
    return item_table(labels, inputs.signal, progress=context.progress)


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Numbers stay as they are: a person's stage changes none of them."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """See `nissl.annotators.sleep.checks`."""
    del context
    return check_night(labels, items, None if inputs is None else inputs.signal)


SLEEP = Task(
    name="sleep",
    gives=Kind.SPANS,
    vocabulary=HUMAN,
    needs=(),
    methods=("sleep/nissl", "sleep/yasa", "sleep/combined", "sleep/network"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=BRAIN,
    open_vocabulary=True,
)
