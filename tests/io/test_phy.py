"""phy and Kilosort folders: written, read, and read after people worked in them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    CorruptSourceError,
    NisslError,
    SourceNotFoundError,
    VerificationError,
)
from nissl.io.phy import PHY
from nissl.labels import Author
from nissl.testing.exporters import (
    SpikeExporterContract,
    damage,
    example_dossier,
    hash_tree,
    read_or_refuse,
)

SHARED = [HealthCheck.function_scoped_fixture]  # each example replaces what the last one wrote


class TestContract(SpikeExporterContract):
    name = "phy"


@pytest.fixture
def kilosort(tmp_path):
    """Kilosort 2.5-like folder: 3 clusters on 4 channels, KS labels, no person yet."""
    folder = tmp_path / "ks"
    folder.mkdir()
    rng = np.random.default_rng(5)
    n = 90
    times = np.sort(rng.integers(0, 60_000, n)).astype(np.uint64)
    clusters = np.tile([0, 1, 2], n // 3).astype(np.uint32)
    templates = np.zeros((3, 11, 4), np.float32)
    for k in range(3):
        templates[k, 4, k] = -5.0
    np.save(folder / "spike_times.npy", times[:, None])
    np.save(folder / "spike_clusters.npy", clusters[:, None])
    np.save(folder / "spike_templates.npy", clusters[:, None])
    np.save(folder / "amplitudes.npy", rng.uniform(10, 20, (n, 1)))
    np.save(folder / "templates.npy", templates)
    np.save(folder / "templates_ind.npy", np.tile(np.arange(4.0), (3, 1)))
    np.save(folder / "channel_map.npy", np.asarray([[3], [2], [1], [0]], np.int32))
    np.save(folder / "channel_positions.npy", np.asarray([[0, 0], [0, 20], [0, 40], [0, 60.0]]))
    np.save(folder / "whitening_mat_inv.npy", np.eye(4) * 2.0)
    (folder / "params.py").write_text(
        "dat_path = ['../gone.bin']\nn_channels_dat = 385\ndtype = 'int16'\noffset = 0\n"
        "sample_rate = 30000.\nhp_filtered = False\n"
    )
    ks = "cluster_id\tKSLabel\n0\tgood\n1\tmua\n2\tgood\n"
    (folder / "cluster_KSLabel.tsv").write_text(ks)
    (folder / "cluster_group.tsv").write_text(ks)
    (folder / "cluster_ContamPct.tsv").write_text("cluster_id\tContamPct\n0\t1.5\n1\t80\n2\t0.0\n")
    return folder


def authors(imported):
    return [(s.provenance.author.kind, s.provenance.author.name) for s in imported.labels[1:]]


def names(labels):
    vocabulary = labels.vocabulary.names
    pairs = zip(labels.column("target").tolist(), labels.column("label").tolist(), strict=True)
    return {target: vocabulary[code] for target, code in pairs}


def test_kilosort_folder_without_a_person(kilosort):
    imported = PHY.read(kilosort)
    labels, machine = imported.labels
    assert labels.provenance.author.kind == "model"
    assert np.array_equal(
        labels.column("sample"), np.load(kilosort / "spike_times.npy").ravel().astype(np.int64)
    )
    assert labels.items.tolist() == [0, 1, 2]
    assert authors(imported) == [("model", "kilosort")]
    assert names(machine) == {0: "good", 1: "mua", 2: "good"}
    assert machine.provenance.targets == (labels.digest,)
    text = " ".join(imported.what_is_missing)
    assert "gone.bin" in text
    assert "not in uV" in text
    assert imported.recording == kilosort / "../gone.bin"


def test_kilosort_templates_are_unwhitened_and_their_unit_is_honest(kilosort):
    items = PHY.read(kilosort).items[0]
    assert items.units["template"] == "a.u."
    assert items.units["amplitude_median"] == "a.u."
    assert np.isnan(items.table.column("amplitude_median_uv").to_numpy()).all()
    assert np.isnan(items.table.column("snr").to_numpy()).all()
    assert items.arrays["template"][1, 4].tolist() == [0, -10, 0, 0]
    assert items.table.column("channel").to_pylist() == [0, 1, 2]
    assert items.table.column("y_um").to_pylist() == [0, 20, 40]
    assert items.table.column("ContamPct").to_pylist() == [1.5, 80.0, 0.0]
    assert items.context["channel_ids"] == ["3", "2", "1", "0"]
    assert items.context["n_before"] == 4


def test_metrics_of_spike_trains_need_no_raw_data(kilosort):
    times = np.load(kilosort / "spike_times.npy").ravel().astype(np.int64)
    times[:30] = 1000 + np.arange(30) * 15  # half a millisecond apart, whatever the cluster
    times.sort()
    np.save(kilosort / "spike_times.npy", times)
    items = PHY.read(kilosort).items[0]
    seconds = (times[-1] + 1) / 30000
    assert np.allclose(items.table.column("firing_rate_hz").to_numpy(), 30 / seconds)
    clusters = np.load(kilosort / "spike_clusters.npy").ravel()
    close = [int((np.diff(times[clusters == k]) < 45).sum()) for k in range(3)]
    ratio = items.table.column("isi_violations_ratio").to_numpy()
    assert np.argsort(ratio).tolist() == np.argsort(close, kind="stable").tolist() or (
        np.allclose(ratio / ratio[0], np.asarray(close) / close[0])
    )
    assert items.arrays["acg"].shape == (3, 101)
    assert np.isfinite(items.table.column("presence_ratio").to_numpy()).all()


def test_groups_that_repeat_kilosort_are_nobodys_decision(kilosort):
    text = (kilosort / "cluster_KSLabel.tsv").read_text().replace("KSLabel", "group")
    (kilosort / "cluster_group.tsv").write_text(text)
    imported = PHY.read(kilosort)
    assert authors(imported) == [("model", "kilosort")]
    assert any("repeats KSLabel" in s for s in imported.what_is_missing)


def test_groups_of_a_person_are_a_set_of_their_own(kilosort):
    (kilosort / "cluster_group.tsv").write_text(
        "cluster_id\tgroup\n0\tgood\n1\tnoise\n2\tunsorted\n"
    )
    imported = PHY.read(kilosort, reviewer="Ada")
    assert authors(imported) == [("model", "kilosort"), ("person", "Ada")]
    assert names(imported.labels[2]) == {0: "good", 1: "noise"}
    assert any("1 of 2 groups" in s for s in imported.what_is_missing)
    assert PHY.read(kilosort).labels[2].provenance.author.name == "phy user"


def test_groups_only_in_cluster_info(kilosort):
    (kilosort / "cluster_group.tsv").unlink()
    (kilosort / "cluster_KSLabel.tsv").unlink()
    (kilosort / "cluster_info.tsv").write_text(
        "cluster_id\tKSLabel\tgroup\tn_spikes\tmetric\n0\tgood\tmua\t30\t0.25\n"
        "1\tmua\t\t30\t\n2\tgood\tnoise\t30\t0.5\n"
    )
    imported = PHY.read(kilosort)
    assert names(imported.labels[1]) == {0: "good", 1: "mua", 2: "good"}
    assert names(imported.labels[2]) == {0: "mua", 2: "noise"}
    metric = imported.items[0].table.column("metric").to_pylist()
    assert metric[0::2] == [0.25, 0.5]
    assert np.isnan(metric[1])


def test_merged_clusters_take_the_weighted_mean_template(kilosort):
    clusters = np.load(kilosort / "spike_clusters.npy")
    clusters[clusters == 0] = 3
    clusters[np.flatnonzero(clusters == 1)[:10]] = 3
    np.save(kilosort / "spike_clusters.npy", clusters)
    imported = PHY.read(kilosort)
    items = imported.items[0]
    assert imported.labels[0].items.tolist() == [1, 2, 3]
    merged = items.arrays["template"][2, 4]
    assert np.allclose(merged, [-10 * 30 / 40, -10 * 10 / 40, 0, 0])
    assert imported.labels[0].provenance.parameters["clusters_differ_from_templates"] is True


def test_sparse_templates(kilosort):
    sparse = np.zeros((3, 11, 2), np.float32)
    sparse[:, 4, 0] = -3
    sparse[2, 4, 1] = 7
    np.save(kilosort / "templates.npy", sparse)
    np.save(kilosort / "templates_ind.npy", np.asarray([[2, -1], [3, 0], [0, 1]]))
    items = PHY.read(kilosort).items[0]
    assert items.arrays["template"][:, 4].tolist() == [[0, 0, -6, 0], [0, 0, 0, -6], [-6, 14, 0, 0]]


def test_what_is_not_there_is_said(kilosort):
    for name in ("templates.npy", "channel_positions.npy", "params.py", "amplitudes.npy"):
        (kilosort / name).unlink()
    (kilosort / "cluster_group.tsv").unlink()
    imported = PHY.read(kilosort, rate_hz=20000)
    text = " ".join(imported.what_is_missing)
    for word in ("templates.npy", "channel_positions.npy", "params.py", "length of the recording"):
        assert word in text
    assert imported.facts["rate_hz"] == 20000
    assert imported.labels[0].table.column("amplitude").null_count == 90


def test_params_are_parsed_and_never_run(kilosort, tmp_path):
    flag = tmp_path / "was_run"
    (kilosort / "params.py").write_text(
        f"import pathlib\npathlib.Path({str(flag)!r}).touch()\n"
        "sample_rate = 25000\ndat_path = __import__('os').getcwd()\n"
    )
    imported = PHY.read(kilosort)
    assert imported.facts["rate_hz"] == 25000
    assert imported.recording is None
    assert not flag.exists()


def test_pickles_are_refused(kilosort):
    np.save(kilosort / "spike_clusters.npy", np.asarray([{}] * 90, dtype=object))
    with pytest.raises(CorruptSourceError):
        PHY.read(kilosort)


@pytest.mark.parametrize("rate", ["0", "-1", "'fast'", "float('nan')", "1e400"])
def test_impossible_rates(kilosort, rate):
    (kilosort / "params.py").write_text(f"sample_rate = {rate}\n")
    with pytest.raises(BadMetadataError):
        PHY.read(kilosort)


def test_lengths_that_disagree(kilosort):
    np.save(kilosort / "spike_clusters.npy", np.zeros(7, np.int32))
    with pytest.raises(CorruptSourceError, match="spike_clusters"):
        PHY.read(kilosort)


def test_negative_times(kilosort):
    np.save(kilosort / "spike_times.npy", np.arange(90) - 3)
    with pytest.raises(CorruptSourceError):
        PHY.read(kilosort)


def test_not_a_folder_of_spikes(tmp_path):
    assert not PHY.matches(tmp_path)
    with pytest.raises(SourceNotFoundError):
        PHY.read(tmp_path)


def test_import_of_kilosort_changes_nothing(kilosort):
    before = hash_tree(kilosort)
    PHY.read(kilosort)
    assert hash_tree(kilosort) == before


def test_the_same_source_after_more_curation(kilosort):
    first = PHY.read(kilosort).fingerprint
    clusters = np.load(kilosort / "spike_clusters.npy")
    np.save(kilosort / "spike_clusters.npy", np.where(clusters == 2, 9, clusters))
    assert PHY.read(kilosort).fingerprint == first
    assert PHY.read(kilosort, source="abc").labels[0].provenance.source == "abc"


def test_kilosort_can_be_exported_again_without_raw_data(kilosort, tmp_path):
    (kilosort / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tmua\n")
    imported = PHY.read(kilosort)
    dossier = imported.dossier()
    assert dossier.reviewed == pytest.approx(1 / 3)
    out = PHY.write(dossier, tmp_path / "out")
    PHY.verify(dossier, out)
    back = PHY.read(out)
    assert set(back.labels) == set(imported.labels)
    assert back.items == imported.items
    assert back.items[0].units["template"] == "a.u."


def test_groups_changed_in_phy_after_the_export(tmp_path):
    dossier = example_dossier()
    out = PHY.write(dossier, tmp_path / "out")
    (out / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tnoise\n3\tgood\n")
    back = PHY.read(out, reviewer="B")
    human = dossier.classes[1]
    assert back.labels[0] == dossier.labels
    assert dossier.classes[0] in back.labels
    assert human not in back.labels
    new = back.labels[-1]
    assert names(new) == {0: "noise", 3: "good"}
    assert new.provenance.author == Author("person", "B")
    assert new.provenance.made_from == (human.digest,)


def test_units_merged_in_phy_after_the_export(tmp_path):
    dossier = example_dossier()
    out = PHY.write(dossier, tmp_path / "out")
    clusters = np.load(out / "spike_clusters.npy")
    np.save(out / "spike_clusters.npy", np.where(clusters < 2, 4, clusters))
    back = PHY.read(out, reviewer="B")
    labels = back.labels[0]
    assert labels.items.tolist() == [2, 3, 4]
    assert labels.provenance.made_from == (dossier.labels.digest,)
    assert labels.provenance.author == Author("person", "B")
    assert labels.provenance.source == dossier.labels.provenance.source
    template = dossier.items.arrays["template"]
    counts = [dossier.labels.rows_of(k).size for k in (0, 1)]
    assert np.allclose(
        back.items[0].arrays["template"][2],
        np.average(template[:2], axis=0, weights=counts),
        atol=1e-4,
    )
    assert back.items[0].units["template"] == "uV"
    assert any("merged or split" in s for s in back.what_is_missing)


def test_what_phy_itself_reads(tmp_path):
    dossier = example_dossier()
    out = PHY.write(dossier, tmp_path / "out", dat_path="../raw.bin")
    scope: dict = {}
    exec((out / "params.py").read_text(), scope)
    assert scope["sample_rate"] == 30000.0
    assert scope["dat_path"] == "../raw.bin"
    assert scope["n_channels_dat"] == 4
    assert np.array_equal(np.load(out / "spike_times.npy"), dossier.labels.column("sample"))
    assert np.load(out / "templates.npy").shape == (4, 9, 4)
    similar = np.load(out / "similar_templates.npy")
    assert np.allclose(np.diag(similar), 1, atol=1e-5)
    lines = (out / "cluster_group.tsv").read_text().splitlines()
    assert lines[0] == "cluster_id\tgroup"
    assert len(lines) == 4
    info = (out / "cluster_info.tsv").read_text().splitlines()
    assert info[0].split("\t")[:2] == ["cluster_id", "group"]
    assert info[4].split("\t")[1] == "unsorted"


def test_spikeinterface_reads_it(tmp_path):
    from spikeinterface.extractors import read_phy

    dossier = example_dossier()
    out = PHY.write(dossier, tmp_path / "out")
    sorting = read_phy(out)
    assert sorting.sampling_frequency == 30000
    for unit in dossier.labels.items:
        train = dossier.labels.column("sample")[dossier.labels.rows_of(int(unit))]
        assert np.array_equal(sorting.get_unit_spike_train(unit), train)


def test_absolute_raw_paths_are_refused(tmp_path):
    with pytest.raises(BadArgumentError):
        PHY.write(example_dossier(), tmp_path / "out", dat_path="/data/name.bin")


@pytest.mark.parametrize(
    "name", ["spike_times", "spike_clusters", "templates", "amplitudes", "channel_positions"]
)
def test_verify_notices_each_changed_file(tmp_path, name):
    dossier = example_dossier()
    out = PHY.write(dossier, tmp_path / "out")
    array = np.load(out / f"{name}.npy")
    array.flat[-1] += 1
    np.save(out / f"{name}.npy", array)
    with pytest.raises(VerificationError):
        PHY.verify(dossier, out)


@pytest.mark.parametrize("name", ["cluster_group.tsv", "cluster_info.tsv"])
def test_verify_notices_changed_tables(tmp_path, name):
    dossier = example_dossier()
    out = PHY.write(dossier, tmp_path / "out")
    lines = (out / name).read_text().splitlines()
    (out / name).write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(VerificationError):
        PHY.verify(dossier, out)


def test_missing_templates_and_units_without_spikes(tmp_path):
    dossier = example_dossier()
    arrays = {k: v.copy() for k, v in dossier.items.arrays.items()}
    arrays["template"][1] = np.nan
    arrays["template"][2, 3, 1] = np.nan
    dossier = replace(dossier, items=replace(dossier.items, arrays=arrays))
    out = PHY.write(dossier, tmp_path / "out")
    PHY.verify(dossier, out)
    assert np.isfinite(np.load(out / "templates.npy")).all()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_units=st.integers(1, 5),
    n_spikes=st.integers(5, 40),
    ids=st.booleans(),
    confidence=st.booleans(),
)
def test_round_trip_of_any_spikes(tmp_path, seed, n_units, n_spikes, ids, confidence):
    dossier = example_dossier(seed, n_units=n_units, n_spikes=n_spikes)
    rng = np.random.default_rng(seed)
    labels = dossier.labels
    columns = {n: labels.table.column(n) for n in ("sample", "item", "amplitude", "channel")}
    if ids:
        columns["id"] = rng.permutation(n_spikes) * 3
    if confidence:
        columns["confidence"] = rng.uniform(0, 1, n_spikes).astype(np.float32)
    labels = type(labels).build(labels.kind, columns, labels.vocabulary, labels.provenance)
    dossier = replace(
        dossier, labels=labels, items=replace(dossier.items, of=labels.digest), classes=()
    )
    out = PHY.write(dossier, tmp_path / "out", overwrite=True)
    PHY.verify(dossier, out)
    back = PHY.read(out)
    assert back.labels[0] == labels
    assert back.items[0] == dossier.items


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1), ours=st.booleans())
def test_damaged_folders_yield_only_our_errors(tmp_path, kilosort, seed, ours):
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    if ours:
        PHY.write(example_dossier(), folder)
    else:
        shutil.copytree(kilosort, folder)
    damage(folder, np.random.default_rng(seed))
    read_or_refuse(PHY, folder)


def test_each_missing_file_is_an_error_or_a_sentence(kilosort, tmp_path):
    for file in sorted(kilosort.iterdir()):
        folder = tmp_path / "less"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kilosort, folder)
        (folder / file.name).unlink()
        if file.name in ("spike_times.npy", "params.py"):
            with pytest.raises(NisslError, match=r"^Expected .*\n"):
                PHY.read(folder)
        else:
            assert PHY.read(folder).labels[0].n_rows == 90


def test_path_of_params_names_the_folder(kilosort):
    assert PHY.matches(kilosort / "params.py")
    assert PHY.read(Path(kilosort / "params.py")).labels == PHY.read(kilosort).labels
