"""Work people already have: phy folders and NWB files as sources, modified in nothing."""

import numpy as np
import pytest

from nissl.errors import SourceNotFoundError
from nissl.io import IMPORTERS
from nissl.labels import Kind
from nissl.testing.exporters import hash_tree
from nissl.testing.files import write_nwb


@pytest.fixture
def kilosort(tmp_path):
    """Kilosort folder whose raw file is gone; a person sorted two of its three clusters."""
    folder = tmp_path / "ks"
    folder.mkdir()
    rng = np.random.default_rng(5)
    times = np.sort(rng.choice(60_000, 90, replace=False)).astype(np.uint64)
    clusters = np.tile([0, 1, 2], 30).astype(np.uint32)
    templates = np.zeros((3, 11, 4), np.float32)
    for k in range(3):
        templates[k, 4, k] = -5.0
    np.save(folder / "spike_times.npy", times[:, None])
    np.save(folder / "spike_clusters.npy", clusters[:, None])
    np.save(folder / "spike_templates.npy", clusters[:, None])
    np.save(folder / "amplitudes.npy", rng.uniform(10, 20, (90, 1)))
    np.save(folder / "templates.npy", templates)
    np.save(folder / "templates_ind.npy", np.tile(np.arange(4.0), (3, 1)))
    np.save(folder / "channel_map.npy", np.arange(4, dtype=np.int32)[:, None])
    np.save(folder / "channel_positions.npy", np.asarray([[0, 20.0 * k] for k in range(4)]))
    np.save(folder / "whitening_mat_inv.npy", np.eye(4))
    (folder / "params.py").write_text(
        "dat_path = ['../gone.bin']\nn_channels_dat = 4\ndtype = 'int16'\noffset = 0\n"
        "sample_rate = 30000.\nhp_filtered = False\n"
    )
    (folder / "cluster_KSLabel.tsv").write_text("cluster_id\tKSLabel\n0\tgood\n1\tmua\n2\tgood\n")
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n1\tnoise\n2\tgood\n")
    return folder


def classes_by(project, source):
    found = {}
    for row in project.store.label_sets(source=source.fingerprint, kind=Kind.CLASSES):
        labels = project.store.get_labels(row.digest)
        names = [labels.vocabulary.names[c] for c in labels.column("label")]
        found[(row.author.kind, row.author.name)] = dict(
            zip(labels.column("target").tolist(), names, strict=True)
        )
    return found


def test_people_and_machines_are_told_apart(project, kilosort):
    before = hash_tree(kilosort)
    source = project.add(kilosort, reviewer="ana", subject="M2")
    assert hash_tree(kilosort) == before, "nothing is modified"
    assert source.row.subject["id"] == "M2"
    claims = classes_by(project, source)
    human = next(v for (kind, _), v in claims.items() if kind == "person")
    machine = next(v for (kind, _), v in claims.items() if kind == "model")
    assert ("person", "ana") in claims
    assert human == {0: "good", 1: "noise", 2: "good"}
    assert machine == {0: "good", 1: "mua", 2: "good"}
    spikes = project.labels(source, "spikes")
    stored = np.load(kilosort / "spike_times.npy").ravel().astype(np.int64)
    assert np.array_equal(spikes.column("sample"), stored)
    assert project.add(kilosort, reviewer="ana").fingerprint == source.fingerprint
    assert len(project.store.label_sets()) == 3, "adding again keeps nothing twice"


def test_report_and_export_need_no_raw_file(project, kilosort, tmp_path):
    before = hash_tree(kilosort)
    source = project.add(kilosort, reviewer="ana")
    assert not source.has_raw
    with pytest.raises(SourceNotFoundError, match="imported labels only"):
        project.annotate(source, "spikes/tridesclous2")
    html = project.report(source, "spikes").read_text()
    assert "gone.bin" in html, "what is missing is said"
    assert html.count("<article") == 3
    project.set_head(source, "spikes", by="ana")
    spikes = project.labels(source, "spikes")
    for to, name in (("nwb", "x.nwb"), ("phy", "phy"), ("csv", "x.csv")):
        back = IMPORTERS.get(to).read(project.export(source, to, tmp_path / name))
        assert np.array_equal(back.labels[0].column("sample"), spikes.column("sample"))
        assert np.array_equal(back.labels[0].column("item"), spikes.column("item"))
    assert hash_tree(kilosort) == before


def test_decisions_on_imported_units_reach_the_export(project, kilosort, edit, tmp_path):
    source = project.add(kilosort, reviewer="ana")
    spikes = project.labels(source, "spikes")
    project.set_head(source, "spikes", by="ana")
    project.decide([edit("merge", spikes, [0, 2])])
    written = project.export(source, "phy", tmp_path / "phy")
    back = IMPORTERS.get("phy").read(written).labels[0]
    assert back.items.tolist() == [0, 1]
    assert np.sum(back.column("item") == 0) == 60


def test_an_export_of_ours_finds_its_source_again(project, night, tmp_path):
    project.set_head("night0", "spikes", by="ana")
    folder = project.export("night0", "phy", tmp_path / "phy")
    again = project.add(folder)
    assert again.fingerprint == night.source.fingerprint
    assert again.is_recording, "the recording stays what the source is"
    assert project.labels("night0", "spikes") == night.draft.labels
    assert len(project.sources()) == 1


def write_sorted(path, start_s):
    from pynwb import NWBHDF5IO

    rng = np.random.default_rng(0)
    samples = rng.normal(0, 30, (20_000, 3)).astype(np.int16)
    write_nwb(path, samples, rate_hz=20_000.0, start_s=start_s, subject={"subject_id": "M9"})
    peaks = {0: np.arange(100, 19_000, 700), 1: np.arange(400, 19_000, 1100)}
    with NWBHDF5IO(str(path), "a") as io:
        file = io.read()
        for unit, at in peaks.items():
            file.add_unit(spike_times=start_s + at / 20_000.0, id=unit)
        io.write(file)
    return peaks


@pytest.mark.parametrize("start_s", [0.0, 12.5])
def test_an_nwb_file_is_both_a_recording_and_units(project, tmp_path, start_s):
    pytest.importorskip("pynwb", reason='needs pip install "nissl[ephys]"')
    path = tmp_path / "both.nwb"
    peaks = write_sorted(path, start_s)
    before = path.read_bytes()
    source = project.add(path)
    assert path.read_bytes() == before
    assert source.is_recording
    assert source.row.subject["id"] not in ("M9", "unknown"), "a pseudonym"
    spikes = project.labels(source, "spikes")
    assert spikes.provenance.source == source.fingerprint
    for unit, at in peaks.items():
        assert np.array_equal(spikes.column("sample")[spikes.column("item") == unit], at)
    dossier = project.dossier(source, "spikes", draft=True)
    assert dossier.stream == source.stream()
    assert dossier.recording is not None
    clock = dossier.recording[dossier.stream].clock
    assert clock.to_seconds(peaks[0][:1])[0] == pytest.approx(start_s + 100 / 20_000)
    assert project.report(source, "spikes").stat().st_size > 1000
