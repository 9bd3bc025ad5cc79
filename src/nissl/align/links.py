"""Partners of cells as LINKS, with what a person needs to judge them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nissl.align.cells.fields import Registration
from nissl.align.cells.matching import Matches
from nissl.annotators.cells.footprints import Footprints
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance, Vocabulary

SAME, DIFFERENT = 0, 1
LINKED = Vocabulary(("same", "not the same"), ("#0072b2", "#8a8f98"))
"""Whether two cells are one neuron."""
TASK = "links"
METHOD = "align/cells"
VERSION = "1"
DOUBTFUL = 0.05
"""Probability from which on a pair that is not proposed is shown as a candidate."""


def links(
    matches: Matches,
    a: LabelSet,
    b: LabelSet,
    *,
    registration: Registration,
    cells: tuple[Footprints, Footprints],
    targets: tuple[str, str] | None = None,
    activity: bool = False,
) -> tuple[LabelSet, ItemTable]:
    """LINKS of the cells of two sets, and facts about each.

    Every pair of the assignment is called the same; further pairs that are not unlikely stand
    beside them as candidates that are not.

    Parameters
    ----------
    matches : Matches
        Of rows of `a` and `b`, in their order.
    a, b : LabelSet
        REGIONS, one row per item.
    registration : Registration
    cells : tuple of Footprints
        Of `a` and `b`.
    targets : tuple of str, optional
        Digests of the sets that the items belong to, where `a` and `b` are parts of them or what
        people made of them; their own by default.
    activity : bool
        Whether activity was evidence, which whoever studies its stability must know.

    Returns
    -------
    links : LabelSet
        `confidence` is the probability that the call is right.
    items : ItemTable
        Distance and overlap of each; probabilities to be absent and the registration's figures in
        its context.
    """
    pairs, same = matches.pairs, matches.same
    called = np.zeros(len(pairs), bool)
    called[matches.chosen] = True
    rows = np.flatnonzero(called | (same >= DOUBTFUL))
    p = np.stack([same[rows], 1 - same[rows]], axis=1)
    label = np.where(called[rows], SAME, DIFFERENT).astype(np.int32)
    items = a.column("item"), b.column("item")
    made = Provenance(
        task=TASK,
        source=a.provenance.source,
        author=Author("model", METHOD, VERSION),
        stream=a.provenance.stream,
        parameters={"with": b.provenance.source} | ({"activity": True} if activity else {}),
        made_from=targets or (a.digest, b.digest),
        targets=targets or (a.digest, b.digest),
    )
    found = LabelSet.build(
        Kind.LINKS,
        {
            "a": items[0][pairs.a[rows]],
            "b": items[1][pairs.b[rows]],
            "label": label,
            "confidence": p[np.arange(rows.size), label],
            "probabilities": p,
        },
        LINKED,
        made,
    )
    table = pa.table(
        {
            "item": np.arange(rows.size, dtype=np.int64),
            "distance_px": pairs.distance[rows],
            "overlap": pairs.overlap[rows],
            "size_log_ratio": pairs.size[rows],
        }
    )
    context = {
        "correlation": registration.correlation,
        "correlation_before": registration.before,
        "moved_px": registration.shift_px,
        "absent_a": absences(items[0], matches.absent_a),
        "absent_b": absences(items[1], matches.absent_b),
        "shapes": [list(each.shape) for each in cells],
    }
    return found, ItemTable(found.digest, table, {"distance_px": "px"}, {}, context)


def absences(
    items: npt.NDArray[np.int64], chance: npt.NDArray[np.float64]
) -> list[list[float | int | None]]:
    """Item and probability to have no partner; null where the other day did not look."""
    return [
        [int(i), None if np.isnan(c) else round(float(c), 4)]
        for i, c in zip(items.tolist(), chance.tolist(), strict=True)
    ]


__all__ = ["DIFFERENT", "DOUBTFUL", "LINKED", "METHOD", "SAME", "TASK", "absences", "links"]
