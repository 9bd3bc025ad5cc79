"""EEG from the command line: what is shown of a file, what adding and importing say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nissl.testing.files import EdfFields, EdfSignal, write_edf


@pytest.fixture
def night(tmp_path):
    samples = np.random.default_rng(0).integers(-500, 500, 6000)
    signals = [
        EdfSignal("EEG Fpz-Cz", samples, 10),
        EdfSignal("foo", samples[:600], 1),
    ]
    fields = EdfFields(patient="H1 F 01-JAN-1950 Harry")
    told = [(30.0 * k, 30.0, "Sleep stage 2") for k in range(21)]
    return write_edf(tmp_path / "n.edf", signals, annotations=told, fields=fields)


def test_show_tells_what_the_names_of_channels_mean(nissl, night):
    shown = nissl("show", night)
    assert shown.code == 0
    line = next(x for x in shown.out.splitlines() if "Fpz-Cz" in x)
    assert line.split() == ["EEG", "Fpz-Cz", "Fpz", "eeg", "Cz"]
    assert "misc (unknown)" in shown.out
    assert "Harry" not in shown.out + shown.err
    rows = json.loads(nissl("show", night, "--json").out)
    assert rows[0]["electrodes"][0]["name"] == "Fpz"


def test_add_and_import_say_what_is_doubtful(nissl, night, tmp_path):
    added = nissl("add", tmp_path / "study", night)
    assert added.code == 0
    assert "1 annotations are not wholly within the recording" in added.err
    assert "'foo'" in added.err
    told = [(0.0, 60.0, "Sleep stage W"), (5.0, None, "Lights off")]
    fields = EdfFields(record_s="0", time="22.31.00")
    events = write_edf(tmp_path / "h.edf", [], annotations=told, fields=fields)
    done = nissl("import", tmp_path / "study", "n", events, "--author", "ana", "--json")
    assert done.code == 0
    assert "60 s after the recording" in done.err
    rows = [(r["task"], r["kind"], r["rows"]) for r in json.loads(done.out)]
    assert rows == [("sleep", "spans", 2), ("annotations", "events", 1)]
    found = json.loads(nissl("show", tmp_path / "study", "--source", "n", "--json").out)
    assert {f["check"] for f in found} == {"unknown_channels", "outside_recording", "start"}


def test_a_reader_can_be_named(nissl, night):
    night.rename(night.with_suffix(".dat"))
    assert "10Hz" in nissl("show", night.with_suffix(".dat"), "--format", "edf").out


def test_a_hypnogram_alone_is_a_source_that_asks_for_its_recording(nissl, tmp_path):
    told = [(0.0, 60.0, "Sleep stage W")]
    path = write_edf(tmp_path / "h.edf", [], annotations=told, fields=EdfFields(record_s="0"))
    added = nissl("add", tmp_path / "study", path, "--json")
    assert added.code == 0
    assert "nissl import" in added.err
    assert json.loads(added.out)[0]["format"] == "edf-annotations"
