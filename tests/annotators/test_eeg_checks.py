"""What is said of a recording of EEG when it is opened."""

from __future__ import annotations

import numpy as np

from nissl.annotators.eeg_checks import source_findings
from nissl.data.read import read
from nissl.testing.files import EdfFields, EdfSignal, write_edf


def checks(path, signals, **options):
    return {
        f.check: f for f in source_findings(read(write_edf(path / "x.edf", signals, **options)))
    }


def noise(label, seed=0):
    samples = np.random.default_rng(seed).integers(-500, 500, 400)
    return EdfSignal(label, samples, 100)


def zeros(label):
    return EdfSignal(label, np.zeros(400, np.int64), 100)


def test_a_sound_recording_has_no_findings(tmp_path):
    assert checks(tmp_path, [noise("C3-A2"), noise("EOG", 1)]) == {}


def test_a_night_of_zeros_is_an_error_and_one_flat_electrode_a_warning(tmp_path):
    found = checks(tmp_path, [zeros("C3"), zeros("C4")])
    assert found["flat_channels"].severity == "error"
    found = checks(tmp_path, [zeros("C3"), noise("C4")])
    assert found["flat_channels"].severity == "warning"
    assert "C3" in found["flat_channels"].sentence
    assert checks(tmp_path, [zeros("SaO2"), noise("C4")]) == {}


def test_no_eeg_and_unknown_names_are_said(tmp_path):
    found = checks(tmp_path, [noise("foo"), noise("SaO2", 1)])
    assert "no_eeg" in found
    assert "'foo'" in found["unknown_channels"].sentence


def test_notes_of_the_reader_are_findings(tmp_path):
    found = checks(tmp_path, [noise("C3")], fields=EdfFields(n_records="-1"))
    assert "left open" in found["source"].sentence or "leaves" in found["source"].sentence
