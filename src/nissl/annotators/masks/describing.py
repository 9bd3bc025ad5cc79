"""The item table of masks, and what is doubtful about them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from nissl.annotators.masks.masks import Masks
from nissl.annotators.tracks.volumes import Volumes
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Finding

UNITS = {"n_frames": "", "seen": "", "confidence": "", "size": "voxels", "x": "px", "y": "px",
         "z": "planes"}  # fmt: skip
LEAPS = 4.0
"""Factor by which a mask may differ in size from the neuron's usual one."""
SOME = 0.1


def item_table(masks: Masks, labels: LabelSet, volumes: Volumes) -> ItemTable:
    """Facts of neurons.

    Returns
    -------
    ItemTable
        Columns of `UNITS`: volumes in which the neuron has a mask, their share of those with any;
        mean confidence (NaN when uncalibrated); median size and centre. Neurons that are called
        none have their row too.
    """
    items, sizes = labels.items, masks.sizes
    centres = masks.centres()
    place = np.searchsorted(centres.items, items)
    rows: dict[str, list[float]] = {name: [] for name in UNITS}
    for item, column in zip(items.tolist(), place.tolist(), strict=True):
        own = masks.item == item
        n = int(own.sum())
        sure = masks.confidence[own]
        known = sure[np.isfinite(sure)]
        rows["n_frames"].append(n)
        rows["seen"].append(n / max(centres.frames.size, 1))
        rows["confidence"].append(float(known.mean()) if known.size else float("nan"))
        rows["size"].append(float(np.median(sizes[own])) if n else float("nan"))
        xyz = np.nanmedian(centres.xyz[:, column], axis=0) if n else np.full(3, np.nan)
        for name, value in zip("xyz", xyz.tolist(), strict=True):
            rows[name].append(value)
    columns = {"item": pa.array(items, pa.int64())} | {
        name: pa.array(values, pa.int64() if name == "n_frames" else pa.float64())
        for name, values in rows.items()
    }
    context = {
        "grid": list(volumes.shape),
        "n_frames": volumes.n_frames,
        "rate_hz": float(volumes.channels[0].rate_hz),
        "spacing_um": None if volumes.spacing_um is None else list(volumes.spacing_um),
        "channels": [movie.name for movie in volumes.channels],
    }
    return ItemTable(labels.digest, pa.table(columns), dict(UNITS), {}, context)


def doubts(masks: Masks) -> Iterator[Finding]:
    """Neurons whose masks swell or shrink, or lie in pieces."""
    sizes = masks.sizes
    for item in masks.items.tolist():
        own = np.flatnonzero(masks.item == item)
        usual = float(np.median(sizes[own]))
        off = np.maximum(sizes[own] / usual, usual / sizes[own]) > LEAPS
        share = float(off.mean())
        if own.size > 2 and share > SOME:
            worst = int(masks.frame[own[int(np.argmax(np.abs(np.log(sizes[own] / usual))))]])
            sentence = (
                f"Neuron {item} is more than {LEAPS:g} times larger or smaller than usual in "
                f"{int(off.sum())} of {own.size} volumes, most in volume {worst}."
            )
            yield Finding("size", "warning", sentence, item=item, value=share, limit=SOME)


__all__ = ["doubts", "item_table"]
