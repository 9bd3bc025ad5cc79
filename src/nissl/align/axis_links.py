"""Axes of a common space as LINKS: axis k of one population is axis k of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from nissl.align.latent.axes import SameAxes
from nissl.align.links import DIFFERENT, LINKED, SAME, TASK
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

METHOD = "align/overlap"
VERSION = "1"


def axis_links(
    found: SameAxes, other: str, reference: str, stream: str, parameters: Mapping[str, Any]
) -> tuple[LabelSet, ItemTable]:
    """LINKS of the axes of two sources of latents, with what speaks for each.

    Parameters
    ----------
    found : SameAxes
    other, reference : str
        Fingerprints of the sources of latents; the links belong to the first.
    stream : str
    parameters : mapping
        JSON values that say how the space was made.

    Returns
    -------
    links : LabelSet
        Items of both sides are channels, from 0 on. Called "same" from a probability of one half
        on, or where nothing can be said; its confidence is then NaN.
    items : ItemTable
        Correlation with the partner on windows held out, the largest with another axis, and p.
    """
    axis = np.arange(len(found.correlation), dtype=np.int64)
    p = found.probability
    label = np.where(p < 0.5, DIFFERENT, SAME).astype(np.int32)
    columns: dict[str, Any] = {
        "a": axis,
        "b": axis,
        "label": label,
        "confidence": np.where(label == SAME, p, 1 - p),
    }
    if np.isfinite(p).all():
        columns["probabilities"] = np.stack([p, 1 - p], axis=1)
    made = Provenance(
        task=TASK,
        source=other,
        author=Author("model", METHOD, VERSION),
        stream=stream,
        parameters=dict(parameters),
        targets=(other, reference),
    )
    labels = LabelSet.build(Kind.LINKS, columns, LINKED, made)
    facts = {"correlation": found.correlation, "largest_other": found.rival, "p": found.p}
    table = pa.table({"item": labels.column("item"), **facts})
    return labels, ItemTable(labels.digest, table, {}, {}, {"axes": len(axis)})


__all__ = ["METHOD", "axis_links"]
