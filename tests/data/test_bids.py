"""What the tables of a BIDS folder add to a recording."""

from __future__ import annotations

import numpy as np
import pytest

from nissl.data.annotations import Annotation
from nissl.data.read import matching_reader, read
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.testing.files import EdfSignal, write_edf

CHANNELS = "name\ttype\tunits\tstatus\na\tEEG\tuV\tgood\nb\tEOG\tuV\tbad\n"
EVENTS = "onset\tduration\ttrial_type\n1.0\t1.5\tspindle\n0.5\tn/a\tgo\n"


def dataset(root, *subjects, channels=CHANNELS, events=EVENTS):
    root.mkdir(exist_ok=True)
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.9.0"}')
    files = []
    for subject in subjects:
        where = root / f"sub-{subject}" / "ses-1" / "eeg"
        where.mkdir(parents=True)
        base = where / f"sub-{subject}_ses-1_task-rest"
        rng = np.random.default_rng(0)
        signals = [EdfSignal(n, rng.integers(-99, 99, 160), 40) for n in "ab"]
        files.append(write_edf(base.with_name(f"{base.name}_eeg.edf"), signals))
        for what, text in (("channels", channels), ("events", events)):
            if text is not None:
                base.with_name(f"{base.name}_{what}.tsv").write_text(text)
    return files


def test_tables_give_types_bad_channels_events_subject_and_session(tmp_path):
    (file,) = dataset(tmp_path / "study", "01")
    for path in (file, tmp_path / "study", tmp_path / "study/sub-01", file.parent):
        recording = read(path)
        assert recording.format == "bids"
        assert recording.channels.types == ("EEG", "EOG")
        assert recording.channels.kind == "eeg"
        assert recording.signal.metadata["bad_channels"] == ["b"]
        assert (recording.subject.id, recording.session.id) == ("sub-01", "ses-1")
        assert recording.session.day == "2002-03-02"
        assert tuple(recording.annotations) == (
            Annotation(0.5, 0.0, "go"),
            Annotation(1.0, 1.5, "spindle"),
        )


def test_a_folder_of_several_recordings_lists_them(tmp_path):
    dataset(tmp_path / "study", "01", "02")
    with pytest.raises(BadArgumentError, match="sub-02_ses-1_task-rest_eeg"):
        read(tmp_path / "study")


def test_a_file_without_tables_is_left_to_the_reader_of_its_format(tmp_path):
    (file,) = dataset(tmp_path / "study", "01", channels=None, events=None)
    assert matching_reader(file) == "edf"
    assert matching_reader(tmp_path) is None


def test_tables_that_do_not_fit_are_said_or_refused(tmp_path):
    (file,) = dataset(tmp_path / "a", "01", channels="name\ttype\na\tEEG\nc\tEEG\n")
    notes = read(file).notes
    assert any("does not have: c" in note for note in notes)
    assert any("does not name all channels of the file: b" in note for note in notes)
    for k, row in enumerate(("soon\t1\tx", "1\t-1\tx", "n/a\t1\tx", "nan\t1\tx")):
        (file,) = dataset(tmp_path / f"b{k}", "01", events=f"onset\tduration\ttrial_type\n{row}\n")
        with pytest.raises(BadMetadataError, match="row 1"):
            list(read(file).annotations)
