from __future__ import annotations

import csv

import numpy as np
import pytest

from nissl.errors import BadLabelsError, BadMetadataError, ExportError
from nissl.io import find_importer
from nissl.io.szcore import COLUMNS, SZCORE, event_type
from nissl.labels import Author
from nissl.testing.marks import span_dossier

HEADER = "\t".join(COLUMNS)


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_columns_and_their_values(tmp_path):
    dossier = span_dossier(
        n_rows=30, classes=("seizure", "sz_foc_ia"), author=Author("model", "events/x", "1")
    )
    path = SZCORE.write(dossier, tmp_path / "a.tsv", start="2026-03-01T22:30:05")
    rows = table(path)
    assert tuple(rows[0]) == COLUMNS
    assert {row["eventType"] for row in rows} == {"sz", "sz_foc_ia"}
    assert {row["dateTime"] for row in rows} == {"2026-03-01 22:30:05"}
    assert all(0 <= float(row["confidence"]) <= 1 for row in rows)
    assert {float(row["recordingDuration"]) for row in rows} == {133_000 / 128}
    back = SZCORE.read(path, rate_hz=128.0)
    np.testing.assert_allclose(
        np.sort(back.labels[0].column("confidence")),
        np.sort(dossier.labels.column("confidence")),
        atol=1e-6,
    )


def test_only_seizures_are_written(tmp_path):
    dossier = span_dossier(n_rows=60, classes=("spindle", "seizure", "artifact"))
    path = SZCORE.write(dossier, tmp_path / "a.tsv")
    SZCORE.verify(dossier, path)
    assert len(table(path)) == int((dossier.labels.column("label") == 1).sum())
    with pytest.raises(ExportError, match="a class of seizures"):
        SZCORE.write(span_dossier(), tmp_path / "b.tsv")


def test_no_seizure_is_one_row_of_background(tmp_path):
    dossier = span_dossier(n_rows=5, classes=("spindle",))
    vocabulary = ("spindle", "seizure")
    from dataclasses import replace

    from nissl.labels import Kind, LabelSet

    columns = {k: dossier.labels.column(k) for k in ("start", "stop")}
    labels = LabelSet.build(Kind.SPANS, columns, vocabulary, dossier.labels.provenance)
    dossier = replace(dossier, labels=labels)
    path = SZCORE.write(dossier, tmp_path / "a.tsv")
    SZCORE.verify(dossier, path)
    (row,) = table(path)
    assert (row["onset"], row["eventType"], row["confidence"]) == ("0", "bckg", "n/a")
    assert row["duration"] == row["recordingDuration"]
    (back,) = SZCORE.read(path).labels
    assert (back.n_rows, back.vocabulary.names) == (0, ("seizure",))


def test_a_table_of_the_library(tmp_path):
    """As epilepsy2bids writes it, with two digits."""
    path = tmp_path / "sub-01_events.tsv"
    path.write_text(
        f"{HEADER}\n"
        "296.00\t40.00\tsz\tn/a\tn/a\t2016-11-06 13:43:04\t3600.00\n"
        "400.00\t10.00\tsz_foc_ia_nm\t0.95\tF3,C3\t2016-11-06 13:43:04\t3600.00\n"
    )
    assert find_importer(path).name == "szcore"
    back = SZCORE.read(path, rate_hz=256.0, reviewer="dr b")
    (labels,) = back.labels
    assert labels.vocabulary.names == ("seizure", "sz_foc_ia_nm")
    assert labels.column("start").tolist() == [296 * 256, 400 * 256, 400 * 256]
    assert labels.column("item").tolist() == [0, 1, 1]  # two channels, one seizure
    assert labels.provenance.author.name == "dr b"
    assert back.facts["clock"][0][1] == 3600 * 256


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ("-3\t1\tsz\tn/a\tn/a\t1970-01-01 00:00:00\t60", BadLabelsError),
        ("3\t-1\tsz\tn/a\tn/a\t1970-01-01 00:00:00\t60", BadLabelsError),
        ("59\t30\tsz\tn/a\tn/a\t1970-01-01 00:00:00\t60", None),
    ],
)
def test_rows_that_cannot_be(tmp_path, row, error):
    path = tmp_path / "a.tsv"
    path.write_text(f"{HEADER}\n{row}\n")
    if error is None:
        assert SZCORE.read(path).labels[0].n_rows == 1
        return
    with pytest.raises(error):
        SZCORE.read(path)


def test_missing_columns(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("onset\tduration\n1\t2\n")
    with pytest.raises(BadMetadataError, match="eventType"):
        SZCORE.read(path)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("seizure", "sz"), ("Seizure", "sz"), ("sz_gen_m", "sz_gen_m"), ("spindle", None)],
)
def test_types(name, kind):
    assert event_type(name) == kind
