from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nissl.errors import BadArgumentError, BadLabelsError, ExportError
from nissl.io import find_importer
from nissl.io.dreams import DREAMS
from nissl.io.hypnogram import HYPNOGRAM
from nissl.io.luna import LUNA
from nissl.labels import Author, Kind, LabelSet
from nissl.testing.marks import night_dossier, span_dossier

SHARED = Path(os.environ.get("NISSL_DATA", "../shared/data"))


def stages_in(path, **options):
    sheet = HYPNOGRAM.sheet(path, **options)
    return list(sheet.marks[0].labels), sheet.marks[0]


def test_one_stage_to_a_line(tmp_path):
    path = HYPNOGRAM.write(night_dossier(n_rows=40), tmp_path / "a.eannot")
    lines = path.read_text().splitlines()
    assert len(lines) == 40
    assert set(lines) <= {"W", "N1", "N2", "N3", "R", "?"}


def test_other_epochs_say_how_long_they_are(tmp_path):
    dossier = night_dossier(n_rows=7, epoch_s=4.0)
    path = HYPNOGRAM.write(dossier, tmp_path / "a.eannot")
    assert path.read_text().startswith("# epoch 4 s\n")
    HYPNOGRAM.verify(dossier, path)


def test_runs_are_cut_and_holes_are_unknown(tmp_path):
    dossier = night_dossier(n_rows=4)
    about = dossier.labels.provenance
    rate = 128
    columns = {"start": [0, 120 * rate], "stop": [60 * rate, 150 * rate], "label": [2, 4]}
    labels = LabelSet.build(Kind.SPANS, columns, dossier.labels.vocabulary, about)
    path = HYPNOGRAM.write(replace(dossier, labels=labels), tmp_path / "a.eannot")
    assert path.read_text().split() == ["N2", "N2", "?", "?", "R"]
    HYPNOGRAM.verify(replace(dossier, labels=labels), path)


@pytest.mark.parametrize(
    ("start", "stop", "match"),
    [([0, 0], [3840, 3840], "one stage"), ([5], [3840], "epochs")],
)
def test_what_is_no_hypnogram(tmp_path, start, stop, match):
    dossier = night_dossier(n_rows=4)
    labels = LabelSet.build(
        Kind.SPANS,
        {"start": start, "stop": stop},
        dossier.labels.vocabulary,
        dossier.labels.provenance,
    )
    with pytest.raises(ExportError, match=match):
        HYPNOGRAM.write(replace(dossier, labels=labels), tmp_path / "a.eannot")
    with pytest.raises(ExportError, match="stages of sleep"):
        HYPNOGRAM.write(span_dossier(), tmp_path / "a.eannot")


@pytest.mark.parametrize(
    ("text", "coding", "wanted"),
    [
        ("0\n1\n2\n3\n", None, "W N1 N2 N3"),
        ("0\n1\n2\n3\n5\n", None, "W N1 N2 N3 R"),
        ("0\n1\n2\n3\n4\n-1\n", "yasa", "W N1 N2 N3 R unknown"),
        ("0\n4\n5\n9\n", "rk", "W N3 R unknown"),
        ("[hypnogram]\n5\n4\n3\n2\n1\n0\n-1\n", None, "W R N1 N2 N3 N3 unknown"),
        ("Wake\nNREM2\nREM\nART\n", None, "W N2 R unknown"),
        ('"W"\n"N1"\n\n', None, "W N1"),
    ],
)
def test_codings(tmp_path, text, coding, wanted):
    path = tmp_path / "a.txt"
    path.write_text(text)
    assert find_importer(path).name == "hypnogram"
    found, marks = stages_in(path, **({"coding": coding} if coding else {}))
    assert found == wanted.split()
    assert marks.stop_s[0] == (5.0 if text.startswith("[") else 30.0)


@pytest.mark.parametrize("text", ["0\n4\n1\n", "0\n4\n5\n", "0\n8\n"])
def test_numbers_that_mean_different_things_are_refused(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(BadArgumentError, match="--coding"):
        HYPNOGRAM.sheet(path)


def test_options(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("W\nN1\n")
    assert stages_in(path, epoch_s=20.0)[1].stop_s.tolist() == [20.0, 40.0]
    for wrong in ({"epoch_s": 0.0}, {"epoch_s": float("nan")}, {"pages": 3}):
        with pytest.raises(BadArgumentError):
            HYPNOGRAM.sheet(path, **wrong)
    path.write_text("W\nN1\n0\n")
    with pytest.raises(BadArgumentError, match="coding"):
        HYPNOGRAM.sheet(path, coding="mine")
    path.write_text("W\nN1\nX\n")
    with pytest.raises(BadLabelsError, match="line 3"):
        HYPNOGRAM.sheet(path)


def test_yasa_reads_it(tmp_path):
    yasa = pytest.importorskip("yasa")
    dossier = night_dossier(n_rows=40)
    path = HYPNOGRAM.write(dossier, tmp_path / "a.eannot")
    words = [{"?": "UNS"}.get(word, word) for word in path.read_text().split()]
    codes = yasa.Hypnogram(words).as_int().to_numpy()
    wanted = np.asarray([0, 1, 2, 3, 4, -2])[dossier.labels.column("label")]
    np.testing.assert_array_equal(codes, wanted)


LUNA_ROWS = """# a1
# a2 | with a description
class\tinstance\tchannel\tstart\tstop\tmeta
a1\ti1\t.\t10.00\t15.00\t.
a2\t.\tC3,C4\te:2\t.\t.
a2\t.\t.\te:10\te:12\t.
a3\tA\tC3\t400\t+30\t.
a3\tA\tC3\t500\t...\t.
a3\tB\t.\t0+00:10:00\t0+00:10:30\t.
a3\tB\t.\te:2:20\t.\t.
"""


def test_times_of_luna(tmp_path):
    path = tmp_path / "a.annot"
    path.write_text(LUNA_ROWS)
    marks = LUNA.sheet(path).marks[0]
    assert marks.start_s.tolist() == [10, 30, 270, 400, 500, 600, 20]
    assert marks.stop_s.tolist() == [15, 60, 360, 430, 600, 630, 40]
    assert marks.channels[1] == ("C3", "C4")
    path.write_text("a1 10.5 12\na1\t20\t25\n")
    assert LUNA.sheet(path).marks[0].stop_s.tolist() == [12, 25]


def test_times_of_day_need_the_start(tmp_path):
    path = tmp_path / "a.annot"
    path.write_text("a1\t23:59:50\t00:00:10\na1\t02.00.00\t02.00.30\n")
    marks = LUNA.sheet(path, start="2026-03-01T22:00:00").marks[0]
    assert marks.start_s.tolist() == [7190, 14400]
    assert marks.stop_s.tolist() == [7210, 14430]


@pytest.mark.parametrize("text", ["a1\t1\n", "a1\tx\t3\n", "a1\t3\t...\n", "a1\t1:00:00\t3\n"])
def test_rows_that_are_none_of_lunas(tmp_path, text):
    from nissl.errors import NisslError

    path = tmp_path / "a.annot"
    path.write_text(text)
    with pytest.raises(NisslError):
        LUNA.sheet(path)


@pytest.mark.parametrize(
    "author", [Author("person", "a_b"), Author("person", "a/b"), Author("model", "events/x")]
)
def test_titles_that_would_read_differently(tmp_path, author):
    dossier = span_dossier(classes=("Spindles",), channels=False, author=author)
    with pytest.raises(ExportError, match="one class on one channel"):
        DREAMS.write(dossier, tmp_path / "a.txt")


@pytest.mark.data
def test_scoring_of_dreams():
    path = SHARED / "eeg/dreams_spindles/Visual_scoring2_excerpt1.txt"
    if not path.is_file():
        pytest.skip("no scorings of DREAMS under NISSL_DATA")
    assert find_importer(path).name == "dreams"
    back = DREAMS.read(path, rate_hz=100.0)
    (labels,) = back.labels
    assert labels.provenance.author.name == "vis2"
    assert labels.vocabulary.names == ("Spindles",)
    assert back.facts["channels"]["ids"] == ["C3-A1"]
    assert labels.column("start")[0] == 39656
    assert np.median(labels.column("stop") - labels.column("start")) == 100
