"""EDF+ annotations beside MNE and edfio, and the hypnograms of Sleep-EDF."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.errors import ExportError
from nissl.io import find_importer
from nissl.io.edf_annotations import EDF_ANNOTATIONS
from nissl.labels import Author
from nissl.testing.marks import RATE_HZ, night_dossier, span_dossier

SHARED = Path(os.environ.get("NISSL_DATA", "../shared/data"))


def test_peers_read_the_same(tmp_path):
    mne, edfio = pytest.importorskip("mne"), pytest.importorskip("edfio")
    dossier = span_dossier(n_rows=2500, classes=("Spindel ü", "眠り"), channels=False)
    path = EDF_ANNOTATIONS.write(dossier, tmp_path / "a.edf")
    start = dossier.labels.column("start") / RATE_HZ
    duration = (dossier.labels.column("stop") - dossier.labels.column("start")) / RATE_HZ
    names = [dossier.labels.vocabulary.names[c] for c in dossier.labels.column("label")]
    order = np.lexsort((names, duration, start))
    by_mne = mne.read_annotations(path)
    assert by_mne.orig_time is None
    by_edfio = edfio.read_edf(path).annotations
    for onset, length, text in (
        (by_mne.onset, by_mne.duration, list(by_mne.description)),
        (
            np.asarray([a.onset for a in by_edfio]),
            np.asarray([a.duration for a in by_edfio]),
            [a.text for a in by_edfio],
        ),
    ):
        mine = np.lexsort((text, length, onset))
        np.testing.assert_allclose(onset[mine], start[order], atol=1e-9)
        np.testing.assert_allclose(length[mine], duration[order], atol=1e-9)
        assert [text[k] for k in mine] == [names[k] for k in order]


def test_channels_stand_where_mne_writes_them(tmp_path):
    """MNE splits them off in a file that has the channels, and keeps them in the text here."""
    mne = pytest.importorskip("mne")
    path = EDF_ANNOTATIONS.write(span_dossier(n_rows=30), tmp_path / "a.edf")
    texts = mne.read_annotations(path).description
    assert {t.partition("@@")[2] for t in texts} == {"", "Fp1", "C3", "C4", "EEG Pz-Oz"}


def test_records_are_as_small_as_the_specification_asks(tmp_path):
    path = EDF_ANNOTATIONS.write(span_dossier(n_rows=20_000), tmp_path / "a.edf")
    content = path.read_bytes()
    n_records, n_samples = int(content[236:244]), int(content[472:480])
    assert n_records > 1
    assert 2 * n_samples <= 61440
    assert len(content) == 512 + 2 * n_records * n_samples
    assert content[:8] == b"0       "
    assert content[192:197] == b"EDF+C"


def test_stages_have_the_names_of_the_specification(tmp_path):
    path = EDF_ANNOTATIONS.write(night_dossier(n_rows=50), tmp_path / "a.edf")
    content = path.read_bytes()
    for text in (b"Sleep stage W\x14", b"Sleep stage N2\x14", b"Sleep stage R\x14", b"stage ?"):
        assert text in content


def test_author_and_task_stand_in_the_header(tmp_path):
    dossier = span_dossier(author=Author("person", "anna  b"))
    path = EDF_ANNOTATIONS.write(dossier, tmp_path / "a.edf")
    labels = EDF_ANNOTATIONS.read(path).labels[0]
    assert labels.provenance.author == Author("person", "anna_b")
    assert labels.provenance.task == "events"
    model = span_dossier(author=Author("model", "events/yasa", "1"))
    path = EDF_ANNOTATIONS.write(model, tmp_path / "b.edf")
    assert EDF_ANNOTATIONS.read(path).labels[0].provenance.author.kind == "model"
    nobody = span_dossier(author=Author("person", "眠"))
    path = EDF_ANNOTATIONS.write(nobody, tmp_path / "c.edf")
    back = EDF_ANNOTATIONS.read(path, reviewer="ben")
    assert back.labels[0].provenance.author.name == "ben"


def test_the_start_is_written_only_where_it_is_known(tmp_path):
    unknown = EDF_ANNOTATIONS.write(span_dossier(), tmp_path / "a.edf").read_bytes()
    assert unknown[168:184] == b"01.01.8500.00.00"
    assert b"Startdate X" in unknown
    assert EDF_ANNOTATIONS.sheet(tmp_path / "a.edf").start is None
    path = EDF_ANNOTATIONS.write(span_dossier(), tmp_path / "b.edf", start="2026-03-01T22:30:05")
    assert path.read_bytes()[168:184] == b"01.03.2622.30.05"
    assert EDF_ANNOTATIONS.sheet(path).start.isoformat() == "2026-03-01T22:30:05"


def test_a_fraction_of_a_second_before_the_first_sample(tmp_path):
    dossier = span_dossier(n_rows=20)
    late = Clock.regular(RATE_HZ, 200_000, t0_s=0.25)
    stream = {**dossier.source["streams"]["eeg"], "clock": late.to_json()}
    dossier = replace(dossier, source={**dossier.source, "streams": {"eeg": stream}})
    path = EDF_ANNOTATIONS.write(dossier, tmp_path / "a.edf")
    EDF_ANNOTATIONS.verify(dossier, path)
    first = dossier.labels.column("start")[0] / RATE_HZ + 0.25
    assert EDF_ANNOTATIONS.sheet(path).marks[0].start_s[0] == pytest.approx(first, abs=1e-9)
    assert b"+0.25\x14\x14\0" in path.read_bytes()


@pytest.mark.parametrize("text", ["a\x14b", "a\x15b", "a@@b", "a  b", " a"])
def test_texts_that_a_list_cannot_hold(tmp_path, text):
    with pytest.raises(ExportError, match="names without"):
        EDF_ANNOTATIONS.write(span_dossier(classes=(text, "b")), tmp_path / "a.edf")
    assert list(tmp_path.iterdir()) == []


def test_long_remarks_lose_their_words(tmp_path):
    edfio = pytest.importorskip("edfio")
    remark = "Mrs Jane Doe of Hospital Road 3 wakes and asks for water"
    edf = edfio.Edf(
        [edfio.EdfSignal(np.zeros(256), 256, label="Fp1")],
        annotations=[edfio.EdfAnnotation(0.1, 0.2, remark), edfio.EdfAnnotation(0.3, 0.2, "K")],
    )
    edf.write(tmp_path / "a.edf")
    back = EDF_ANNOTATIONS.read(tmp_path / "a.edf")
    assert back.labels[0].vocabulary.names == ("K", "remark")
    assert any("remark" in sentence for sentence in back.what_is_missing)
    assert back.labels[0].provenance.task == "annotations"
    # a recording is for its reader: nothing is claimed of it unasked
    assert find_importer(tmp_path / "a.edf") is None


@pytest.mark.data
def test_hypnograms_of_sleep_edf():
    mne = pytest.importorskip("mne")
    files = sorted((SHARED / "eeg/sleep_edf/hypnograms").glob("*.edf"))
    if not files:
        pytest.skip("no hypnograms of Sleep-EDF under NISSL_DATA")
    for path in files:
        assert find_importer(path).name == "edf-annotations"
        (labels,) = EDF_ANNOTATIONS.read(path, rate_hz=100.0).labels
        assert labels.provenance.task == "sleep"
        found = mne.read_annotations(path)
        assert labels.n_rows == round(found.duration.sum() / 30)
        n3 = sum(d for d, t in zip(found.duration, found.description, strict=True) if t[-1] in "34")
        code = labels.vocabulary.code("N3")
        assert int((labels.column("label") == code).sum()) == round(n3 / 30)
