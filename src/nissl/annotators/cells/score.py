"""How well regions agree with those of people: detection by overlap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nissl.annotators.cells.vocabulary import CELL
from nissl.labels import LabelSet
from nissl.labels.compare.regions import compare_regions

MIN_IOU = 0.5


def score(proposal: LabelSet, truth: LabelSet) -> Mapping[str, float]:
    """Score regions that are called cells, matched one to one at an IoU of one half.

    Returns
    -------
    mapping
        `f1`, `precision`, `recall`, and `iou`, the mean over matched cells.
    """
    scored = compare_regions(only_cells(truth), only_cells(proposal), min_iou=MIN_IOU)
    return scored.evidence.metrics()


def only_cells(labels: LabelSet) -> LabelSet:
    """The rows that are called cells."""
    rows = np.flatnonzero(labels.column("label") == CELL)
    return LabelSet(labels.kind, labels.table.take(rows), labels.vocabulary, labels.provenance)
