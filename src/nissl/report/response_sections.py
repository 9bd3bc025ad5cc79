"""What stands in the report of answers to stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from nissl.annotators.responses.table import rows
from nissl.errors import BadLabelsError
from nissl.labels import ItemTable
from nissl.report.response_plots import plots
from nissl.report.time import clock_face, time_of
from nissl.report.words import ByItem
from nissl.tasks import Dossier

_MOST_ROWS = 100
_COLUMNS = ("neuron", "stimulus", "measure", "effect", "standard error", "trials", "P", "Q")


def of_responses(dossier: Dossier, by_item: ByItem) -> dict[str, Any]:
    """Values of the template for answers to stimuli.

    Parameters
    ----------
    dossier : Dossier
        Of the task "responses", with its item table.
    by_item : mapping
        Findings; they are the recording's.
    """
    del by_item
    items = dossier.items
    if items is None:
        raise BadLabelsError("the numbers of answers", "none", "Measure them again.")
    context = items.context
    rate_hz, duration_s = time_of(dossier)
    neurons = np.unique(items.table.column("neuron").to_numpy())
    answer = dossier.labels.column("label") < len(dossier.labels.vocabulary) - 1
    answering = np.unique(dossier.labels.column("target")[answer])
    told, n_told = _told(items)
    return {
        "body": "responses.html.j2",
        "noun": "answers",
        "noun_one": "answer",
        "heading": "Answers",
        "anchor": "answers",
        "tiles": [
            ("neurons", f"{neurons.size:,}"),
            ("answer to a stimulus", f"{answering.size:,}"),
            ("stimuli", f"{len(context['stimuli'])}"),
            ("recorded", clock_face(duration_s)),
            ("rate", f"{rate_hz:g} Hz" if np.isfinite(rate_hz) else "–"),
        ],
        "missing": [],
        "steps": [],
        "pictures": {plot.name: Markup(plot.svg()) for plot in plots(items)},
        "stimuli": _stimuli(dossier, items),
        "answer_columns": _COLUMNS,
        "answers": told,
        "n_told": n_told,
        "q": f"{context['q']:g}",
        "permutations": f"{context['permutations']:,}",
        "window": " s before and ".join(f"{s:g}" for s in context["window_s"]) + " s after",
    }


def _stimuli(dossier: Dossier, items: ItemTable) -> list[list[str]]:
    """Of each stimulus: its trials, how long it lasts, and neurons of each class."""
    names = dossier.labels.vocabulary.names
    code = dossier.labels.column("label")
    context = items.context
    of = np.asarray(items.table.column("stimulus").to_pylist(), dtype=np.str_)
    out = []
    for name, n, lasts in zip(
        context["stimuli"], context["trials"], context["duration_s"], strict=True
    ):
        counts = np.bincount(code[of == name], minlength=len(names))
        out.append([name, f"{n}", f"{lasts:.3g} s", *(f"{c}" for c in counts.tolist())])
    return [["stimulus", "trials", "lasts", *names], *out]


def _told(items: ItemTable) -> tuple[list[list[str]], int]:
    """Rows of what is told at the false discovery rate, the surest first."""
    found = [
        row
        for row in rows(items).to_pylist()
        if row["q"] is not None and row["q"] <= items.context["q"]
    ]
    found.sort(key=lambda row: (row["q"], -abs(row["effect"])))
    said = []
    for row in found[:_MOST_ROWS]:
        against = f" against {row['against']}" if row["against"] else ""
        said.append(
            [
                row["name"] or str(row["neuron"]),
                row["stimulus"] + against,
                row["measure"],
                f"{row['effect']:+.3g} {row['unit']}",
                f"{row['se']:.2g}" if row["se"] is not None else "–",
                f"{row['trials']}",
                f"{row['p']:.2g}",
                f"{row['q']:.2g}",
            ]
        )
    return said, len(found)


__all__ = ["of_responses"]
