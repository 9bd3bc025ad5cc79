"""Intan and Blackrock: samples in uV, inputs, digital lines, pauses, damage."""

import json
import struct

import numpy as np
import pytest

from nissl.data.read import read
from nissl.data.spikeinterface import signal_from_json, signal_to_json
from nissl.errors import BadArgumentError, BadMetadataError, CorruptSourceError, NisslError
from nissl.testing.files import write_blackrock_nev, write_blackrock_nsx, write_intan_rhd
from nissl.testing.files.blackrock import analog_gain_uv

pytest.importorskip("spikeinterface")


def steps(n_samples=256, n_channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(30_000, 36_000, (n_samples, n_channels)).astype(np.uint16)


def noise(n_samples=200, n_channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-900, 900, (n_samples, n_channels)).astype(np.int16)


def test_intan_in_microvolts(tmp_path):
    samples = steps()
    recording = read(write_intan_rhd(tmp_path / "rat_240506_070809.rhd", samples))
    assert list(recording) == ["amplifier"]
    expected = (samples.astype(np.float64) - 32768) * 0.195
    np.testing.assert_allclose(recording.read(), expected, atol=1e-3)
    np.testing.assert_array_equal(recording.read_raw(100, 140, ["A-002"]), samples[100:140, 2:])
    assert recording.rate_hz == 20_000.0
    assert (recording.session.id, recording.session.day) == ("rat_240506_070809", "2024-05-06")


def test_intan_inputs_and_lines(tmp_path):
    digital = np.zeros(256, np.uint16)
    digital[50:90] |= 1
    digital[60:200] |= 2
    adc = steps(256, 1, seed=3)
    path = write_intan_rhd(tmp_path / "x.rhd", steps(), adc=adc, digital=digital)
    recording = read(path)
    assert list(recording) == ["amplifier", "adc"]
    volts = (adc.astype(np.float64) - 32768) * 312.5
    np.testing.assert_allclose(recording["adc"].read(), volts, rtol=1e-4, atol=1.0)
    assert recording["adc"].channels.kind == "aux"
    first, second = recording.lines
    assert (first.name, second.name) == ("DIGITAL-IN-1", "DIGITAL-IN-2")
    np.testing.assert_array_equal([first.rising[0], first.falling[0]], [50, 90])
    np.testing.assert_array_equal([second.rising[0], second.falling[0]], [60, 200])


def test_intan_notes_are_not_copied(tmp_path):
    path = write_intan_rhd(tmp_path / "x.rhd", steps(), notes=("Erika Mustermann", "x", "y"))
    recording = read(path)
    table = recording.signal.channels.to_json()
    assert "Mustermann" not in repr([vars(recording), recording.signal.metadata, table])


def test_intan_files_split_by_time(tmp_path):
    parts = [steps(128 * n, seed=n) for n in (1, 2, 1)]
    digital = [np.zeros(len(part), np.uint16) for part in parts]
    digital[1][7:] = 1
    for second, first, part, word in zip("019", (0, 128, 9000), parts, digital, strict=True):
        path = tmp_path / f"rat_240506_07080{second}.rhd"
        write_intan_rhd(path, part, digital=word, first=first)
    recording = read(tmp_path)
    signal = recording["amplifier"]
    assert [(s.start, s.stop) for s in signal.clock.segments] == [(0, 384), (384, 512)]
    assert signal.clock.segments[1].t0_s == 9000 / 20_000
    np.testing.assert_array_equal(signal.read_raw(0, 384), np.concatenate(parts[:2]))
    np.testing.assert_array_equal(signal.read_raw(384, 512, [1]), parts[2][:, 1:2])
    np.testing.assert_array_equal(recording.lines[0].rising, [135])
    again = signal_from_json(json.loads(json.dumps(signal_to_json(signal))))
    np.testing.assert_array_equal(again.read_raw(100, 300), signal.read_raw(100, 300))


def test_intan_files_that_do_not_belong_together(tmp_path):
    write_intan_rhd(tmp_path / "a_240506_070800.rhd", steps())
    assert read(tmp_path).n_samples == 256
    write_intan_rhd(tmp_path / "a_240506_070809.rhd", steps(n_channels=2), first=256)
    with pytest.raises(BadMetadataError, match="in every file"):
        read(tmp_path)
    write_intan_rhd(tmp_path / "b.rhd", steps())
    with pytest.raises(BadArgumentError, match=r"\['a', 'b'\]"):
        read(tmp_path)


def test_intan_files_that_overlap(tmp_path):
    write_intan_rhd(tmp_path / "a_240506_070800.rhd", steps())
    write_intan_rhd(tmp_path / "a_240506_070809.rhd", steps(), first=100)
    with pytest.raises(BadMetadataError, match="Times must increase"):
        read(tmp_path)


@pytest.mark.parametrize("cut", [10, 200, 700, -1, -300])
def test_truncated_intan(tmp_path, cut):
    path = write_intan_rhd(tmp_path / "x.rhd", steps())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptSourceError):
        read(path)


def test_blackrock_in_microvolts(tmp_path):
    samples = noise()
    recording = read(write_blackrock_nsx(tmp_path / "x.ns5", [(0, samples)]))
    assert list(recording) == ["ns5"]
    expected = samples * np.float64(analog_gain_uv("elec1"))
    np.testing.assert_allclose(recording.read(), expected, atol=1e-3)
    assert (recording.session.id, recording.session.day) == ("x", "2024-05-06")


def test_blackrock_files_of_one_stem(tmp_path):
    labels = ["elec1", "elec2", "ainp1"]
    samples = noise()
    write_blackrock_nsx(tmp_path / "x.ns5", [(0, samples)], labels=labels)
    write_blackrock_nsx(tmp_path / "x.ns2", [(0, noise(20))], rate_hz=1000)
    events = [(30, 0b101), (60, 0b001), (90, 0b000), (120, 0b100)]
    write_blackrock_nev(tmp_path / "x.nev", events)
    for path in (tmp_path, tmp_path / "x.nev", tmp_path / "x.ns2"):
        recording = read(path)
        assert list(recording) == ["ns2", "ns5", "ns5.ainp"]
    assert [s.rate_hz for s in recording.values()] == [1000.0, 30_000.0, 30_000.0]
    assert [s.channels.kind for s in recording.values()] == ["lfp", "ephys", "aux"]
    millivolts = samples[:, 2:] * np.float64(5000e3 / 32764)
    np.testing.assert_allclose(recording["ns5.ainp"].read(), millivolts, rtol=1e-4, atol=1.0)
    lines = {line.name: line for line in recording.lines}
    assert list(lines) == ["digital.0", "digital.2"]
    np.testing.assert_array_equal(lines["digital.0"].rising, [30])
    np.testing.assert_array_equal(lines["digital.0"].falling, [90])
    np.testing.assert_array_equal(lines["digital.2"].rising, [30, 120])
    np.testing.assert_array_equal(lines["digital.2"].falling, [60])


def test_blackrock_pauses_are_gaps(tmp_path):
    a, b = noise(100, seed=1), noise(60, seed=2)
    signal = read(write_blackrock_nsx(tmp_path / "x.ns6", [(0, a), (30_000, b)])).signal
    assert [(s.start, s.stop, s.t0_s) for s in signal.clock.segments] == [
        (0, 100, 0.0),
        (100, 160, 1.0),
    ]
    np.testing.assert_array_equal(signal.read_raw(100, 160), b)


def test_blackrock_comments_are_not_copied(tmp_path):
    write_blackrock_nsx(tmp_path / "x.ns5", [(0, noise())], comment="Mustermann")
    write_blackrock_nev(tmp_path / "x.nev", [(3, 1)], comment="Mustermann")
    recording = read(tmp_path)
    table = recording.signal.channels.to_json()
    assert "Mustermann" not in repr([vars(recording), recording.signal.metadata, table])


@pytest.mark.parametrize("cut", [3, 100, 320, 400, -1, -300])
def test_truncated_blackrock(tmp_path, cut):
    path = write_blackrock_nsx(tmp_path / "x.ns5", [(0, noise())])
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptSourceError):
        read(path).read()


@pytest.mark.parametrize("damage", ["cut", "magic", "packet", "short"])
def test_damaged_events(tmp_path, damage):
    write_blackrock_nsx(tmp_path / "x.ns5", [(0, noise())])
    path = write_blackrock_nev(tmp_path / "x.nev", [(3, 1), (9, 0)])
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[-5:]
    elif damage == "magic":
        data[:4] = b"NOPE"
    elif damage == "packet":
        struct.pack_into("<I", data, 16, 0)
    else:
        del data[10:]
    path.write_bytes(data)
    with pytest.raises(CorruptSourceError, match="NEV header"):
        read(path)


def test_events_without_signals(tmp_path):
    with pytest.raises(NisslError, match=r"\.nsX"):
        read(write_blackrock_nev(tmp_path / "x.nev", [(3, 1)]))


def test_two_recordings_in_one_folder(tmp_path):
    for name in ("a.ns5", "b.ns5"):
        write_blackrock_nsx(tmp_path / name, [(0, noise())])
    assert read(tmp_path / "a.ns5").session.id == "a"
    with pytest.raises(BadArgumentError, match=r"\['a', 'b'\]"):
        read(tmp_path)


def one_file_per_signal(folder, samples, digital):
    write_intan_rhd(folder / "info.rhd", np.zeros((0, 3), np.uint16), digital=digital[:0])
    samples.astype("<i2").tofile(folder / "amplifier.dat")
    np.arange(len(samples), dtype="<i4").tofile(folder / "time.dat")
    digital.astype("<u2").tofile(folder / "digitalin.dat")


def test_intan_with_a_file_per_signal(tmp_path):
    samples, digital = noise(300), np.zeros(300, np.uint16)
    digital[40:] = 2
    one_file_per_signal(tmp_path, samples, digital)
    for path in (tmp_path, tmp_path / "info.rhd"):
        recording = read(path)
        np.testing.assert_allclose(recording["amplifier"].read(), samples * 0.195, atol=1e-3)
        np.testing.assert_array_equal(recording.lines[1].rising, [40])
    before = read(tmp_path).fingerprint
    samples[5, 1] += 1
    samples.astype("<i2").tofile(tmp_path / "amplifier.dat")
    assert read(tmp_path).fingerprint != before


def test_a_truncated_signal_of_intan(tmp_path):
    one_file_per_signal(tmp_path, noise(300), np.zeros(300, np.uint16))
    path = tmp_path / "amplifier.dat"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CorruptSourceError, match="whole frames of 6 bytes"):
        read(tmp_path)
