"""Answers to stimuli as a plain table: what goes into CSV and Parquet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from nissl.annotators.responses.measured import MEASURES
from nissl.labels import ItemTable


def rows(items: ItemTable) -> pa.Table:
    """Table of a row for each neuron, stimulus and measure.

    Columns: `neuron`, `name`, `stimulus`, `against` (another stimulus, of differences), `measure`
    ("on", "off", "adaptation" a trial, "difference" of on answers), `effect`, `se` (standard error
    over trials), `unit`, `trials`, `p`, `q`.
    """
    facts = items.table.to_pydict()
    stimuli = list(items.context["stimuli"])
    unit = str(items.context["unit"])
    out: list[dict[str, Any]] = []
    for k in range(items.table.num_rows):
        own = {name: facts[name][k] for name in ("neuron", "name", "stimulus")}
        for measure in MEASURES:
            out.append(
                {
                    **own,
                    "against": None,
                    "measure": measure,
                    "effect": facts[measure][k],
                    "se": facts[f"{measure}_se"][k],
                    "unit": f"{unit} per trial" if measure == "adaptation" else unit,
                    "trials": facts["trials"][k],
                    "p": facts[f"p_{measure}"][k],
                    "q": facts[f"q_{measure}"][k],
                }
            )
        mine = stimuli.index(own["stimulus"])
        first = k - mine
        for other in range(mine + 1, len(stimuli)):
            error = np.hypot(facts["on_se"][k], facts["on_se"][first + other])
            out.append(
                {
                    **own,
                    "against": stimuli[other],
                    "measure": "difference",
                    "effect": float(items.arrays["difference"][k, other]),
                    "se": float(error),
                    "unit": unit,
                    "trials": facts["trials"][k] + facts["trials"][first + other],
                    "p": float(items.arrays["p_difference"][k, other]),
                    "q": float(items.arrays["q_difference"][k, other]),
                }
            )
    kinds = {"neuron": pa.int64(), "trials": pa.int64()}
    kinds |= dict.fromkeys(("effect", "se", "p", "q"), pa.float64())
    order = ("neuron", "name", "stimulus", "against", "measure", "effect", "se", "unit", "trials",
             "p", "q")  # fmt: skip
    fields = [pa.field(name, kinds.get(name, pa.string())) for name in order]
    return pa.Table.from_pylist(out, schema=pa.schema(fields))


__all__ = ["rows"]
