"""Annotations of MNE in its three files, read by MNE itself."""

from __future__ import annotations

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.errors import BadArgumentError, BadMetadataError, ExportError, VerificationError
from nissl.io.mne_annotations import MNE
from nissl.labels import Author
from nissl.testing.marks import RATE_HZ, rows_of, span_dossier

mne = pytest.importorskip("mne")


@pytest.mark.parametrize("ending", ["-annot.fif", ".txt", ".csv"])
def test_every_file_comes_back(tmp_path, ending):
    dossier = span_dossier(n_rows=60)
    path = MNE.write(dossier, tmp_path / f"night{ending}")
    MNE.verify(dossier, path)
    assert MNE.matches(path)
    back = MNE.read(path, rate_hz=RATE_HZ)
    assert rows_of(back.labels, back.facts["channels"]["ids"]) == rows_of([dossier.labels])


@pytest.mark.parametrize("ending", ["-annot.fif", ".txt"])
def test_mne_puts_them_where_they_were(tmp_path, ending):
    dossier = span_dossier(n_rows=60)
    path = MNE.write(dossier, tmp_path / f"night{ending}")
    raw = mne.io.RawArray(
        np.zeros((4, 133_000)), mne.create_info(["Fp1", "C3", "C4", "EEG Pz-Oz"], RATE_HZ)
    )
    raw.set_annotations(mne.read_annotations(path))
    onset = np.sort(np.rint(raw.annotations.onset * RATE_HZ).astype(int))
    np.testing.assert_array_equal(onset, np.sort(dossier.labels.column("start")))
    lasting = np.rint(raw.annotations.duration * RATE_HZ).sum()
    assert lasting == (dossier.labels.column("stop") - dossier.labels.column("start")).sum()


def test_many_rows(tmp_path):
    dossier = span_dossier(n_rows=100_000)  # 8.7 hours
    for ending in ("-annot.fif", ".txt"):
        MNE.verify(dossier, MNE.write(dossier, tmp_path / f"night{ending}"))


def test_a_day_at_a_kilohertz_does_not_fit_a_fif(tmp_path):
    """MNE keeps times as 32-bit numbers; that samples are lost must not pass unnoticed."""
    clock = Clock.regular(1000.0, 86_400_000)
    dossier = span_dossier(n_rows=50, clock=clock)
    stream = {**dossier.source["streams"]["eeg"], "rate_hz": 1000.0, "clock": clock.to_json()}
    dossier.source["streams"]["eeg"].update(stream)
    path = MNE.write(dossier, tmp_path / "day-annot.fif")
    with pytest.raises(VerificationError, match="instead of"):
        MNE.verify(dossier, path)
    MNE.verify(dossier, MNE.write(dossier, tmp_path / "day.txt"))


def test_who_and_how_sure_stand_in_the_fif(tmp_path):
    dossier = span_dossier(n_rows=20, author=Author("model", "events/yasa", "0.8"))
    path = MNE.write(dossier, tmp_path / "a-annot.fif")
    labels = MNE.read(path).labels[0]
    assert labels.provenance.author == Author("model", "events/yasa", "0.8")
    np.testing.assert_allclose(
        np.sort(labels.column("confidence")),
        np.sort(dossier.labels.column("confidence")),
        rtol=1e-6,
    )


def test_files_that_mne_wrote(tmp_path):
    made = mne.Annotations([1.0, 2.5], [0.5, 0.0], ["BAD", "go, now"], ch_names=[["C3"], []])
    made.save(tmp_path / "a-annot.fif")
    made.save(tmp_path / "a.csv")
    spans, events = MNE.read(tmp_path / "a-annot.fif", rate_hz=100.0).labels
    assert (spans.column("start")[0], spans.column("stop")[0]) == (100, 150)
    assert events.vocabulary.names == ("go, now",)
    spans, events = MNE.read(tmp_path / "a.csv", rate_hz=100.0).labels
    assert (spans.column("start")[0], events.column("sample")[0]) == (100, 250)
    plain = mne.Annotations([1.0, 2.5], [0.5, 1.0], ["BAD", "go"])
    plain.save(tmp_path / "a.txt")
    (spans,) = MNE.read(tmp_path / "a.txt", rate_hz=100.0).labels
    assert spans.column("start").tolist() == [100, 250]


def test_dates_need_the_start(tmp_path):
    from datetime import UTC, datetime

    start = datetime(2020, 1, 1, 22, 0, tzinfo=UTC)
    made = mne.Annotations([61.0], [0.5], ["BAD"], orig_time=start)
    made.save(tmp_path / "a.csv")
    with pytest.raises(BadMetadataError, match="when the recording began"):
        MNE.read(tmp_path / "a.csv")
    sheet = MNE.sheet(tmp_path / "a.csv", start="2020-01-01T22:00:00")
    assert sheet.marks[0].start_s.tolist() == [61.0]
    with pytest.raises(BadArgumentError, match="ISO"):
        MNE.sheet(tmp_path / "a.csv", start="yesterday")


@pytest.mark.parametrize("text", ["a,b", "ü", "a#b", 'a"b'])
def test_text_that_mne_cannot_read_is_refused(tmp_path, text):
    with pytest.raises(ExportError, match="ASCII"):
        MNE.write(span_dossier(classes=(text, "b")), tmp_path / "a.txt")
    dossier = span_dossier(classes=(text, "b"))
    MNE.verify(dossier, MNE.write(dossier, tmp_path / "a-annot.fif"))


def test_another_ending(tmp_path):
    with pytest.raises(BadArgumentError, match=r"\.fif, \.txt or \.csv"):
        MNE.write(span_dossier(), tmp_path / "a.mat")
