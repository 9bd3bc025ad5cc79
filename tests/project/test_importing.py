"""Annotations that people have, imported to a recording, exported, and imported again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.data import Signal
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    SourceNotFoundError,
    UnknownFormatError,
)
from nissl.io.mark_format import Sheet
from nissl.io.marks import Marks
from nissl.io.wonambi import WONAMBI
from nissl.labels import Author, Kind
from nissl.project import open_project
from nissl.project.source import Source
from nissl.testing.files import EdfFields, EdfSignal, write_edf
from nissl.testing.marks import rows_of
from nissl.testing.spans import CHANNELS, span_project

FORMATS = ["bids", "edf-annotations", "mne", "wonambi", "luna"]


@pytest.fixture
def night(tmp_path):
    """Project with a simulated night, labelled by an expert (the head) and a detector."""
    with span_project(tmp_path, np.random.default_rng(0), duration_s=240.0) as project:
        digest = next(
            row.digest
            for row in project.store.label_sets(task="events")
            if row.author.kind == "person"
        )
        project.set_head("night", "events", by="anna", digest=digest)
        yield project


@pytest.mark.parametrize("to", FORMATS)
def test_import_export_import_is_the_identity(night, tmp_path, to):
    expert = night.dossier("night", "events").labels
    out = night.export("night", to, tmp_path / f"out{_suffix(to)}", task="events")
    path = next(out.rglob("*_events.tsv")) if out.is_dir() else out
    (once,) = night.add_annotations("night", path, name="once", author="expert")
    assert rows_of([once], CHANNELS) == rows_of([expert], CHANNELS)
    assert once.provenance.source == expert.provenance.source
    assert once.provenance.author == Author("person", "expert")
    night.set_head("night", "once", by="anna", digest=once.digest)
    again = night.export("night", to, tmp_path / f"again{_suffix(to)}", task="once")
    path = next(again.rglob("*_events.tsv")) if again.is_dir() else again
    (twice,) = night.add_annotations("night", path, name="once", author="expert")
    if to != "bids":  # a BIDS table brings the provenance of its own set along
        assert twice == once
    assert rows_of([twice], CHANNELS) == rows_of([once], CHANNELS)
    np.testing.assert_array_equal(twice.column("item"), once.column("item"))


def test_an_untouched_table_comes_back_with_all_that_it_was(night, tmp_path):
    rows = night.store.label_sets(task="events")
    machine = next(row.digest for row in rows if row.author.kind == "model")
    night.set_head("night", "events", by="anna", digest=machine)
    out = night.export("night", "bids", tmp_path / "out", task="events")
    (labels,) = night.add_annotations("night", next(out.rglob("*_events.tsv")))
    assert labels.digest == machine
    assert len(night.store.label_sets(task="events")) == len(rows)


def _suffix(to):
    from nissl.io import EXPORTERS

    return EXPORTERS.get(to).suffix


def test_several_recordings_go_into_one_dataset(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        with span_project(tmp_path, rng, name=name, duration_s=60.0, n_spans=10):
            pass
    with open_project(tmp_path / "study") as project:
        for name in ("a", "b"):
            project.export(name, "bids", tmp_path / "out", task="events", draft=True)
    tables = sorted((tmp_path / "out").rglob("*_events.tsv"))
    assert len(tables) == 2
    with open_project(tmp_path / "other") as other:
        for table in tables:
            source = other.add(table)
            assert not source.is_recording
            assert other.labels(source, "events").n_rows > 0
            other.export(source, "bids", tmp_path / "again", task="events", draft=True)
    again = sorted((tmp_path / "again").rglob("*_events.tsv"))
    assert [t.read_bytes() for t in again] == [t.read_bytes() for t in tables]


@pytest.mark.parametrize("to", FORMATS)
def test_a_file_alone_is_a_source(night, tmp_path, to):
    out = night.export("night", to, tmp_path / f"a{_suffix(to)}", task="events")
    with open_project(tmp_path / "other") as other:
        source = other.add(out, reviewer="expert")
        assert source.row.format == to
        assert not source.is_recording
        (row,) = other.store.label_sets(source=source.fingerprint)
        assert row.author.name == "expert"
        other.export(source, "luna", tmp_path / "again.annot", task=row.task, draft=True)


def sheet_file(folder, *rows, start=None, end_s=240.0):
    """Wonambi file of (start, stop, label)."""
    marks = Marks(
        np.asarray([r[0] for r in rows], float),
        np.asarray([r[1] for r in rows], float),
        tuple(r[2] for r in rows),
        ((),) * len(rows),
        Author("person", "anna"),
    )
    path = folder / "marks.xml"
    WONAMBI.writer(Sheet((marks,), end_s=end_s, start=start), path)
    return path


def test_outside_the_recording(night, tmp_path):
    path = sheet_file(tmp_path, (5.0, 6.0, "x"), (239.0, 300.0, "x"), (400.0, 401.0, "x"))
    before = len(night.store.label_sets())
    with pytest.raises(BadLabelsError, match="0 to 240 s"):
        night.add_annotations("night", path)
    assert len(night.store.label_sets()) == before
    (labels,) = night.add_annotations("night", path, outside="cut")
    assert labels.column("stop").tolist() == [6 * 128, 240 * 128]
    (finding,) = night.store.findings(labels.digest)
    assert finding["check"] == "outside_recording"
    assert "2 annotations" in finding["sentence"]


def test_starts_that_files_state(night, tmp_path, monkeypatch):
    from datetime import datetime

    recording = night.source("night").recording
    signal: Signal = recording.signal
    stated = replace(signal, metadata={"start": "2026-03-01T22:30:00.250"})
    with_start = replace(recording, streams={signal.name: stated})
    monkeypatch.setattr(Source, "recording", with_start)
    late = sheet_file(tmp_path, (5.0, 6.0, "x"), start=datetime(2026, 3, 1, 22, 31, 0))
    (labels,) = night.add_annotations("night", late)
    assert labels.column("start").tolist() == [round((5 + 59.75) * 128)]
    (finding,) = night.store.findings(labels.digest)
    assert "59.75 s after the recording" in finding["sentence"]
    (labels,) = night.add_annotations("night", late, together=True)
    assert labels.column("start").tolist() == [5 * 128]
    # whole seconds of a start are no other start
    same = sheet_file(tmp_path, (7.0, 8.0, "x"), start=datetime(2026, 3, 1, 22, 30, 0))
    (labels,) = night.add_annotations("night", same)
    assert labels.column("start").tolist() == [7 * 128]
    assert night.store.findings(labels.digest) == []


def test_another_day_is_told(night, tmp_path):
    from datetime import datetime

    row = night.source("night").row
    night.store.update_source(row.fingerprint, session={**row.session, "day": "2026-03-01"})
    path = sheet_file(tmp_path, (5.0, 6.0, "x"), start=datetime(2020, 1, 1, 22, 30))
    (labels,) = night.add_annotations("night", path)
    checks = [f["check"] for f in night.store.findings(labels.digest)]
    assert checks == ["start", "another_day"]
    assert labels.column("start").tolist() == [5 * 128]


def test_hypnograms_of_text(night, tmp_path):
    path = tmp_path / "night.txt"
    path.write_text("0\n1\n2\n3\n4\n0\n0\n0\n")
    with pytest.raises(BadArgumentError, match="coding"):
        night.add_annotations("night", path, author="anna")
    (labels,) = night.add_annotations("night", path, author="anna", coding="yasa")
    assert (labels.kind, labels.provenance.task) == (Kind.SPANS, "sleep")
    assert labels.provenance.parameters["coding"] == "yasa"
    assert labels.n_rows == 8
    assert labels.column("stop")[-1] == 240 * 128


def test_what_cannot_be_imported(night, tmp_path):
    with pytest.raises(SourceNotFoundError):
        night.add_annotations("night", tmp_path / "nothing.xml")
    path = tmp_path / "a.bin"
    path.write_bytes(b"\0\1\2")
    with pytest.raises(UnknownFormatError, match="known format"):
        night.add_annotations("night", path)
    path = sheet_file(tmp_path, (5.0, 6.0, "x"))
    with pytest.raises(BadArgumentError, match="options of wonambi"):
        night.add_annotations("night", path, coding="yasa")
    with pytest.raises(BadArgumentError, match="stream"):
        night.add_annotations("night", path, stream="nothing")


def edf_night(path, *, minutes=10, label="EEG Fpz-Cz", **options):
    samples = np.random.default_rng(0).integers(-500, 500, minutes * 60 * 10)
    slow = EdfSignal("SaO2", samples[: minutes * 60], 1, "%")
    return write_edf(path, [EdfSignal(label, samples, 10), slow], **options)


def hypnogram(path, time="22.30.00", date="02.03.02"):
    told = [(0.0, 300.0, "Sleep stage W"), (300.0, 240.0, "Sleep stage 2")]
    return write_edf(
        path, [], annotations=told, fields=EdfFields(record_s="0", time=time, date=date)
    )


def test_annotations_of_a_recording_come_in_when_it_is_added(project, tmp_path):
    told = [(0.0, 30.0, "Sleep stage W"), (30.0, 30.0, "Sleep stage 2"), (-9.0, 8.0, "Stage W")]
    source = project.add(edf_night(tmp_path / "n.edf", annotations=told))
    (row,) = project.store.label_sets(source=source.fingerprint)
    assert (row.task, row.author.kind, row.author.name) == (
        "sleep",
        "person",
        "annotations of n.edf",
    )
    assert project.store.get_labels(row.digest).provenance.stream == "10Hz"
    assert [f["check"] for f in project.store.findings(row.digest)] == ["outside_recording"]
    assert source.stream() == "10Hz"


def test_damaged_annotations_do_not_cost_the_recording(project, tmp_path):
    path = edf_night(tmp_path / "n.edf", annotations=[(1.0, 2.0, "Arousal")])
    path.write_bytes(path.read_bytes().replace(b"+1.000000", b"+1.0zz000"))
    source = project.add(path)
    assert [(f.check, f.severity) for f in source.findings] == [("annotations", "error")]
    assert project.store.label_sets(source=source.fingerprint) == []


def test_a_hypnogram_is_placed_by_the_starts_of_both_files(project, tmp_path):
    source = project.add(edf_night(tmp_path / "n.edf"))
    (labels,) = project.add_annotations(source, hypnogram(tmp_path / "a.edf"), author="ana")
    assert labels.n_rows == 18
    assert labels.column("start")[0] == 0
    assert project.store.findings(labels.digest) == []
    late = hypnogram(tmp_path / "later.edf", "22.31.00")
    (labels,) = project.add_annotations(source, late, author="ana", outside="cut")
    assert labels.column("start")[0] == 600
    assert [f["check"] for f in project.store.findings(labels.digest)] == ["start"]


def test_an_hour_between_the_starts_is_doubted(project, tmp_path):
    source = project.add(edf_night(tmp_path / "n.edf", minutes=90))
    late = hypnogram(tmp_path / "h.edf", "23.30.00")
    (labels,) = project.add_annotations(source, late, author="ana")
    (finding,) = project.store.findings(labels.digest)
    assert finding["severity"] == "warning"
    assert "daylight" in finding["sentence"]
    assert labels.column("start")[0] == 36_000  # placed by the files, not by a guess


def test_annotations_of_another_recording(project, tmp_path):
    source = project.add(edf_night(tmp_path / "n.edf"))
    other = edf_night(tmp_path / "o.edf", annotations=[(1.0, 2.0, "Arousal")])
    (labels,) = project.add_annotations(source, other, author="ana")
    assert labels.provenance.task == "annotations"
    assert labels.provenance.source == source.fingerprint


def test_a_task_takes_the_stream_it_works_on(project, tmp_path):
    source = project.add(edf_night(tmp_path / "n.edf"))
    assert source.stream(None, ("eeg",)) == "10Hz"
    assert source.stream(None, ("aux",)) == "1Hz"
    with pytest.raises(BadArgumentError, match="10Hz"):
        source.stream(None, ("ephys", "ap"))
    assert source.has_kind(("eeg",))
    assert not source.has_kind(("ephys",))


def test_a_hypnogram_of_another_night_is_refused(project, tmp_path):
    source = project.add(edf_night(tmp_path / "n.edf"))
    other = hypnogram(tmp_path / "other.edf", date="09.03.02")
    with pytest.raises(BadLabelsError, match="--outside"):
        project.add_annotations(source, other)
    with pytest.raises(BadLabelsError, match="all of them outside"):
        project.add_annotations(source, other, outside="cut")
    (labels,) = project.add_annotations(source, other, together=True)
    assert labels.n_rows == 18


def test_a_recording_without_a_start_is_said(project, tmp_path):
    source = project.add(edf_night(tmp_path / "n.edf", fields=EdfFields(date="00.00.00")))
    (labels,) = project.add_annotations(source, hypnogram(tmp_path / "h.edf"), author="ana")
    (finding,) = project.store.findings(labels.digest)
    assert "taken to begin together" in finding["sentence"]


@pytest.mark.data
def test_hypnograms_of_sleep_edf_come_onto_a_recording(project, tmp_path):
    folder = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "eeg/sleep_edf/hypnograms"
    path = folder / "SC4001EC-Hypnogram.edf"
    if not path.is_file():
        pytest.skip("no hypnograms of Sleep-EDF under NISSL_DATA")
    fields = EdfFields(date="24.04.89", time="16.13.00")
    night = edf_night(tmp_path / "SC4001E0.edf", minutes=22 * 60 + 5, fields=fields)
    source = project.add(night)
    (labels,) = project.add_annotations(source, path)
    assert labels.n_rows == 2650
    counts = np.bincount(labels.column("label"), minlength=6)
    assert dict(zip(labels.vocabulary.names, counts.tolist(), strict=True)) == {
        **{"W": 1997, "N1": 58, "N2": 250, "N3": 220, "R": 125, "unknown": 0}
    }
    checks = [f["check"] for f in project.store.findings(labels.digest)]
    assert checks == ["outside_recording", "missing"]  # of stages that nobody scored, and no author
