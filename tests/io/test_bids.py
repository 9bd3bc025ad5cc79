"""The BIDS derivative by the rules that mne-bids applies, and tables that people made."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from nissl.data import ChannelTable
from nissl.errors import (
    BadArgumentError,
    BadLabelsError,
    BadMetadataError,
    CorruptSourceError,
    DiskFullError,
    ExportError,
    VerificationError,
)
from nissl.io.bids import BIDS
from nissl.io.bids.hed import tags_of
from nissl.io.bids.names import entities_of, label_of
from nissl.labels import Author, Kind
from nissl.testing.exporters import hash_tree
from nissl.testing.marks import RATE_HZ, instants_dossier, night_dossier, rows_of, span_dossier

MODEL = Author("model", "events/yasa", "0.8")


def of(dossier, *, subject="m1", session="s1", source="f", kind="eeg"):
    """Dossier of another recording."""
    stream = dict(dossier.source["streams"]["eeg"])
    ids = stream["channels"]["ids"]
    stream["channels"] = ChannelTable.plain(ids, kind=kind).to_json()
    facts = {
        "subject": {"id": subject},
        "session": {"id": session},
        "fingerprint": source * 64,
        "streams": {"eeg": stream},
    }
    return replace(dossier, source={**dossier.source, **facts})


def the_table(root):
    (table,) = root.rglob("*_events.tsv")
    return table


def rows_in(table):
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("subject", ["m1", "sub-1b4f0e98", "M 03/x", "unknown", "ü"])
@pytest.mark.parametrize("session", ["s1", "unknown", "2026-03-01"])
@pytest.mark.parametrize("kind", ["eeg", "ieeg", "meg", "lfp"])
def test_names_pass_the_checks_of_mne_bids(tmp_path, subject, session, kind):
    mne_bids = pytest.importorskip("mne_bids")
    dossier = of(span_dossier(n_rows=5), subject=subject, session=session, kind=kind)
    root = BIDS.write(dossier, tmp_path / "out")
    BIDS.verify(dossier, root)
    table = the_table(root)
    found = mne_bids.get_entities_from_fname(table, on_error="raise")
    path = mne_bids.BIDSPath(
        subject=found["subject"],
        session=found["session"],
        task=found["task"],
        description=found["description"],
        suffix="events",
        extension=".tsv",
        datatype=table.parent.name,
        root=root,
        check=True,
    )
    assert path.fpath == table
    assert found["description"] == "nissl"
    assert "Jane" not in table.name
    # a raw data set has none of the other rules broken either
    listed = mne_bids.find_matching_paths(root, descriptions="nissl", suffixes="events")
    assert table in [p.fpath for p in listed]


def test_two_subjects_never_become_one():
    assert label_of("sub-1b4f0e98", "sub") == "1b4f0e98"
    labels = {label_of(name) for name in ("a1", "a-1", "a_1", "a 1", "A1", "ü", "ö")}
    assert len(labels) == 7
    assert all(label.isalnum() and label.isascii() for label in labels)
    a, b = (entities_of(of(span_dossier(), subject="unknown", source=s)) for s in "fe")
    assert a.subject != b.subject


def test_the_dataset_says_what_it_is(tmp_path):
    mne_bids = pytest.importorskip("mne_bids")
    root = BIDS.write(of(night_dossier(n_rows=5)), tmp_path / "out")
    BIDS.write(of(night_dossier(n_rows=5), subject="m2", source="e"), root)
    told = json.loads((root / "dataset_description.json").read_text())
    assert told["DatasetType"] == "derivative"
    assert told["GeneratedBy"][0]["Name"] == "nissl"
    assert told["GeneratedBy"][0]["Version"]
    assert told["SourceDatasets"] == [{"Version": "f" * 64}, {"Version": "e" * 64}]
    assert told["HEDVersion"] == "score_2.1.0"
    assert (root / "README").is_file()
    # mne-bids takes the same required fields
    made = tmp_path / "theirs"
    mne_bids.make_dataset_description(
        path=made,
        name=told["Name"],
        dataset_type=told["DatasetType"],
        generated_by=told["GeneratedBy"],
        source_datasets=told["SourceDatasets"],
        hed_version=told["HEDVersion"],
    )
    theirs = json.loads((made / "dataset_description.json").read_text())
    assert {k for k, v in theirs.items() if v} <= set(told) | {"Authors"}
    assert sorted(mne_bids.get_entity_vals(root, "subject")) == ["m1", "m2"]


def test_every_column_and_class_is_described(tmp_path):
    dossier = span_dossier(n_rows=20, author=MODEL)
    table = the_table(BIDS.write(dossier, tmp_path / "out"))
    told = json.loads(table.with_suffix(".json").read_text())
    (row, *_) = rows_in(table)
    assert list(row)[:2] == ["onset", "duration"]
    assert set(row) == set(told) - {"nissl"}
    assert all(told[name]["Description"] for name in told)
    assert set(told["trial_type"]["Levels"]) == {"spindle", "K-complex", "artifact"}
    assert told["trial_type"]["HED"] == {
        "spindle": "Sleep-spindles",
        "K-complex": "K-complex",
        "artifact": "Data-artifact",
    }
    assert row["scorer"] == "n/a"
    assert row["method"] == "events/yasa 0.8"
    total = sum(float(v) for k, v in row.items() if k.startswith("probability_"))
    assert total == pytest.approx(1, abs=1e-5)
    facts = told["nissl"]["Facts"]
    assert facts["reviewed"] == 0.5
    assert "Jane" not in table.with_suffix(".json").read_text()


def test_stages_have_their_tags():
    assert tags_of(("W", "N1", "N2", "N3", "R", "unknown")) == {
        "W": "Awake",
        "N1": "Sleep-stage-N1",
        "N2": "Sleep-stage-N2",
        "N3": "Sleep-stage-N3",
        "R": "Sleep-stage-REM",
    }
    assert tags_of(("L", "R")) == {}
    assert tags_of(("seizure",)) == {"seizure": "Epileptic-seizure"}


@pytest.mark.parametrize(
    "dossier",
    [
        span_dossier(1, author=MODEL),
        span_dossier(2, classes=("a\tb", 'c"d', "e\nf", "n/a")),
        span_dossier(3, classes=("p-1", "p 1", "P_1"), author=MODEL),
        night_dossier(4),
        instants_dossier(5),
    ],
    ids=["model", "text", "alike", "night", "instants"],
)
def test_sets_come_back_whole(tmp_path, dossier):
    root = BIDS.write(dossier, tmp_path / "out")
    BIDS.verify(dossier, root)
    (back,) = BIDS.read(root).labels
    assert back == dossier.labels
    again = BIDS.write(BIDS.read(root).dossier(), tmp_path / "again")
    assert the_table(again).read_bytes() == the_table(root).read_bytes()
    assert BIDS.read(again).labels == (back,)


def test_what_nobody_decided_on_stays_the_methods(tmp_path):
    dossier = of(night_dossier(3, n_rows=100))
    made = replace(dossier.labels.provenance, author=MODEL)
    person = replace(made, author=Author("person", "ann"))
    labels = replace(dossier.labels, provenance=person)
    items = labels.column("item").tolist()
    reviewed = replace(
        dossier, labels=labels, proposed=made, decided_by={items[0]: "ann", items[7]: "ann, bo"}
    )
    BIDS.write(reviewed, tmp_path / "out")
    rows = rows_in(the_table(tmp_path / "out"))
    told = {k: (row["scorer"], row["method"]) for k, row in enumerate(rows)}
    assert told.pop(0) == ("ann", "n/a")
    assert told.pop(7) == ("ann, bo", "n/a")
    assert set(told.values()) == {("n/a", "events/yasa 0.8")}
    (back,) = BIDS.read(the_table(tmp_path / "out")).labels
    assert back.digest == labels.digest


def test_recordings_of_one_session_are_runs(tmp_path):
    root = tmp_path / "out"
    made = [of(span_dossier(k, n_rows=9), source=s) for k, s in enumerate("abc")]
    for dossier in made:
        BIDS.write(dossier, root)
    for dossier in made:
        BIDS.verify(dossier, root)
    names = sorted(p.stem for p in root.rglob("*_events.tsv"))
    assert [("run-02" in n, "run-03" in n) for n in names] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    with pytest.raises(BadArgumentError, match="overwrite"):
        BIDS.write(made[1], root)
    with pytest.raises(BadArgumentError, match="3 recordings"):
        BIDS.read(root)
    (table,) = root.rglob("*run-03*_events.tsv")
    assert BIDS.read(table).labels == (made[2].labels,)


def test_tasks_of_one_recording_are_read_together(tmp_path):
    root = tmp_path / "out"
    BIDS.write(span_dossier(n_rows=9), root)
    BIDS.write(night_dossier(n_rows=9), root)
    assert {s.provenance.task for s in BIDS.read(root).labels} == {"events", "sleep"}


def test_a_changed_table_is_a_persons(tmp_path):
    dossier = span_dossier(n_rows=20, author=MODEL)
    root = BIDS.write(dossier, tmp_path / "out")
    table = the_table(root)
    lines = table.read_text().splitlines()
    cells = lines[4].split("\t")
    cells[2] = "artifact" if cells[2] != "artifact" else "spindle"
    table.write_text("\n".join([*lines[:4], "\t".join(cells), *lines[5:]]) + "\n")
    with pytest.raises(VerificationError):
        BIDS.verify(dossier, root)
    back = BIDS.read(root, reviewer="ben")
    (labels,) = back.labels
    assert labels.provenance.author == Author("person", "ben")
    assert labels.provenance.made_from == (dossier.labels.digest,)
    assert labels.provenance.task == "events"
    assert labels.vocabulary.names == dossier.labels.vocabulary.names
    assert back.fingerprint == "f" * 64
    ids = back.facts["channels"]["ids"]
    differ = [
        a != b for a, b in zip(rows_of([labels], ids), rows_of([dossier.labels]), strict=True)
    ]
    assert sum(differ) == 1


def test_tables_of_others_are_left_alone(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    before = hash_tree(raw)
    with pytest.raises(BadArgumentError):
        BIDS.write(span_dossier(), raw, overwrite=True)
    assert hash_tree(raw) == before
    assert not BIDS.matches(raw)


def test_a_full_disk_leaves_the_dataset_as_it_was(tmp_path):
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    root = BIDS.write(span_dossier(n_rows=5), tmp_path / "out")
    tables = sorted(root.rglob("*_events.*"))
    other = of(span_dossier(n_rows=3000), subject="m2", source="e")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for size in (0, 1000, 20_000):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
            with pytest.raises(DiskFullError):
                BIDS.write(other, root)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert sorted(root.rglob("*_events.*")) == tables
    BIDS.write(other, root)
    BIDS.verify(other, root)


def made(folder, text, name="sub-01_ses-2_task-rest_events.tsv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_that_a_person_made(tmp_path):
    path = made(
        tmp_path,
        "onset\tduration\ttrial_type\tscorer\tchannel\tconfidence\n"
        "1.5\t0.5\tspindle\tanna\tC3\t0.9\n"
        "3\t1\tspindle\tben\tC3,C4\tn/a\n"
        "4\tn/a\tblink\tanna\tn/a\tn/a\n",
    )
    assert BIDS.matches(path)
    back = BIDS.read(path, rate_hz=RATE_HZ)
    assert (back.subject, back.session) == ("01", "2")
    told = {(s.provenance.author.name, s.kind): s for s in back.labels}
    assert told["anna", Kind.SPANS].column("confidence")[0] == pytest.approx(0.9)
    assert told["ben", Kind.SPANS].column("item").tolist() == [0, 0]
    assert told["anna", Kind.EVENTS].vocabulary.names == ("blink",)


def test_trials_have_no_author_but_the_one_given(tmp_path):
    path = made(tmp_path, "onset\tduration\ttrial_type\n2\t1\tgo\n1\t1\tstop\n")
    (labels,) = BIDS.read(path, rate_hz=100.0, reviewer="rig").labels
    assert labels.provenance.task == "trials"
    assert labels.provenance.author.name == "rig"
    assert labels.column("start").tolist() == [100, 200]
    other = made(tmp_path, "onset\tduration\tvalue\n1\t1\t7\n", name="a_events.tsv")
    assert BIDS.read(other).labels[0].vocabulary.names == ("7",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("onset\ttrial_type\n1\ta\n", BadMetadataError),
        ("start\tduration\n1\t2\n", BadMetadataError),
        ("onset\tduration\nn/a\t2\n", BadLabelsError),
        ("onset\tduration\n1\t-2\n", BadLabelsError),
        ("onset\tduration\n-1\t2\n", BadLabelsError),
        ("onset\tduration\nx\t2\n", CorruptSourceError),
        ("onset\tduration\n1\n", CorruptSourceError),
        ("onset\tonset\tduration\n1\t1\t1\n", CorruptSourceError),
        ("", CorruptSourceError),
    ],
)
def test_tables_that_cannot_be(tmp_path, text, error):
    with pytest.raises(error):
        BIDS.read(made(tmp_path, text))


def test_an_odd_confidence_is_left_aside_and_told(tmp_path):
    path = made(tmp_path, "onset\tduration\tconfidence\n1\t1\thigh\n")
    back = BIDS.read(path)
    assert np.isnan(back.labels[0].column("confidence")).all()
    assert any("confidence" in sentence for sentence in back.what_is_missing)


def test_options_and_text_that_do_not_fit(tmp_path):
    with pytest.raises(BadArgumentError):
        BIDS.write(span_dossier(), tmp_path / "out", space="head")
    with pytest.raises(ExportError, match="names that a table can hold"):
        BIDS.write(span_dossier(classes=("a\rb",)), tmp_path / "out")
    assert os.listdir(tmp_path) == []
