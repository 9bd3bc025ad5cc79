"""Sets of regions with facts, some of which are cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.cells.footprints import Footprints
from nissl.labels import Author, ItemTable, Provenance

SHAPE = (1, 64, 80)


def discs(rng, n, *, shape=SHAPE, radius=3.0):
    """Footprints of `n` discs at random places."""
    _, height, width = shape
    y, x = np.mgrid[:height, :width]
    pixels = []
    for _ in range(n):
        cy, cx = rng.uniform(3, height - 3), rng.uniform(3, width - 3)
        r = radius * rng.uniform(0.7, 1.3)
        pixels.append(np.flatnonzero((y - cy) ** 2 + (x - cx) ** 2 <= r**2))
    return Footprints.build(shape, pixels)


def provenance(name="cells/example", kind="model"):
    return Provenance("cells", "f" * 64, Author(kind, name, "1"), stream="movie")


@pytest.fixture
def regions():
    """Regions, their facts, and which are cells: round ones with skewed traces."""

    def make(seed=0, n=60, *, names=("npix", "compact", "skew", "std")):
        rng = np.random.default_rng(seed)
        labels = discs(rng, n).to_labels(provenance())
        cell = rng.random(n) < 0.5
        columns = {
            "npix": rng.lognormal(4, 0.3, n),
            "compact": np.where(cell, 1.05, 1.25) + rng.normal(0, 0.08, n),
            "skew": np.where(cell, 2.5, 1.0) + rng.normal(0, 0.8, n),
            "std": rng.lognormal(3, 0.5, n),
        }
        table = pa.table({"item": labels.items} | {k: columns[k] for k in names})
        return labels, ItemTable(labels.digest, table), cell

    return make
