"""What comes with the samples of BrainVision, EEGLAB, GDF and FIF: units, types, marks, pauses."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from nissl.data.annotations import Annotation
from nissl.data.read import read
from nissl.errors import BadMetadataError, CorruptSourceError
from nissl.testing.files import write_brainvision, write_eeglab, write_gdf

mne = pytest.importorskip("mne")

NAMES = ["Fp1", "EOG horizontal", "C3", "foo"]


def noise(n_samples: int = 200, n_channels: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(-500, 500, (n_samples, n_channels)).astype(np.int16)


def test_pauses_of_brainvision_are_gaps(tmp_path):
    segments = ((0, "20200301223000000000"), (90, "20200301224000250000"))
    path = write_brainvision(
        tmp_path / "x.vhdr", noise(), NAMES, 100, marks=[(5, "S 1"), (95, "S 2")], segments=segments
    )
    recording = read(path)
    assert [(s.start, s.t0_s) for s in recording.clock.segments] == [(0, 0.0), (90, 600.25)]
    marks = {a.text: a.onset_s for a in recording.annotations}
    assert marks["Stimulus/S 1"] == pytest.approx(0.05)
    assert marks["Stimulus/S 2"] == pytest.approx(600.25 + 0.05)
    assert {a.duration_s for a in recording.annotations} == {0.0}
    assert any("paused 1 times" in note for note in recording.notes)


def test_pauses_of_unknown_length_are_said_and_going_back_is_refused(tmp_path):
    segments = ((0, "20200301223000000000"), (90, ""))
    path = write_brainvision(tmp_path / "x.vhdr", noise(), NAMES, 100, segments=segments)
    assert any("do not say for how long" in note for note in read(path).notes)
    segments = ((0, "20200301223000000000"), (90, "20200301213000000000"))
    path = write_brainvision(tmp_path / "y.vhdr", noise(), NAMES, 100, segments=segments)
    with pytest.raises(BadMetadataError):
        read(path)


def test_names_decide_where_the_format_states_no_types(tmp_path):
    recording = read(write_brainvision(tmp_path / "x.vhdr", noise(), NAMES, 100))
    assert recording.channels.types == ("", "", "", "eeg")
    assert recording.channels.kind == "eeg"
    assert recording.session.day == "2020-03-01"


def test_marks_of_eeglab_and_gdf_are_annotations(tmp_path):
    samples = noise().astype(np.float32)
    marks = [(5, "go"), (77, "stop")]
    eeglab = read(write_eeglab(tmp_path / "x.set", samples, NAMES, 100, marks=marks))
    assert tuple(eeglab.annotations) == (
        Annotation(0.05, 0.0, "go"),
        Annotation(pytest.approx(0.77), 0.0, "stop"),
    )
    gdf = read(write_gdf(tmp_path / "x.gdf", noise(), NAMES, 40, marks=[(8, 769)]))
    (mark,) = gdf.annotations
    assert (mark.onset_s, mark.duration_s, mark.text) == (0.2, 0.0, "769")


def test_pieces_cut_out_in_eeglab_are_gaps(tmp_path):
    marks = [(5, "go"), (77, "stop")]
    cuts = [(49.5, 300), (120, np.nan)]
    path = write_eeglab(
        tmp_path / "x.set", noise().astype(np.float32), NAMES, 100, marks=marks, cuts=cuts
    )
    recording = read(path)
    assert [(s.start, s.t0_s) for s in recording.clock.segments] == [(0, 0.0), (50, 3.5)]
    times = {a.text: a.onset_s for a in recording.annotations}
    assert times["stop"] == pytest.approx(3.77)
    assert all(a.duration_s == 0 for a in recording.annotations)
    assert any("1 pieces were cut out" in note for note in recording.notes)
    assert any("1 places of unknown length" in note for note in recording.notes)


def test_what_was_skipped_at_acquisition_is_said(tmp_path):
    raw = mne.io.RawArray(
        np.zeros((1, 200)), mne.create_info(["C3"], 100.0, "eeg"), verbose="error"
    )
    raw.set_annotations(mne.Annotations([0.5], [0.25], ["BAD_ACQ_SKIP"]))
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    assert any("0.250 s were skipped" in note for note in read(tmp_path / "x_raw.fif").notes)


def test_fif_keeps_types_units_and_the_time_of_its_annotations(tmp_path):
    types = ["eeg", "mag", "grad", "stim", "eog"]
    names = ["EEG 001", "MEG 0111", "MEG 0112", "STI 014", "EOG 061"]
    info = mne.create_info(names, 100.0, types)
    info["subject_info"] = {"his_id": "H123", "last_name": "Secret", "birthday": None}
    raw = mne.io.RawArray(np.ones((5, 200)) * 1e-6, info, first_samp=300, verbose="error")
    raw.set_meas_date(datetime.datetime(2020, 3, 1, 22, 30, tzinfo=datetime.UTC))
    raw.set_annotations(mne.Annotations([0.5], [0.2], ["BAD"]))
    onset_s = raw.annotations.onset[0] - raw.first_time
    raw.save(tmp_path / "x_raw.fif", verbose="error")
    recording = read(tmp_path / "x_raw.fif")
    assert recording.channels.types == tuple(types)
    assert recording.channels.kind == "meg"
    assert recording.signal.metadata["units"] == {
        "MEG 0111": "fT",
        "MEG 0112": "fT/cm",
        "STI 014": "",
    }
    assert recording.read(0, 1)[0].tolist() == pytest.approx([1, 1e9, 1e7, 1e-6, 1])
    (remark,) = recording.annotations
    assert (remark.onset_s, remark.duration_s) == pytest.approx((onset_s, 0.2))
    assert recording.subject.id == "unknown"
    assert read(tmp_path / "x_raw.fif", keep_identifiers=True).subject.id == "H123"


def test_a_truncated_gdf_is_refused_when_it_is_opened(tmp_path):
    path = write_gdf(tmp_path / "x.gdf", noise(), NAMES, 40)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptSourceError, match="agrees with its size"):
        read(path)


def test_truncated_data_files_are_refused_when_the_header_is_opened(tmp_path):
    paths = (
        write_brainvision(tmp_path / "x.vhdr", noise(), NAMES, 100),
        write_eeglab(tmp_path / "y.set", noise().astype(np.float32), NAMES, 100),
    )
    for path, suffix in zip(paths, (".eeg", ".fdt"), strict=True):
        data = path.with_suffix(suffix)
        data.write_bytes(data.read_bytes()[:-3])
        with pytest.raises(CorruptSourceError, match="whole samples"):
            read(path)
