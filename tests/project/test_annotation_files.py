"""Annotations in recordings and beside them: from the file to label sets of a project."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from nissl.errors import BadArgumentError, BadLabelsError
from nissl.testing.files import EdfFields, EdfSignal, write_edf


def night(path: Path, *, minutes: int = 10, label: str = "EEG Fpz-Cz", **options) -> Path:
    samples = np.random.default_rng(0).integers(-500, 500, minutes * 60 * 10)
    slow = EdfSignal("SaO2", samples[: minutes * 60], 1, "%")
    return write_edf(path, [EdfSignal(label, samples, 10), slow], **options)


def hypnogram(path: Path, time: str = "22.30.00", date: str = "02.03.02") -> Path:
    told = [(0.0, 300.0, "Sleep stage W"), (300.0, 240.0, "Sleep stage 2")]
    return write_edf(
        path, [], annotations=told, fields=EdfFields(record_s="0", time=time, date=date)
    )


def test_annotations_of_a_recording_come_in_when_it_is_added(project, tmp_path):
    told = [(0.0, 30.0, "Sleep stage W"), (30.0, 30.0, "Sleep stage 2"), (-9.0, None, "early")]
    source = project.add(night(tmp_path / "n.edf", annotations=told))
    (row,) = project.store.label_sets(source=source.fingerprint)
    assert (row.task, row.author.kind, row.author.name) == (
        "sleep",
        "person",
        "annotations of n.edf",
    )
    assert project.store.get_labels(row.digest).provenance.stream == "10Hz"
    assert [f["check"] for f in project.store.findings(row.digest)] == ["outside"]
    assert source.stream() == "10Hz"


def test_damaged_annotations_do_not_cost_the_recording(project, tmp_path):
    path = night(tmp_path / "n.edf", annotations=[(1.0, 2.0, "Arousal")])
    path.write_bytes(path.read_bytes().replace(b"+1.000000", b"+1.0zz000"))
    source = project.add(path)
    assert [(f.check, f.severity) for f in source.findings] == [("annotations", "error")]
    assert project.store.label_sets(source=source.fingerprint) == []


def test_a_hypnogram_is_placed_by_the_starts_of_both_files(project, tmp_path):
    source = project.add(night(tmp_path / "n.edf"))
    labels = project.add_labels(source, hypnogram(tmp_path / "same.edf"))
    assert labels.n_rows == 18
    assert labels.column("start")[0] == 0
    assert project.store.findings(labels.digest) == []
    later = project.add_labels(source, hypnogram(tmp_path / "later.edf", "22.31.00"), author="ana")
    assert later.column("start")[0] == 600
    assert later.provenance.author.name == "ana"
    assert later.provenance.parameters["shift_s"] == 60
    assert [f["check"] for f in project.store.findings(later.digest)] == ["start"]


def test_an_hour_between_the_starts_is_doubted(project, tmp_path):
    source = project.add(night(tmp_path / "n.edf", minutes=90))
    labels = project.add_labels(source, hypnogram(tmp_path / "h.edf", "23.30.00"))
    (finding,) = project.store.findings(labels.digest)
    assert finding["severity"] == "warning"
    assert "daylight" in finding["sentence"]
    assert labels.column("start")[0] == 36_000  # placed by the files, not by a guess


def test_a_task_takes_the_stream_it_works_on(project, tmp_path):
    source = project.add(night(tmp_path / "n.edf"))
    assert source.stream(None, ("eeg",)) == "10Hz"
    assert source.stream(None, ("aux",)) == "1Hz"
    with pytest.raises(BadArgumentError, match="10Hz"):
        source.stream(None, ("ephys", "ap"))
    assert source.has_kind(("eeg",))
    assert not source.has_kind(("ephys",))


def test_a_hypnogram_of_another_night_is_refused(project, tmp_path):
    source = project.add(night(tmp_path / "n.edf"))
    other = hypnogram(tmp_path / "other.edf", date="09.03.02")
    with pytest.raises(BadLabelsError, match="2002-03-09T22:30:00"):
        project.add_labels(source, other)
    with pytest.raises(BadArgumentError, match="--name"):
        project.add_labels(source, other, name="trials")


def test_a_recording_without_a_start_is_said(project, tmp_path):
    source = project.add(night(tmp_path / "n.edf", fields=EdfFields(date="00.00.00")))
    labels = project.add_labels(source, hypnogram(tmp_path / "h.edf"))
    checks = {f["check"]: f["sentence"] for f in project.store.findings(labels.digest)}
    assert "taken to start together" in checks["start"]


@pytest.mark.data
def test_hypnograms_of_sleep_edf_come_onto_a_recording(project, tmp_path):
    path = (
        Path(os.environ.get("NISSL_DATA", "")) / "eeg/sleep_edf/hypnograms/SC4001EC-Hypnogram.edf"
    )
    if not path.is_file():
        pytest.skip("NISSL_DATA has no eeg/sleep_edf/hypnograms")
    fields = EdfFields(date="24.04.89", time="16.13.00")
    source = project.add(night(tmp_path / "SC4001E0.edf", minutes=22 * 60 + 5, fields=fields))
    labels = project.add_labels(source, path)
    assert labels.n_rows == 2650
    assert labels.provenance.parameters["epoch_s"] == 30
    counts = np.bincount(labels.column("label"), minlength=6)
    assert dict(zip(labels.vocabulary.names, counts.tolist(), strict=True)) == {
        **{"W": 1997, "N1": 58, "N2": 250, "N3": 220, "R": 125, "unknown": 0}
    }
