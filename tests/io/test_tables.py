"""CSV and Parquet tables of labels of every kind."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, CorruptSourceError, ExportError, VerificationError
from nissl.io.tables import CSV, PARQUET
from nissl.tasks import Dossier
from nissl.testing.exporters import (
    ExporterContract,
    damage,
    example_dossier,
    read_or_refuse,
)
from nissl.testing.strategies import item_tables, label_sets

SHARED = [HealthCheck.function_scoped_fixture]  # each example replaces what the last one wrote
FORMATS = {"csv": CSV, "parquet": PARQUET}


class TestCsv(ExporterContract):
    name = "csv"

    def unwritable(self, dossier):
        nested = dossier.items.table.append_column("nested", pa.array([[1]] * 4))
        return replace(dossier, items=replace(dossier.items, table=nested))


class TestParquet(ExporterContract):
    name = "parquet"

    def unwritable(self, dossier):
        table = dossier.items.table.append_column("array:acg", pa.array([1] * 4))
        return replace(dossier, items=replace(dossier.items, table=table))


@settings(max_examples=35, deadline=None, suppress_health_check=SHARED)
@given(data=st.data(), to=st.sampled_from(["csv", "parquet"]))
def test_round_trip_of_every_kind(tmp_path, data, to):
    labels = data.draw(label_sets())
    items = data.draw(st.none() | item_tables(labels))
    classes = tuple(data.draw(st.lists(label_sets(), max_size=1)))
    events = {"a b/c": data.draw(label_sets())}
    dossier = Dossier(labels=labels, items=items, classes=classes, events=events)
    path = FORMATS[to].write(dossier, tmp_path / "out", overwrite=True)
    FORMATS[to].verify(dossier, path)
    back = FORMATS[to].read(path)
    assert back.labels == (labels, *classes)
    assert back.items == (() if items is None else (items,))
    assert dict(back.events) == events
    if to == "csv":  # the same labels are the same bytes
        again = CSV.write(back.dossier(), tmp_path / "again", overwrite=True)
        for file in path.glob("labels.csv"):
            assert file.read_bytes() == (again / file.name).read_bytes()


@settings(max_examples=20, deadline=None, suppress_health_check=SHARED)
@given(labels=label_sets())
def test_csv_can_be_read_by_people(tmp_path, labels):
    path = CSV.write(Dossier(labels=labels), tmp_path / "out", overwrite=True)
    with open(path / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == labels.n_rows
    names = [labels.vocabulary.names[code] for code in labels.column("label")]
    assert [row["label"] for row in rows] == names
    assert [int(row["id"]) for row in rows] == labels.column("id").tolist()


def test_csv_floats_have_all_their_digits(tmp_path):
    dossier = example_dossier()
    path = CSV.write(dossier, tmp_path / "out")
    with open(path / "items.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    drift = dossier.items.table.column("drift_um").to_pylist()
    assert [float(row["drift_um"]) for row in rows] == drift
    assert rows[-1]["snr"] == ""


def test_facts_say_how_much_was_reviewed(tmp_path):
    path = CSV.write(example_dossier(), tmp_path / "out")
    facts = json.loads((path / "facts.json").read_text())
    assert facts["reviewed"] == 0.75
    assert facts["draft"] is False
    assert facts["findings"][0]["value"] is None
    assert facts["labels"]["provenance"]["author"]["name"] == "spikes/example"


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_changed_rows_are_refused(tmp_path, to):
    dossier = example_dossier()
    path = FORMATS[to].write(dossier, tmp_path / "out")
    other = FORMATS[to].write(example_dossier(1), tmp_path / "other")
    shutil.copy(other / f"labels.{to}", path / f"labels.{to}")
    with pytest.raises(CorruptSourceError):
        FORMATS[to].read(path)
    with pytest.raises(VerificationError):
        FORMATS[to].verify(dossier, path)


def test_csv_refuses_nested_columns_with_a_way_out(tmp_path):
    dossier = example_dossier()
    nested = dossier.items.table.append_column("nested", pa.array([[1]] * 4))
    dossier = replace(dossier, items=replace(dossier.items, table=nested))
    with pytest.raises(ExportError, match="parquet"):
        CSV.write(dossier, tmp_path / "out")
    PARQUET.write(dossier, tmp_path / "out")
    PARQUET.verify(dossier, tmp_path / "out")


def test_unknown_options_are_refused(tmp_path):
    with pytest.raises(BadArgumentError):
        CSV.write(example_dossier(), tmp_path / "out", colour="red")


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
@given(seed=st.integers(0, 2**32 - 1), to=st.sampled_from(["csv", "parquet"]))
def test_damaged_tables_yield_only_our_errors(tmp_path, seed, to):
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    path = FORMATS[to].write(example_dossier(n_spikes=30), tmp_path / "out")
    damage(path, np.random.default_rng(seed))
    read_or_refuse(FORMATS[to], path)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_regions_travel_with_their_traces(name, tmp_path):
    from nissl.io import EXPORTERS
    from nissl.testing.regions import example_region_dossier

    dossier = example_region_dossier()
    tables = EXPORTERS.get(name)
    path = tables.write(dossier, tmp_path / "out")
    tables.verify(dossier, path)
    back = tables.read(path)
    assert back.labels == (dossier.labels,)
    assert set(back.signals) == {"raw", "neuropil", "deconvolved"}
    assert back.signals["raw"].channels.kind == "fluorescence"
    header = path / f"traces_raw.{name}"
    header.write_bytes(header.read_bytes()[:200])
    with pytest.raises(CorruptSourceError, match="traces_raw"):
        tables.read(path)
