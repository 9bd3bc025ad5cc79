"""The task "names": which neuron of the animal's plan each track is, or that it cannot be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nissl.annotators.names.score import score
from nissl.annotators.names.vocabulary import NAMES_OF_WORM
from nissl.data import Recording
from nissl.data.channels import MOVIE
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task

MOSTLY = 0.8


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """The most likely names of each track, with the place that its track is said to be at."""
    del context
    names = np.array(labels.vocabulary.names)
    columns: dict[str, Any] = {"item": labels.column("item")}
    table = labels.table
    if "probabilities" in table.column_names and not table.column("probabilities").null_count:
        p = np.array(table.column("probabilities").to_pylist(), np.float64)
        order = np.argsort(-p, axis=1)
        for place in range(min(3, len(names))):
            columns[f"name_{place + 1}"] = names[order[:, place]].tolist()
            columns[f"probability_{place + 1}"] = np.take_along_axis(p, order, 1)[:, place]
    rows = np.argsort(labels.column("item"), kind="stable")
    table = pa.table(columns).take(rows)
    return ItemTable(labels.digest, table, dict.fromkeys(table.column_names, ""), {}, {})


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay as they are: a person's name changes none of them."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """Say which names were given twice, and when most tracks stay unknown."""
    del items, inputs, context
    label, item = labels.column("label"), labels.column("item")
    unknown = len(labels.vocabulary) - 1
    found = []
    for code in np.unique(label[label != unknown]).tolist():
        owners = item[label == code].tolist()
        if len(owners) > 1:
            others = ", ".join(str(k) for k in owners)
            sentence = (
                f"{labels.vocabulary.names[code]} is the name of {len(owners)} tracks ({others}): "
                "an animal has one such neuron, so one name is wrong, or one neuron has two tracks."
            )
            found += [
                Finding("name_twice", "warning", sentence, item=int(k), value=len(owners), limit=1)
                for k in owners
            ]
    n, lost = labels.n_rows, int(np.sum(label == unknown))
    if n and lost >= MOSTLY * n:
        sentence = (
            f"{lost} of {n} tracks stay unnamed: too few neurons, an atlas of another strain or "
            "part of the body, or mirrored axes (--set mirrored=true)."
        )
        found.append(
            Finding("mostly_unknown", "note", sentence, value=float(lost), limit=MOSTLY * n)
        )
    return found


def simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    """Return a recording with the true names of its tracks; see `simulate.simulate_tracks`."""
    from nissl.annotators.names.simulate import simulate_tracks

    recording, _, _, truth, _ = simulate_tracks(seed, **size)
    return recording, truth


NAMES = Task(
    name="names",
    gives=Kind.CLASSES,
    vocabulary=NAMES_OF_WORM,
    needs=("tracks",),
    methods=("names/atlas", "names/nissl"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=simulate,
    streams=(MOVIE,),
    open_vocabulary=True,
)
