"""Regions, their facts and traces, and the contract suite of formats for segmented movies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.cells.footprints import Footprints
from nissl.annotators.cells.vocabulary import CELLS
from nissl.data import Signal
from nissl.errors import ExportError
from nissl.io.contracts import Imported
from nissl.io.regions import DECONVOLVED, NEUROPIL, RAW, trace_array, traces_of
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.tasks import Dossier
from nissl.testing.exporters import ExporterContract, example_dossier

FIELD = (1, 48, 64)
RATE_HZ = 7.5


def example_footprints(
    rng: np.random.Generator, n: int, *, shape: tuple[int, int, int] = FIELD
) -> Footprints:
    """Discs of several sizes at random places, each in one plane, which may overlap."""
    depth, height, width = shape
    y, x = np.mgrid[:height, :width]
    pixels, weights = [], []
    for index in range(n):
        centre, radius = rng.uniform([2, 2], [height - 2, width - 2]), rng.uniform(1.5, 4)
        inside = np.flatnonzero((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2)
        pixels.append(inside + (index % depth) * height * width)
        weights.append(rng.uniform(0.1, 1, inside.size))
    return Footprints.build(shape, pixels, weights)


def example_regions(
    rng: np.random.Generator, n: int, *, shape: tuple[int, int, int] = FIELD
) -> LabelSet:
    """Regions by a model, each with a probability to be a cell; ids are not 0, 1, 2."""
    drawn = example_footprints(rng, n, shape=shape)
    made = Provenance(
        "cells",
        "f" * 64,
        Author("model", "cells/example", "1"),
        "movie",
        {"shape": list(shape)},
        packages={"numpy": "1"},
    )
    return drawn.to_labels(made, item=np.arange(n) * 3 + 2, probability=rng.uniform(0.05, 0.95, n))


def example_facts(labels: LabelSet, rng: np.random.Generator) -> ItemTable:
    """Facts under names that programs share, one of them missing once."""
    n = labels.items.size
    skew = rng.normal(2, 1, n)
    skew[0] = np.nan
    table = pa.table(
        {"item": labels.items, "skew": skew, "compact": rng.uniform(1, 1.5, n), "note": ["a"] * n}
    )
    return ItemTable(labels.digest, table, {"skew": ""}, {}, {"rate_hz": RATE_HZ})


def example_traces(labels: LabelSet, rng: np.random.Generator, n: int = 40) -> dict[str, Signal]:
    """Raw, neuropil and deconvolved traces of every item."""
    items = labels.column("item").tolist()
    shape = (n, len(items))
    return {
        name: trace_array(name, rng.gamma(2.0, 50.0, shape), items, RATE_HZ)
        for name in (RAW, NEUROPIL, DECONVOLVED)
    }


def example_region_dossier(
    seed: int = 0, *, n_rows: int = 12, shape: tuple[int, int, int] = FIELD
) -> Dossier:
    """Regions with all that a project knows of them, but the movie."""
    rng = np.random.default_rng(seed)
    labels = example_regions(rng, n_rows, shape=shape)
    other = example_dossier(seed)
    return replace(
        other,
        labels=labels,
        items=example_facts(labels, rng),
        stream="movie",
        classes=(),
        signals=example_traces(labels, rng),
        source={**other.source, "rate_hz": RATE_HZ},
        images={
            name: rng.gamma(2.0, 50.0, shape).astype(np.float32)
            for name in ("mean", "max", "correlation")
        },
    )


class RegionExporterContract(ExporterContract):
    """Further promises of formats for segmented movies.

    `traces` are the derived signals that the format holds, `images` its pictures of the field.
    """

    noun: ClassVar[str] = "regions"
    traces: ClassVar[tuple[str, ...]] = (RAW, NEUROPIL, DECONVOLVED)
    images: ClassVar[tuple[str, ...]] = ()

    def example(self, seed: int = 0, *, n_rows: int = 12) -> Dossier:
        """Regions of one plane, with traces."""
        return example_region_dossier(seed, n_rows=n_rows)

    def assert_same(self, back: Imported, dossier: Dossier) -> None:
        """Labels, facts, events and traces came back."""
        super().assert_same(back, dossier)
        items = dossier.labels.column("item")
        assert set(back.signals) == set(self.traces)
        for name in self.traces:
            wanted, got = dossier.signals[name], back.signals[name]
            assert got.rate_hz == pytest.approx(wanted.rate_hz)
            assert np.array_equal(traces_of(got, items), traces_of(wanted, items))
        assert set(back.images) == set(self.images)
        for name in self.images:
            assert np.array_equal(back.images[name], dossier.images[name])

    def test_refuses_what_is_no_regions(self, tmp_path: Path) -> None:
        """Sets without a row, and several rows of one item."""
        dossier = self.example()
        table = dossier.labels.table
        columns = {n: table.column(n) for n in ("label", "pixels", "weights")}
        twice = LabelSet.build(
            Kind.REGIONS,
            {**columns, "item": np.zeros(table.num_rows, np.int64)},
            CELLS,
            dossier.labels.provenance,
        )
        for labels in (replace(dossier.labels, table=table.slice(0, 0)), twice):
            with pytest.raises(ExportError, match="regions"):
                self.exporter.write(replace(dossier, labels=labels), self.target(tmp_path))

    def test_needs_the_shape_of_the_field(self, tmp_path: Path) -> None:
        """Pixels are flat; without a shape they are nowhere."""
        dossier = self.example()
        made = replace(dossier.labels.provenance, parameters={})
        labels = replace(dossier.labels, provenance=made)
        with pytest.raises(ExportError, match="shape"):
            self.exporter.write(
                Dossier(labels=labels, stream="movie", source={"rate_hz": RATE_HZ}),
                self.target(tmp_path),
            )

    def test_of_several_planes(self, tmp_path: Path) -> None:
        """Planes are z."""
        dossier = example_region_dossier(4, shape=(3, 20, 30))
        self.assert_same(self.round_trip(dossier, tmp_path), dossier)
