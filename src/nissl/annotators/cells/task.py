"""The task "cells": which pixels of a movie of fluorescence belong to which cell."""

from __future__ import annotations

from nissl.annotators.cells.checks import check as check_cells
from nissl.annotators.cells.describing import described_anew
from nissl.annotators.cells.score import score
from nissl.annotators.cells.simulate import simulate
from nissl.annotators.cells.vocabulary import CELLS as VOCABULARY
from nissl.data.channels import MOVIE
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts of the cells, read from the movie; see `nissl.annotators.cells.describing`."""
    return described_anew(labels, inputs.movie, context)


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay until the set is described anew; the trace of a new outline is read at once."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """See `nissl.annotators.cells.checks`."""
    del context
    return check_cells(labels, items, None if inputs is None else inputs.movie)


CELLS = Task(
    name="cells",
    gives=Kind.REGIONS,
    vocabulary=VOCABULARY,
    needs=(),
    methods=(
        "cells/nissl",
        "cells/suite2p",
        "cells/cellpose",
        "cells/caiman",
        "cells/quality",
        "cells/still",
    ),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=(MOVIE,),
    denies=True,
)
