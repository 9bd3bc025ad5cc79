"""Annotation files of Wonambi, as its own code writes them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from nissl.errors import CorruptSourceError, ExportError
from nissl.io import find_importer
from nissl.io.wonambi import WONAMBI
from nissl.labels import Author
from nissl.testing.marks import night_dossier, span_dossier

EPOCH = (
    "<epoch><epoch_start>{0}</epoch_start><epoch_end>{1}</epoch_end><stage>{2}</stage>"
    "<quality>Good</quality></epoch>"
)
FILE = (
    '<?xml version="1.0" ?><annotations version="5"><dataset><filename>/data/J Doe.edf</filename>'
    "<path>/data/J Doe.edf</path><start_time>2026-03-01T22:30:00</start_time>"
    "<first_second>0</first_second><last_second>120</last_second></dataset>"
    '<rater name="anna" created="2026-03-02T08:00:00" modified="2026-03-02T09:00:00">'
    "<bookmarks><bookmark><bookmark_name>lights off</bookmark_name>"
    "<bookmark_start>3.0</bookmark_start><bookmark_end>3.0</bookmark_end><bookmark_chan/>"
    "</bookmark></bookmarks>"
    '<events><event_type type="spindle"><event><event_start>40.25</event_start>'
    "<event_end>41.5</event_end><event_chan>C3 (scalp), C4 (scalp)</event_chan>"
    "<event_qual>Good</event_qual></event></event_type></events>"
    f"<stages>{EPOCH.format(0, 30, 'Wake')}{EPOCH.format(30, 60, 'NREM2')}"
    f"{EPOCH.format(60, 90, 'REM')}{EPOCH.format(90, 120, 'Unknown')}</stages><cycles/></rater>"
    '<rater name="ben" created="2026-03-02T08:00:00"><bookmarks/><events/>'
    f"<stages>{EPOCH.format(0, 30, 'Wake')}{EPOCH.format(30, 60, 'NREM1')}</stages>"
    "<cycles/></rater>"
    '<rater name="cleo" created="2026-03-02T08:00:00"><bookmarks/><events/>'
    f"<stages>{EPOCH.format(0, 30, 'Unknown')}</stages><cycles/></rater></annotations>"
)


@pytest.fixture
def night(tmp_path):
    path = tmp_path / "night.xml"
    path.write_text(FILE)
    return path


def test_raters_are_authors(night):
    assert find_importer(night).name == "wonambi"
    back = WONAMBI.read(night, rate_hz=100.0)
    found = {(s.provenance.author.name, s.provenance.task, s.kind.value): s for s in back.labels}
    stages = found["anna", "sleep", "spans"]
    names = [stages.vocabulary.names[c] for c in stages.column("label")]
    assert names == ["W", "N2", "R", "unknown"]
    assert found["ben", "sleep", "spans"].n_rows == 2
    spindle = found["anna", "events", "spans"]
    assert spindle.column("start").tolist() == [4025, 4025]
    assert spindle.column("item").tolist() == [0, 0]
    assert found["anna", "events", "events"].vocabulary.names == ("lights off",)
    assert back.facts["channels"]["ids"] == ["C3 (scalp)", "C4 (scalp)"]
    # epochs that nobody has scored claim nothing
    assert ("cleo", "sleep", "spans") not in found


def test_what_is_written_has_the_elements_of_wonambi(tmp_path):
    path = WONAMBI.write(night_dossier(n_rows=12), tmp_path / "a.xml")
    root = ET.parse(path).getroot()
    assert b'<annotations version="5">' in path.read_bytes()  # Wonambi looks for it as text
    assert [child.tag for child in root] == ["dataset", "rater"]
    assert [c.tag for c in root.find("dataset")] == [
        "filename",
        "path",
        "start_time",
        "first_second",
        "last_second",
    ]
    rater = root.find("rater")
    assert rater.get("name") == "anna"
    assert [c.tag for c in rater] == ["bookmarks", "events", "stages", "cycles"]
    epochs = rater.findall("stages/epoch")
    assert [int(e.findtext("epoch_start")) for e in epochs] == list(range(0, 360, 30))
    known = {"Wake", "NREM1", "NREM2", "NREM3", "REM", "Unknown"}
    assert {e.findtext("stage") for e in epochs} <= known
    events = ET.parse(WONAMBI.write(span_dossier(), tmp_path / "b.xml")).getroot()
    one = events.find("rater/events/event_type/event")
    assert [c.tag for c in one] == ["event_start", "event_end", "event_chan", "event_qual"]


def test_a_method_is_a_rater_of_its_name(tmp_path):
    dossier = span_dossier(author=Author("model", "events/yasa"))
    back = WONAMBI.read(WONAMBI.write(dossier, tmp_path / "a.xml"))
    assert back.labels[0].provenance.author == Author("model", "events/yasa")


@pytest.mark.parametrize(
    "text",
    [
        "<annotations version='5'>",
        "<annotations version='4'></annotations>",
        "<annotations version='5'></annotations>",
        FILE.replace("<epoch_start>30", "<epoch_start>x"),
        FILE.replace("<event_end>41.5</event_end>", ""),
        '<!DOCTYPE a [<!ENTITY b "b">]><annotations version="5">&b;</annotations>',
    ],
)
def test_what_is_no_file_of_wonambi(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(CorruptSourceError):
        WONAMBI.read(path)


def test_text_that_xml_cannot_hold(tmp_path):
    with pytest.raises(ExportError, match="XML"):
        WONAMBI.write(span_dossier(classes=("a\x07b", "c")), tmp_path / "a.xml")
