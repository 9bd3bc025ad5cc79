"""Tracked neurons in NWB files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nissl.annotators.tracks.positions import Positions
from nissl.clock import Clock
from nissl.data import ChannelTable, Movie, Recording, Signal
from nissl.data.signal import ArrayReader
from nissl.errors import CorruptSourceError, ExportError
from nissl.io.nwb import NWB
from nissl.io.trace_tables import trace_differences
from nissl.labels import ItemTable, LabelSet
from nissl.tasks import Dossier
from nissl.testing.exporters import damage, read_or_refuse
from nissl.testing.points import PointExporterContract, point_dossier

pynwb = pytest.importorskip("pynwb")
h5py = pytest.importorskip("h5py")

SPACING = (1.5, 0.33, 0.37)
GAPPY = Clock.from_segments(4.0, [5, 15], [10.0, 20.0])


class TestContract(PointExporterContract):
    name = "nwb"


def whole(spacing: tuple[float, float, float] | None = SPACING) -> Dossier:
    """Tracks with the movie, a clock with a gap, traces of some neurons and events' absence."""
    dossier = point_dossier(2)
    frames = np.zeros((20, 6, 40, 60), np.uint8)
    movie = Movie.from_array(frames, 4.0, name="red", spacing_um=spacing, clock=GAPPY)
    recording = Recording(None, "test", {}, fingerprint="f" * 64, movies={"red": movie})
    values = np.random.default_rng(3).normal(size=(20, 3)).astype(np.float32)
    channels = ChannelTable.plain([str(i) for i in dossier.labels.items[[3, 0, 1]]])
    traces = Signal("activity", ArrayReader(values), channels, GAPPY, {"unit": "dR/R"})
    return replace(dossier, recording=recording, signals={"activity": traces})


@pytest.mark.parametrize("spacing", [SPACING, None])
def test_valid_and_whole(tmp_path: Path, spacing: tuple[float, float, float] | None) -> None:
    dossier = whole(spacing)
    path = NWB.write(dossier, tmp_path / "worm.nwb")
    NWB.verify(dossier, path)
    with pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
        assert pynwb.validate(io=io) == []
    back = NWB.read(path)
    assert back.labels[0].digest == dossier.labels.digest
    assert back.items[0] == dossier.items
    assert trace_differences(dossier.signals, back.signals) == []
    assert back.signals["activity"].clock == GAPPY
    again = NWB.write(back.dossier(), tmp_path / "again.nwb")
    with h5py.File(path) as a, h5py.File(again) as b:
        place = "processing/tracks/Position/neuron_4/data"
        np.testing.assert_array_equal(a[place][:], b[place][:])


def test_others_read_places_times_and_names(tmp_path: Path) -> None:
    dossier = whole()
    path = NWB.write(dossier, tmp_path / "worm.nwb")
    told = Positions.from_labels(dossier.labels)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        module = io.read().processing["tracks"]
        neurons = module["neurons"].to_dataframe()
        assert neurons.index.tolist() == told.items.tolist()
        assert neurons["neuron_name"].tolist() == dossier.items.table.column("name").to_pylist()
        series = module["Position"]["neuron_4"]
        metres = series.data[:] * series.conversion
        np.testing.assert_allclose(metres, told.in_um(SPACING)[:, 1] * 1e-6)
        assert (series.unit, series.data.shape) == ("meters", (told.frames.size, 3))
        np.testing.assert_allclose(series.timestamps[:], GAPPY.to_seconds(told.frames))
        assert "AVBL" in series.description
        np.testing.assert_array_equal(module["seen"].data[:] != 0, told.seen)
        np.testing.assert_array_equal(module["confidence"].data[:], told.confidence)
        assert module["volume"].data[:].tolist() == told.frames.tolist()


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    path = NWB.write(point_dossier(), tmp_path / "worm.nwb")
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        module = io.read().processing["tracks"]
        series = module["Position"]["neuron_1"]
        assert (series.unit, series.conversion) == ("voxels", 1.0)
        assert "size of a voxel is not known" in series.comments
        assert "numbers of volumes" in module["volume"].comments
        assert module["volume"].timestamps[:].tolist() == module["volume"].data[:].tolist()


def test_rows_of_unseen_and_rejected_neurons_come_back(tmp_path: Path) -> None:
    dossier = point_dossier(4)
    table = dossier.labels.table
    n = table.num_rows
    columns = {name: table.column(name) for name in table.column_names if name != "probabilities"}
    columns["id"] = np.arange(n)[::-1] + 7
    columns["label"] = np.arange(n) % 2
    columns["visible"] = np.arange(n) % 3 > 0
    columns["x"] = np.where(columns["visible"], dossier.labels.column("x"), np.nan)
    columns["z"] = pa.nulls(n, pa.float32())
    made = dossier.labels
    labels = LabelSet.build(made.kind, columns, made.vocabulary, made.provenance)
    few = ItemTable(labels.digest, pa.table({"item": labels.items[1:3], "mean": [0.5, np.nan]}))
    other = replace(dossier, labels=labels, items=few)
    path = NWB.write(other, tmp_path / "worm.nwb")
    NWB.verify(other, path)
    assert NWB.read(path).labels[0].digest == labels.digest
    assert NWB.read(path).items[0] == few


def test_a_place_that_was_moved_is_noticed(tmp_path: Path) -> None:
    path = NWB.write(whole(), tmp_path / "worm.nwb")
    with h5py.File(path, "r+") as file:
        file["processing/tracks/Position/neuron_1/data"][0, 0] += 1.0
    with pytest.raises(CorruptSourceError, match="points"):
        NWB.read(path)


def test_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    dossier = whole()
    table = dossier.labels.table
    columns = {n: table.column(n) for n in ("frame", "x", "y", "z", "visible")}
    made = dossier.labels
    twice = LabelSet.build(
        made.kind,
        {**columns, "item": np.ones(table.num_rows, np.int64)},
        made.vocabulary,
        made.provenance,
    )
    with pytest.raises(ExportError, match="once in a volume"):
        NWB.write(Dossier(labels=twice, stream="red"), tmp_path / "a.nwb")
    stranger = replace(
        dossier.signals["activity"], channels=ChannelTable.plain(["1", "4", "strange"])
    )
    with pytest.raises(ExportError, match="strange"):
        NWB.write(replace(dossier, signals={"activity": stranger}), tmp_path / "a.nwb")


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    content = NWB.write(whole(), tmp_path / "worm.nwb").read_bytes()
    for k in range(12):
        path = tmp_path / f"d{k}.nwb"
        path.write_bytes(content)
        damage(path, rng)
        NWB.matches(path)
        if path.is_file():
            read_or_refuse(NWB, path)
