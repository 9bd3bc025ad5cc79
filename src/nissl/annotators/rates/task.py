"""The task "rates": spikes per second, and single spikes, from traces of fluorescence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nissl.annotators.rates.noise import noise_level
from nissl.annotators.rates.score import score
from nissl.annotators.rates.traces import items_of
from nissl.annotators.rates.vocabulary import SPIKES
from nissl.data import Recording
from nissl.data.channels import FLUORESCENCE
from nissl.labels import Edit, ItemTable, Kind, LabelSet
from nissl.run.context import Context
from nissl.tasks import Finding, Inputs, Task

FASTEST_HZ = 60.0
"""Mean rate of single spikes over a recording that traces of calcium do not show."""


def describe(labels: LabelSet, inputs: Inputs, context: Context) -> ItemTable:
    """Facts about each ROI that has spikes: `n_spikes`, `rate_hz`, `noise_level` of its trace."""
    del context
    signal, items = inputs.signal, labels.items
    column = {item: k for k, item in enumerate(items_of(signal.channels.ids))}
    first = signal.clock.segments[0]
    counts = [labels.rows_of(item).size for item in items.tolist()]
    levels = [
        noise_level(signal.read(first.start, first.stop, [column[i]])[:, 0], signal.rate_hz)
        if i in column
        else float("nan")
        for i in items.tolist()
    ]
    facts = {
        "item": items,
        "n_spikes": np.array(counts, np.int64),
        "rate_hz": np.array(counts, np.float64) / signal.duration_s,
        "noise_level": np.array(levels, np.float64),
    }
    units = {"n_spikes": "", "rate_hz": "Hz", "noise_level": "%/sqrt(Hz)"}
    return ItemTable(labels.digest, pa.table(facts), units)


def update(items: ItemTable, edit: Edit) -> ItemTable:
    """Facts stay as they are until they are described again."""
    del edit
    return items


def check(
    labels: LabelSet, items: ItemTable | None, inputs: Inputs | None, context: Context
) -> list[Finding]:
    """ROIs whose spikes are more than traces of calcium can show."""
    del labels, inputs, context
    if items is None or "rate_hz" not in items.table.column_names:
        return []
    rates = items.table.column("rate_hz").to_pylist()
    return [
        Finding(
            "implausible_rate",
            "warning",
            f"ROI {item} fires {rate:.0f} spikes a second throughout: noise or a changing "
            "baseline is taken for spikes.",
            item=item,
            value=rate,
            limit=FASTEST_HZ,
            unit="Hz",
        )
        for item, rate in zip(items.items.tolist(), rates, strict=True)
        if rate is not None and rate > FASTEST_HZ
    ]


def _simulate(seed: int, **size: Any) -> tuple[Recording, LabelSet]:
    from nissl.annotators.rates.simulate import simulate

    return simulate(seed, **size)


RATES = Task(
    name="rates",
    gives=Kind.EVENTS,
    vocabulary=SPIKES,
    needs=(),
    methods=("rates/nissl", "rates/oasis", "rates/derivative", "rates/voltage"),
    describe=describe,
    update=update,
    check=check,
    score=score,
    simulate=_simulate,
    streams=FLUORESCENCE,
)
