"""EDF and BDF: right files as others write and read them, wrong ones, and long ones."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.data.annotations import Annotation
from nissl.data.edf.header import read_header
from nissl.data.read import read
from nissl.data.readers.edf import to_uv, unique_names
from nissl.errors import BadMetadataError, CorruptSourceError, GapError, NisslError
from nissl.testing.files import EdfFields, EdfSignal, write_edf

quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def one(label="EEG C3-A2", n=40, n_per_record=10, seed=0, **fields):
    rng = np.random.default_rng(seed)
    return EdfSignal(label, rng.integers(-3000, 3000, n), n_per_record, **fields)


@quick
@given(data=st.data())
def test_reads_what_edfio_writes_as_mne_does(tmp_path: Path, data: st.DataObject) -> None:
    edfio, mne = pytest.importorskip("edfio"), pytest.importorskip("mne")
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_records = data.draw(st.integers(1, 6))
    per_record = data.draw(st.lists(st.sampled_from([1, 10, 32, 100]), min_size=1, max_size=5))
    units = data.draw(
        st.lists(st.sampled_from(["uV", "mV", "V"]), min_size=5, max_size=5), label="units"
    )
    scale = {"uV": 1.0, "mV": 1e-3, "V": 1e-6}
    expected = [rng.normal(0, 100, n * n_records) for n in per_record]
    signals = [
        edfio.EdfSignal(
            samples * scale[unit], n, label=f"EEG ch{i}", physical_dimension=unit,
            physical_range=(-1000 * scale[unit], 1000 * scale[unit]),
        )
        for i, (samples, n, unit) in enumerate(zip(expected, per_record, units, strict=False))
    ]  # fmt: skip
    told = data.draw(
        st.lists(
            st.tuples(
                st.floats(0, n_records).map(lambda t: round(t, 4)),
                st.one_of(st.none(), st.floats(0, 99).map(lambda t: round(t, 3))),
                st.text("abcdeµ äZ.", min_size=1, max_size=12).filter(str.strip),
            ),
            max_size=5,
        )
    )
    path = tmp_path / "x.edf"
    remarks = [edfio.EdfAnnotation(*a) for a in told]
    edfio.Edf(signals, annotations=remarks, data_record_duration=1).write(path)

    recording = read(path)
    assert sum(s.n_channels for s in recording.values()) == len(per_record)
    for signal in recording.values():
        for column, name in enumerate(signal.channels.ids):
            wanted = expected[int(name.removeprefix("EEG ch"))]
            assert signal.rate_hz == wanted.size / n_records
            np.testing.assert_allclose(signal.read()[:, column], wanted, atol=0.02)
    found = [(a.onset_s, a.duration_s, a.text) for a in recording.annotations]
    wanted_remarks = [(t, d or 0.0, " ".join(text.split())) for t, d, text in told]
    assert sorted(found) == sorted(wanted_remarks)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_edf(path, preload=False, verbose="error")
        assert len(raw.annotations) == len(told)
        if len(set(per_record)) == 1:  # mne resamples others
            np.testing.assert_allclose(
                recording.read(), raw.get_data(units="uV").T, rtol=1e-5, atol=1e-3
            )


@quick
@given(seed=st.integers(0, 2**32 - 1), bdf=st.booleans(), plus=st.booleans())
def test_mutated_bytes_raise_our_errors_or_give_what_the_file_holds(
    tmp_path: Path, seed: int, bdf: bool, plus: bool
) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / "x.edf"
    onsets = [0.0, 1.0, 3.0, 4.0] if plus else None
    write_edf(path, [one(), one("SaO2", 4, 1)], onsets_s=onsets, bdf=bdf)
    raw = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 6))):
        head = rng.random() < 0.8
        place = int(rng.integers(168, 256 * 3)) if head else int(rng.integers(len(raw)))
        digits = b"0123456789-+., " if rng.random() < 0.7 else bytes(range(256))
        raw[place] = digits[int(rng.integers(len(digits)))]
    path.write_bytes(bytes(raw))
    try:
        recording = read(path)
    except NisslError:
        return
    head = read_header(path)
    size = head.header_bytes + head.n_records * head.record_bytes
    assert size <= path.stat().st_size < size + head.record_bytes
    for signal in recording.values():
        assert signal.n_samples == head.n_records * signal.reader.n_per_record
        times = signal.clock.to_seconds(np.arange(signal.n_samples))
        assert np.all(np.diff(times) > 0)
        for a, b in signal.blocks(1000):
            assert signal.read_raw(a, b).shape == (b - a, signal.n_channels)
    with contextlib.suppress(NisslError):
        assert all(np.isfinite(a.onset_s) for a in recording.annotations)


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        (EdfFields(record_s="-1"), BadMetadataError, "more than 0 s"),
        (EdfFields(record_s="0"), BadMetadataError, "more than 0 s"),
        (EdfFields(record_s="nan"), BadMetadataError, "'nan'"),
        (EdfFields(n_records="5"), CorruptSourceError, "5 data records"),
        (EdfFields(n_records="3"), CorruptSourceError, "3 data records"),
        (EdfFields(n_records="0"), CorruptSourceError, "0 data records"),
        (EdfFields(n_records="-2"), CorruptSourceError, "-2 data records"),
        (EdfFields(n_records="4.5"), BadMetadataError, "'4.5'"),
        (EdfFields(n_records="many"), BadMetadataError, "'many'"),
        (EdfFields(header_bytes="256"), CorruptSourceError, "header of 512 bytes"),
        (EdfFields(n_signals="0"), BadMetadataError, "1 to 9999 signals"),
        (EdfFields(n_signals="-1"), BadMetadataError, "1 to 9999 signals"),
    ],
)
def test_lying_headers_are_errors_that_name_the_fault(
    tmp_path: Path, fields: EdfFields, error: type[NisslError], said: str
) -> None:
    path = write_edf(tmp_path / "x.edf", [one()], fields=fields)
    with pytest.raises(error) as caught:
        read(path)
    assert said in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "wrong",
    [
        {"digital": ("5", "-5")},
        {"digital": ("-40000", "32767")},
        {"physical": ("low", "1")},
        {"physical": ("1e999", "1")},
    ],
)
def test_impossible_calibrations_are_errors(tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(BadMetadataError, match="of signal 1"):
        read(write_edf(tmp_path / "x.edf", [one(**wrong)]))


def test_a_truncated_file_is_an_error_and_an_unclosed_one_a_note(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", [one()])
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CorruptSourceError, match="3 data records and 13 bytes more"):
        read(path)
    path = write_edf(tmp_path / "y.edf", [one()], fields=EdfFields(n_records="-1"))
    path.write_bytes(path.read_bytes()[:-7])
    recording = read(path)
    assert recording.n_samples == 30
    (note,) = recording.notes
    assert "holds 3 and 13 bytes of one more, which is left out" in note
    path.write_bytes(path.read_bytes()[: 512 + 5])
    with pytest.raises(CorruptSourceError, match="holds nothing"):
        read(path)


def test_a_channel_without_calibration_is_left_out_and_said(tmp_path: Path) -> None:
    unused = one("unused", physical=("0", "0"))
    recording = read(write_edf(tmp_path / "x.edf", [unused, one(seed=3)]))
    assert recording.channels.ids == ("EEG C3-A2",)
    np.testing.assert_allclose(recording.read()[:, 0], one(seed=3).samples * 0.1, atol=1e-3)
    assert "'unused' has no calibration" in recording.notes[0]
    with pytest.raises(CorruptSourceError, match="with a calibration"):
        read(write_edf(tmp_path / "y.edf", [unused]))


def test_a_comma_in_a_number_is_read_and_said(tmp_path: Path) -> None:
    recording = read(write_edf(tmp_path / "x.edf", [one(physical=("-3276,8", "3276,7"))]))
    np.testing.assert_allclose(recording.read()[:, 0], one().samples * 0.1, atol=1e-3)
    assert "comma" in recording.notes[0]


def test_units_of_voltages_become_uv_and_others_stay() -> None:
    given_ = ["uV", "µV", "ÂµV", "mV", "V", "nV", "microV", "uVolt", "%", "MV", "", "bpm"]
    assert [to_uv(unit) for unit in given_] == [
        *(1.0, 1.0, 1.0, 1e3, 1e6, 1e-3, 1.0, 1.0),
        *(None, None, None, None),
    ]


def test_a_stream_says_what_is_no_voltage(tmp_path: Path) -> None:
    signals = [
        one("EEG C3", unit=""),
        one("Light", unit="lx"),
        one("ECG", unit="mV", physical=("-3.2768", "3.2767")),
    ]
    recording = read(write_edf(tmp_path / "x.edf", signals))
    assert recording.signal.metadata["units"] == {"Light": "lx"}
    assert recording.notes == ("No unit is stated for EEG C3; taken as uV.",)
    assert recording.channels.kind == "eeg"
    np.testing.assert_allclose(recording.read()[:, 2], one().samples * 0.1, rtol=1e-4, atol=0.1)


def test_names_are_unique_and_the_first_stays() -> None:
    assert unique_names(["C3", "C3", "", "C3 #2", "C3"]) == [
        "C3",
        "C3 #2",
        "channel 3",
        "C3 #2 #2",
        "C3 #3",
    ]


def test_gaps_of_a_discontinuous_file_are_gaps_of_every_stream(tmp_path: Path) -> None:
    onsets = [0.5, 1.5, 10.0, 11.0]
    path = write_edf(tmp_path / "x.edf", [one(), one("SaO2", 4, 1)], onsets_s=onsets)
    recording = read(path)
    for name, n in (("10Hz", 10), ("1Hz", 1)):
        clock = recording[name].clock
        assert [(s.start, s.stop, s.t0_s) for s in clock.segments] == [
            (0, 2 * n, 0.5),
            (2 * n, 4 * n, 10.0),
        ]
    with pytest.raises(GapError):
        recording["10Hz"].read(15, 25)
    np.testing.assert_allclose(
        recording["10Hz"].read(20, 40)[:, 0], one().samples[20:] * 0.1, atol=1e-3
    )
    assert recording.notes == ("1 gaps, together 7.500 s; no sample is shifted by them.",)


def test_changes_of_the_hour_are_said_or_refused(tmp_path: Path) -> None:
    forward = read(write_edf(tmp_path / "x.edf", [one()], onsets_s=[0, 1, 3602, 3603]))
    assert any("daylight-saving" in note for note in forward.notes)
    assert forward.clock.segments[1].t0_s == 3602  # and nothing is shifted
    with pytest.raises(BadMetadataError, match="daylight-saving"):
        read(write_edf(tmp_path / "y.edf", [one()], onsets_s=[4000, 4001, 402, 403]))
    with pytest.raises(BadMetadataError, match="follow each other in time"):
        read(write_edf(tmp_path / "z.edf", [one()], onsets_s=[0, 1, 1.5, 2.5]))


def test_a_file_that_only_says_it_is_continuous_is_found_out(tmp_path: Path) -> None:
    fields = EdfFields(reserved="EDF+C")
    path = write_edf(tmp_path / "x.edf", [one()], onsets_s=[0, 1, 5, 6], fields=fields)
    recording = read(path)
    assert [s.t0_s for s in recording.clock.segments] == [0, 5]
    assert any("not" in note and "continuous" in note for note in recording.notes)


def test_a_discontinuous_file_without_times_is_refused(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", [one()], fields=EdfFields(reserved="EDF+D"))
    with pytest.raises(BadMetadataError, match="time of every data record"):
        read(path)


def test_annotations_keep_time_duration_text_and_channel(tmp_path: Path) -> None:
    told = [
        (2.5, None, "Lights off"),
        (1.0, 0.5, "spindle@@EEG C3-A2"),
        (-3.0, 2.0, "vor Beginn ä"),
    ]
    recording = read(write_edf(tmp_path / "x.edf", [one()], annotations=told))
    assert recording.annotations.bytes_to_read == 4 * 120
    assert tuple(recording.annotations) == (
        Annotation(-3.0, 2.0, "vor Beginn ä"),
        Annotation(1.0, 0.5, "spindle", "EEG C3-A2"),
        Annotation(2.5, 0.0, "Lights off"),
    )


def test_damaged_annotations_name_their_record(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "x.edf", [one()], annotations=[(2.5, None, "Lights off")])
    path.write_bytes(path.read_bytes().replace(b"+2.500000", b"+2.5oo000"))
    recording = read(path)
    with pytest.raises(CorruptSourceError, match="data record 1"):
        list(recording.annotations)


def test_a_file_of_annotations_alone_says_how_to_use_it(tmp_path: Path) -> None:
    told = [(0.0, 30.0, "Sleep stage W")]
    path = write_edf(tmp_path / "x.edf", [], annotations=told, fields=EdfFields(record_s="0"))
    with pytest.raises(CorruptSourceError) as caught:
        read(path)
    assert "nissl import" in caught.value.remedy


def test_nothing_of_the_patient_is_copied(tmp_path: Path) -> None:
    fields = EdfFields(patient="MCH-0234567 F 02-MAY-1951 Haagse_Harry", recording="by Dr_Who")
    told = [(0.5, None, "Lights off")]
    recording = read(write_edf(tmp_path / "x.edf", [one()], fields=fields, annotations=told))
    assert recording.subject.id == "unknown"
    assert read(tmp_path / "x.edf", keep_identifiers=True).subject.id == "MCH-0234567"
    kept = repr(recording) + repr(recording.subject) + repr(recording.session)
    kept += json.dumps([dict(s.metadata) for s in recording.values()]) + repr(recording.notes)
    for secret in ("MCH", "1951", "Harry", "Who"):
        assert secret not in kept
    assert recording.session.day == "2002-03-02"
    assert recording.signal.metadata["start"] == "2002-03-02T22:30:00"


@pytest.mark.parametrize("date", ["00.00.00", "31.02.02", "02.03.zz", ""])
def test_a_start_that_is_no_date_is_said(tmp_path: Path, date: str) -> None:
    recording = read(write_edf(tmp_path / "x.edf", [one()], fields=EdfFields(date=date)))
    assert recording.session.day is None
    assert "no valid date" in recording.notes[0]


def test_years_of_two_digits_are_those_of_the_format(tmp_path: Path) -> None:
    for date, year in (("01.01.85", 1985), ("01.01.84", 2084)):
        path = write_edf(tmp_path / "x.edf", [one()], fields=EdfFields(date=date))
        assert read_header(path).start == datetime.datetime(year, 1, 1, 22, 30)


def test_triggers_of_bdf_are_lines(tmp_path: Path) -> None:
    words = np.zeros(40, np.int64)
    words[5:9], words[20:25] = 1, 0x8000 - 0x800000 + 1
    status = EdfSignal(
        "Status", words, 10, "Boolean", ("-8388608", "8388607"), ("-8388608", "8388607")
    )
    lines = {
        n.name: n for n in read(write_edf(tmp_path / "x.bdf", [one(), status], bdf=True)).lines
    }
    assert len(lines) == 16
    assert lines["status.0"].bytes_to_read == 120
    assert lines["status.0"].rising.tolist() == [5, 20]
    assert lines["status.0"].falling.tolist() == [9, 25]
    assert lines["status.15"].rising.tolist() == [20]
    assert lines["status.1"].rising.tolist() == []


def test_one_long_data_record_is_read_in_part(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nissl.data.edf.samples.BLOCK_BYTES", 50)
    signals = [one(n=300, n_per_record=150, seed=k) for k in range(2)]
    recording = read(write_edf(tmp_path / "x.edf", signals))
    expected = np.stack([s.samples for s in signals], axis=1) * 0.1
    np.testing.assert_allclose(recording.read(140, 170), expected[140:170], atol=1e-3)


def long_file(path: Path, n_signals: int = 64, hours: int = 8, n_per_record: int = 256) -> Path:
    """File of zeros and of the right size, which takes no room on the disk."""
    signals = [one(f"EEG {i}", n_per_record, n_per_record) for i in range(n_signals)]
    n_records = hours * 3600
    write_edf(path, signals, annotations=[], onsets_s=[0.0], fields=EdfFields(
        n_records=str(n_records), reserved="EDF+C"))  # fmt: skip
    head = 256 * (n_signals + 2)
    record = 2 * n_signals * n_per_record + 120
    with path.open("r+b") as file:
        file.truncate(head)
        os.truncate(path, head + n_records * record)
        for index in (0, n_records - 1):
            file.seek(head + index * record + record - 120)
            file.write(f"+{index}".encode() + b"\x14\x14\x00")
    return path


def test_eight_hours_of_64_channels_open_at_once_and_in_little_memory(tmp_path: Path) -> None:
    path = long_file(tmp_path / "night.edf")
    assert path.stat().st_size > 9e8
    began = time.perf_counter()
    recording = read(path)
    took_s = time.perf_counter() - began
    assert took_s < 1.0
    assert recording.duration_s == 8 * 3600
    tracemalloc.start()
    recording.read(0, 30 * 256)
    recording.take(["EEG 3"]).read()  # a whole channel: 29 MB as float32
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 120e6


@pytest.mark.data
def test_the_hypnograms_of_sleep_edf() -> None:
    folder = Path(os.environ.get("NISSL_DATA", "")) / "eeg/sleep_edf/hypnograms"
    if not folder.is_dir():
        pytest.skip("NISSL_DATA has no eeg/sleep_edf/hypnograms")
    from nissl.data.edf.annotations import read_annotations

    for path in sorted(folder.glob("*.edf")):
        head = read_header(path)
        found = read_annotations(head)
        assert {a.text for a in found} <= {f"Sleep stage {s}" for s in "W1234R?"} | {
            "Movement time"
        }
        assert len(found) > 50
        for before, after in itertools.pairwise(found):
            assert after.onset_s == before.onset_s + before.duration_s
