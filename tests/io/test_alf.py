"""ALF folders, written and read."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import (
    BadMetadataError,
    CorruptSourceError,
    ExportError,
    SourceNotFoundError,
    VerificationError,
)
from nissl.io.alf import ALF
from nissl.testing.exporters import (
    SpikeExporterContract,
    damage,
    example_dossier,
    hash_tree,
    read_or_refuse,
    times_s,
)

SHARED = [HealthCheck.function_scoped_fixture]  # each example replaces what the last one wrote


class TestContract(SpikeExporterContract):
    name = "alf"


@pytest.fixture
def folder(tmp_path):
    """Somebody's folder: 3 clusters, one without spikes, waveforms on 2 of 4 channels."""
    out = tmp_path / "alf"
    out.mkdir()
    rng = np.random.default_rng(1)
    samples = np.sort(rng.choice(90_000, 60, replace=False))
    np.save(out / "spikes.samples.npy", samples)
    np.save(out / "_ibl_spikes.times_ephysClock.npy", 2.0 + samples / 30000 * (1 + 1e-5))
    np.save(out / "spikes.clusters.npy", np.tile([0, 2], 30).astype(np.uint16))
    np.save(out / "spikes.amps.npy", np.full(60, 1e-4))
    waveforms = np.zeros((3, 7, 2), np.float32)
    waveforms[0, 3, 0] = -1e-4
    waveforms[2, 3, 1] = -2e-4
    np.save(out / "clusters.waveforms.npy", waveforms)
    np.save(out / "clusters.waveformsChannels.npy", np.asarray([[1, 2], [0, 1], [2, 3]]))
    np.save(out / "channels.localCoordinates.npy", np.asarray([[0, 0], [0, 20], [0, 40], [0, 60]]))
    np.save(out / "clusters.depths.npy", np.asarray([20.0, 0, 60]))
    (out / "clusters.metrics.csv").write_text(
        "cluster_id,ks2_label,presence\n0,good,0.5\n1,mua,0.1\n2,mua,\n"
    )
    return out


def test_folders_of_others(folder):
    before = hash_tree(folder)
    imported = ALF.read(folder)
    assert hash_tree(folder) == before
    labels, machine = imported.labels
    assert np.array_equal(labels.column("sample"), np.load(folder / "spikes.samples.npy"))
    assert labels.items.tolist() == [0, 2]
    assert np.allclose(labels.column("amplitude"), 100)
    items = imported.items[0]
    assert items.arrays["template"].shape == (2, 7, 4)
    assert items.arrays["template"][0, 3].tolist() == pytest.approx([0, -100, 0, 0])
    assert items.arrays["template"][1, 3].tolist() == pytest.approx([0, 0, 0, -200])
    assert items.table.column("channel").to_pylist() == [1, 3]
    assert items.table.column("y_um").to_pylist() == [20, 60]
    assert items.table.column("depth_um").to_pylist() == [20, 60]
    assert items.table.column("presence").to_pylist()[0] == 0.5
    assert imported.facts["rate_hz"] == pytest.approx(30000 / (1 + 1e-5))
    assert imported.facts["clock"][0][2] == pytest.approx(2.0)
    assert machine.provenance.author.name == "kilosort"
    assert machine.column("target").tolist() == [0, 2]


def test_metrics_in_parquet(folder):
    (folder / "clusters.metrics.csv").unlink()
    table = pa.table({"cluster_id": [0, 1, 2], "ks2_label": ["mua", "good", None], "x": [1, 2, 3]})
    pq.write_table(table, folder / "clusters.metrics.pqt")
    imported = ALF.read(folder)
    assert imported.items[0].table.column("x").to_pylist() == [1, 3]
    assert imported.labels[1].column("target").tolist() == [0]


def test_clocks_that_are_not_straight_are_said(folder):
    file = folder / "_ibl_spikes.times_ephysClock.npy"
    times = np.load(file)
    np.save(file, times + np.where(np.arange(60) > 30, 0.01, 0))
    assert any("straight clock" in s for s in ALF.read(folder).what_is_missing)


def test_times_only(folder):
    (folder / "spikes.samples.npy").unlink()
    times = np.load(folder / "_ibl_spikes.times_ephysClock.npy")
    imported = ALF.read(folder)
    assert imported.facts["rate_hz"] == 1e6
    assert any("microseconds" in s for s in imported.what_is_missing)
    assert np.array_equal(imported.labels[0].column("sample"), np.rint(times * 1e6))
    at_rate = ALF.read(folder, rate_hz=20000)
    assert np.array_equal(at_rate.labels[0].column("sample"), np.rint(times * 20000))


def test_samples_only_need_a_rate(folder):
    (folder / "_ibl_spikes.times_ephysClock.npy").unlink()
    with pytest.raises(BadMetadataError):
        ALF.read(folder)
    assert ALF.read(folder, rate_hz=30000).facts["rate_hz"] == 30000
    (folder / "params.py").write_text("sample_rate = 25000\n")
    assert ALF.read(folder).facts["rate_hz"] == 25000


def test_bad_folders(folder, tmp_path):
    with pytest.raises(SourceNotFoundError):
        ALF.read(tmp_path)
    np.save(folder / "spikes.clusters.npy", np.zeros(3, int))
    with pytest.raises(CorruptSourceError):
        ALF.read(folder)
    np.save(folder / "spikes.clusters.npy", np.zeros(60, int))
    np.save(folder / "_ibl_spikes.times_ephysClock.npy", np.full(60, np.nan))
    with pytest.raises(CorruptSourceError):
        ALF.read(folder)


def test_what_others_read(tmp_path):
    dossier = example_dossier()
    out = ALF.write(dossier, tmp_path / "out")
    times = np.load(out / "spikes.times.npy")
    clusters = np.load(out / "spikes.clusters.npy")
    assert np.array_equal(times[clusters == 2], times_s(dossier.labels, 2))
    template = dossier.items.arrays["template"]
    assert np.allclose(np.load(out / "clusters.waveforms.npy"), template * 1e-6)
    amps = np.load(out / "spikes.amps.npy")
    assert np.allclose(amps, -dossier.labels.column("amplitude") * 1e-6)
    spans = dossier.events["trials"]
    intervals = np.load(out / "trials.intervals.npy")
    assert np.allclose(intervals[:, 0], spans.column("start") / 30000)
    assert np.load(out / "camera.times.npy").shape == (9,)


def test_our_folder_without_the_subfolder_is_still_a_folder_of_spikes(tmp_path):
    dossier = example_dossier()
    out = ALF.write(dossier, tmp_path / "out")
    shutil.rmtree(out / "nissl")
    back = ALF.read(out)
    assert np.array_equal(back.labels[0].column("sample"), dossier.labels.column("sample"))
    assert np.array_equal(back.labels[0].column("item"), dossier.labels.column("item"))
    template = dossier.items.arrays["template"]
    assert np.allclose(back.items[0].arrays["template"], template, rtol=1e-6)


def test_names_of_events_that_clash(tmp_path):
    dossier = example_dossier()
    dossier = replace(dossier, events={"spikes": dossier.events["trials"]})
    with pytest.raises(ExportError):
        ALF.write(dossier, tmp_path / "out")


@pytest.mark.parametrize(
    "name",
    ["spikes.times", "spikes.samples", "spikes.clusters", "clusters.waveforms", "trials.intervals"],
)
def test_verify_notices_each_changed_file(tmp_path, name):
    dossier = example_dossier()
    out = ALF.write(dossier, tmp_path / "out")
    array = np.load(out / f"{name}.npy")
    array.flat[0] += 1
    np.save(out / f"{name}.npy", array)
    with pytest.raises(VerificationError):
        ALF.verify(dossier, out)


@settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
@given(seed=st.integers(0, 2**32 - 1), n_units=st.integers(1, 5), n_spikes=st.integers(5, 40))
def test_round_trip_of_any_spikes(tmp_path, seed, n_units, n_spikes):
    dossier = example_dossier(seed, n_units=n_units, n_spikes=n_spikes)
    rng = np.random.default_rng(seed)
    columns = {n: dossier.labels.table.column(n) for n in ("sample", "amplitude", "channel")}
    columns["item"] = dossier.labels.column("item") * 7 + 3
    columns["id"] = rng.permutation(n_spikes)
    labels = dossier.labels
    labels = type(labels).build(labels.kind, columns, labels.vocabulary, labels.provenance)
    dossier = replace(dossier, labels=labels, items=None, classes=())
    dossier = replace(dossier, source={**dossier.source, "rate_hz": 25000.0})
    out = ALF.write(dossier, tmp_path / "out", overwrite=True)
    ALF.verify(dossier, out)
    assert ALF.read(out).labels == (labels,)


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED)
@given(seed=st.integers(0, 2**32 - 1), ours=st.booleans())
def test_damaged_folders_yield_only_our_errors(tmp_path, folder, seed, ours):
    target = tmp_path / "damaged"
    shutil.rmtree(target, ignore_errors=True)
    if ours:
        ALF.write(example_dossier(n_spikes=30), target)
    else:
        shutil.copytree(folder, target)
    damage(target, np.random.default_rng(seed))
    read_or_refuse(ALF, target)
