"""SpikeInterface: sortings with curation, and analyzers of others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import Recording, Signal
from nissl.errors import CorruptSourceError, SourceNotFoundError, VerificationError
from nissl.io.spikeinterface import SPIKEINTERFACE
from nissl.labels import Author
from nissl.testing.exporters import (
    SpikeExporterContract,
    damage,
    example_dossier,
    hash_tree,
    read_or_refuse,
)

si = pytest.importorskip("spikeinterface.core")

SHARED = [HealthCheck.function_scoped_fixture]  # each example replaces what the last one wrote


class TestContract(SpikeExporterContract):
    name = "spikeinterface"


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory):
    """Analyzer of a small simulation in two segments, saved in both formats, and its sorting."""
    recording, sorting = si.generate_ground_truth_recording(
        durations=[3.0, 2.0], num_channels=4, num_units=3, seed=0
    )
    made = si.create_sorting_analyzer(sorting, recording, sparse=False)
    made.compute(["random_spikes", "templates", "noise_levels", "spike_amplitudes"])
    made.compute(["unit_locations", "quality_metrics"])
    folder = tmp_path_factory.mktemp("si")
    made.save_as(format="binary_folder", folder=folder / "binary")
    made.save_as(format="zarr", folder=folder / "zarr.zarr")
    sorting.set_property("KSLabel", np.asarray(["good", "mua", "good"]))
    sorting.set_property("quality", np.asarray(["good", "noise", ""]))
    sorting.save(folder=folder / "numpy", format="numpy_folder")
    sorting.save(folder=folder / "npz", format="npz_folder")
    sorting.save(folder=folder / "sorting.zarr", format="zarr")
    return made, sorting, folder


@pytest.mark.parametrize("name", ["binary", "zarr.zarr"])
def test_analyzers_of_others(analyzer, name):
    made, sorting, folder = analyzer
    before = hash_tree(folder / name)
    imported = SPIKEINTERFACE.read(folder / name)
    assert hash_tree(folder / name) == before
    labels, items = imported.labels[0], imported.items[0]
    for unit, key in enumerate(sorting.unit_ids):
        first = sorting.get_unit_spike_train(key, segment_index=0)
        second = sorting.get_unit_spike_train(key, segment_index=1) + 75000
        train = labels.column("sample")[labels.rows_of(unit)]
        assert np.array_equal(train, np.concatenate([first, second]))
    assert Clock.from_json(imported.facts["clock"]).n_samples == 125_000
    assert np.allclose(items.arrays["template"], made.get_extension("templates").get_templates())
    assert items.units["template"] == "uV"
    assert items.context["n_before"] == made.get_extension("templates").nbefore
    metrics = made.get_extension("quality_metrics").get_data()
    assert np.allclose(items.table.column("snr").to_numpy(), metrics["snr"])
    locations = made.get_extension("unit_locations").get_data()
    assert np.allclose(items.table.column("y_um").to_numpy(), locations[:, 1])
    amplitudes = made.get_extension("spike_amplitudes").get_data()
    assert np.array_equal(labels.column("amplitude"), amplitudes.astype(np.float32))
    assert items.context["position_um"] == made.get_channel_locations().tolist()
    assert any("Times between segments" in s for s in imported.what_is_missing)


@pytest.mark.parametrize("name", ["numpy", "npz", "sorting.zarr"])
def test_sortings_of_others(analyzer, name):
    _, sorting, folder = analyzer
    imported = SPIKEINTERFACE.read(folder / name, source="abc")
    labels = imported.labels[0]
    assert labels.provenance.source == "abc"
    n = sum(sorting.count_num_spikes_per_unit().values())
    assert labels.n_rows == n
    spikes = sorting.to_spike_vector()
    last = spikes["sample_index"][spikes["segment_index"] == 0].max() + 1
    start = np.where(spikes["segment_index"] == 1, last, 0)
    assert np.array_equal(labels.column("sample"), np.sort(spikes["sample_index"] + start))
    text = " ".join(imported.what_is_missing)
    for word in ("no templates", "No quality metrics", "length of the recording"):
        assert word in text


def test_kilosort_and_other_labels_are_apart(analyzer):
    _, _, folder = analyzer
    sets = SPIKEINTERFACE.read(folder / "numpy", reviewer="Ada").labels[1:]
    authors = {(s.provenance.author.kind, s.provenance.author.name): s for s in sets}
    assert set(authors) == {("person", "Ada"), ("model", "kilosort")}
    assert authors["person", "Ada"].column("target").tolist() == [0, 1]


def test_curation_files_of_people(analyzer, tmp_path):
    _, _, folder = analyzer
    shutil.copytree(folder / "npz", tmp_path / "c")
    curation = {
        "format_version": "2",
        "unit_ids": ["0", "1", "2"],
        "label_definitions": {"quality": {"label_options": ["good", "noise"], "exclusive": True}},
        "manual_labels": [{"unit_id": "1", "labels": {"quality": ["noise"]}}],
        "merges": [{"unit_ids": ["0", "2"]}],
    }
    (tmp_path / "c" / "curation.json").write_text(json.dumps(curation))
    imported = SPIKEINTERFACE.read(tmp_path / "c")
    human = imported.labels[1]
    assert human.provenance.author.kind == "person"
    assert human.column("target").tolist() == [1]
    assert human.vocabulary.names[human.column("label")[0]] == "noise"
    assert any("merges" in s for s in imported.what_is_missing)


def test_spikeinterface_loads_what_we_write(tmp_path):
    from spikeinterface.curation.curation_model import Curation

    dossier = example_dossier()
    out = SPIKEINTERFACE.write(dossier, tmp_path / "out")
    sorting = si.load(out)
    assert sorting.unit_ids.tolist() == [0, 1, 2, 3]
    for unit in sorting.unit_ids:
        train = dossier.labels.column("sample")[dossier.labels.rows_of(int(unit))]
        assert np.array_equal(sorting.get_unit_spike_train(unit), train)
    drift = dossier.items.table.column("drift_um").to_numpy()
    assert np.array_equal(sorting.get_property("drift_um"), drift)
    assert np.isnan(sorting.get_property("snr")[-1])
    curation = Curation(**json.loads((out / "curation.json").read_text()))
    assert [label.unit_id for label in curation.manual_labels] == [0, 1, 2]
    human = dossier.classes[1]
    names = [human.vocabulary.names[c] for c in human.column("label")]
    assert [label.labels["quality"][0] for label in curation.manual_labels] == names
    assert not any(str(tmp_path).encode() in p.read_bytes() for p in out.rglob("*.json"))


def test_gaps_of_the_clock_become_segments(tmp_path):
    clock = Clock.from_segments(30000.0, [100_000, 200_000], [5.0, 60.0])
    signal = Signal.from_array(np.zeros((300_000, 4), np.int16), 3e4, clock=clock, name="ap")
    dossier = replace(example_dossier(), recording=Recording(None, "array", {"ap": signal}))
    out = SPIKEINTERFACE.write(dossier, tmp_path / "out")
    SPIKEINTERFACE.verify(dossier, out)
    sorting = si.load(out)
    assert sorting.get_num_segments() == 2
    sample = dossier.labels.column("sample")[dossier.labels.rows_of(1)]
    late = sorting.get_unit_spike_train(1, segment_index=1)
    assert np.array_equal(late, sample[sample >= 100_000] - 100_000)
    assert SPIKEINTERFACE.read(out).labels[0] == dossier.labels


def test_curation_changed_after_the_export(tmp_path):
    dossier = example_dossier()
    out = SPIKEINTERFACE.write(dossier, tmp_path / "out")
    curation = json.loads((out / "curation.json").read_text())
    curation["manual_labels"] = [{"unit_id": 3, "labels": {"quality": ["good"]}}]
    (out / "curation.json").write_text(json.dumps(curation))
    back = SPIKEINTERFACE.read(out, reviewer="B")
    assert dossier.classes[1] not in back.labels
    assert back.labels[-1].provenance.author == Author("person", "B")
    assert back.labels[-1].provenance.made_from == (dossier.classes[1].digest,)
    assert back.labels[-1].column("target").tolist() == [3]
    with pytest.raises(VerificationError):
        SPIKEINTERFACE.verify(dossier, out)


def test_nothing_is_unpickled_or_imported(analyzer, tmp_path):
    _, _, folder = analyzer
    shutil.copytree(folder / "binary", tmp_path / "bad")
    (tmp_path / "bad" / "recording.pickle").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    (tmp_path / "bad" / "sorting" / "si_folder.json").write_text('{"class": "os.system"}')
    assert SPIKEINTERFACE.read(tmp_path / "bad").labels[0].n_rows > 0
    np.save(tmp_path / "bad" / "sorting" / "spikes.npy", np.asarray([{}], dtype=object))
    with pytest.raises(CorruptSourceError):
        SPIKEINTERFACE.read(tmp_path / "bad")


@pytest.mark.parametrize("name", ["spikes.npy", "properties/drift_um.npy"])
def test_verify_notices_changed_files(tmp_path, name):
    dossier = example_dossier()
    out = SPIKEINTERFACE.write(dossier, tmp_path / "out")
    array = np.load(out / name)
    if array.dtype.names:
        array["sample_index"][3] += 1
    else:
        array[0] += 1
    np.save(out / name, array)
    with pytest.raises(VerificationError):
        SPIKEINTERFACE.verify(dossier, out)


def test_not_a_folder_of_spikeinterface(tmp_path):
    assert not SPIKEINTERFACE.matches(tmp_path)
    with pytest.raises(SourceNotFoundError):
        SPIKEINTERFACE.read(tmp_path)


@settings(max_examples=10, deadline=None, suppress_health_check=SHARED)
@given(seed=st.integers(0, 2**32 - 1), n_units=st.integers(1, 5), n_spikes=st.integers(5, 40))
def test_round_trip_of_any_spikes(tmp_path, seed, n_units, n_spikes):
    dossier = example_dossier(seed, n_units=n_units, n_spikes=n_spikes)
    out = SPIKEINTERFACE.write(dossier, tmp_path / "out", overwrite=True)
    SPIKEINTERFACE.verify(dossier, out)
    back = SPIKEINTERFACE.read(out)
    assert back.labels == (dossier.labels, *dossier.classes)
    assert back.items == (dossier.items,)


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
@given(
    seed=st.integers(0, 2**32 - 1),
    which=st.sampled_from(["binary", "zarr.zarr", "numpy", "npz", "sorting.zarr", "ours"]),
)
def test_damaged_folders_yield_only_our_errors(tmp_path, analyzer, seed, which):
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    if which == "ours":
        SPIKEINTERFACE.write(example_dossier(n_spikes=30), folder)
    else:
        shutil.copytree(analyzer[2] / which, folder)
    damage(folder, np.random.default_rng(seed))
    read_or_refuse(SPIKEINTERFACE, folder)
