"""SpikeGLX: samples, gains, geometry, sync and NIDQ lines, triggers as segments, damage."""

import pickle

import numpy as np
import pytest

from nissl.data.read import read
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    BadProbeError,
    CorruptSourceError,
    NisslError,
)
from nissl.testing.files import write_nidq, write_spikeglx
from nissl.testing.files.spikeglx import gain_uv

pytest.importorskip("spikeinterface")


def noise(n_samples=300, n_channels=8, seed=0):
    return np.random.default_rng(seed).integers(-512, 512, (n_samples, n_channels)).astype(np.int16)


def square(n_samples, period):
    return (np.arange(n_samples) // period) % 2 == 1


@pytest.mark.parametrize("part_number", ["NP1000", "NP2013", "NP1100"])
def test_microvolts_and_names(tmp_path, part_number):
    samples = noise()
    path = write_spikeglx(tmp_path, samples, part_number=part_number)
    recording = read(path)
    assert recording.format == "spikeglx"
    signal = recording["ap"]
    assert signal.channels.ids == tuple(f"AP{i}" for i in range(8))
    expected = samples.astype(np.float32) * np.float32(gain_uv(part_number))
    np.testing.assert_array_equal(signal.read(), expected)
    np.testing.assert_array_equal(signal.read_raw(50, 60, ["AP7", "AP0"]), samples[50:60, [7, 0]])


@pytest.mark.parametrize("part_number", ["NP1000", "NP2013", "NP1100"])
def test_the_same_as_spikeinterface(tmp_path, part_number):
    from spikeinterface.extractors import read_spikeglx

    write_spikeglx(tmp_path, noise(n_channels=384), part_number=part_number)
    ours = read(tmp_path).signal
    theirs = read_spikeglx(tmp_path, stream_id="imec0.ap")
    np.testing.assert_allclose(ours.channels.gain_uv, theirs.get_channel_gains())
    np.testing.assert_array_equal(ours.channels.position_um, theirs.get_channel_locations())
    np.testing.assert_allclose(ours.channels.phase, theirs.get_property("inter_sample_shift"))
    groups = theirs.get_property("group")
    assert len(set(zip(groups, ours.channels.shank, strict=True))) == len(set(groups))
    np.testing.assert_array_equal(ours.read_raw(), theirs.get_traces())


def test_neuropixels_1(tmp_path):
    table = read(write_spikeglx(tmp_path, noise(n_channels=384))).signal.channels
    x, y = table.position_um.T
    np.testing.assert_array_equal(np.unique(y), np.arange(192) * 20.0)
    assert len(np.unique(x)) == 4  # staggered
    assert set(table.shank) == {0}
    # 32 converters of 12 channels each, 13 places; neighbours of a pair are sampled together
    np.testing.assert_allclose(np.unique(table.phase), np.arange(12) / 13)
    assert table.phase[0] == table.phase[1] == 0


def test_neuropixels_2_with_four_shanks(tmp_path):
    samples = noise(n_channels=384)
    table = read(write_spikeglx(tmp_path, samples, part_number="NP2013")).signal.channels
    np.testing.assert_array_equal(table.shank, np.repeat([0, 1, 2, 3], 96))
    left = [table.position_um[table.shank == s, 0].min() for s in range(4)]
    np.testing.assert_array_equal(np.diff(left), [250.0] * 3)
    np.testing.assert_allclose(np.unique(table.phase), np.arange(16) / 16)


def test_neuropixels_ultra(tmp_path):
    samples = noise(n_channels=384)
    table = read(write_spikeglx(tmp_path, samples, part_number="NP1100")).signal.channels
    assert len(np.unique(table.position_um[:, 0])) == 8
    np.testing.assert_array_equal(np.diff(np.unique(table.position_um[:, 1])), [6.0] * 47)
    assert table.phase.max() < 1


def test_a_saved_subset_keeps_its_own_contacts(tmp_path):
    whole = read(write_spikeglx(tmp_path / "a", noise(n_channels=384))).signal.channels
    names = "".join(f"(AP{c};{c}:{i})" for i, c in enumerate((5, 6, 100)))
    meta = {"snsSaveChanSubset": "5:6,100,768", "~snsChanMap": f"(3,3,1){names}(SY0;768:3)"}
    some = read(write_spikeglx(tmp_path / "b", noise(n_channels=3), **meta)).signal.channels
    assert some.ids == ("AP5", "AP6", "AP100")
    np.testing.assert_array_equal(some.position_um, whole.position_um[[5, 6, 100]])
    np.testing.assert_array_equal(some.phase, whole.phase[[5, 6, 100]])


def test_sync_becomes_a_line_that_is_found_when_asked(tmp_path):
    recording = read(write_spikeglx(tmp_path, noise(300), sync=square(300, 70)))
    (line,) = recording.lines
    assert line.name == "sync"
    assert line.bytes_to_read == 300 * 9 * 2
    again = pickle.loads(pickle.dumps(line))
    np.testing.assert_array_equal(line.rising, [70, 210])
    np.testing.assert_array_equal(line.falling, [140, 280])
    np.testing.assert_array_equal(again.rising, [70, 210])
    np.testing.assert_allclose(line.rising_s, np.array([70, 210]) / 30_000)
    assert line.bytes_to_read == 0
    assert not line.rising.flags.writeable
    with pytest.raises(AttributeError):
        line.height  # noqa: B018


def test_a_run_of_several_devices(tmp_path):
    n = 240
    for probe in (0, 1):
        folder = tmp_path / f"run_g0_imec{probe}"
        ap, lf = noise(n, seed=probe), noise(n // 12, seed=probe + 5)
        write_spikeglx(folder, ap, stream=f"imec{probe}.ap", sync=square(n, 50))
        write_spikeglx(folder, lf, stream=f"imec{probe}.lf", rate_hz=2500.0)
    digital = square(200, 20) * 1 + square(200, 30) * 8
    write_nidq(tmp_path, noise(200, 2, seed=9), digital=digital)
    recording = read(tmp_path)
    assert list(recording) == ["imec0.ap", "imec0.lf", "imec1.ap", "imec1.lf", "nidq"]
    assert [s.rate_hz for s in recording.values()] == [30e3, 2500.0, 30e3, 2500.0, 25e3]
    assert [s.channels.kind for s in recording.values()] == ["ephys", "lfp"] * 2 + ["aux"]
    names = [line.name for line in recording.lines]
    assert names == ["imec0.sync", "imec1.sync", *(f"nidq.XD{i}" for i in range(8))]
    lines = {line.name: line for line in recording.lines}
    np.testing.assert_array_equal(lines["nidq.XD3"].rising, [30, 90, 150])
    np.testing.assert_array_equal(lines["nidq.XD0"].falling, [40, 80, 120, 160])
    assert lines["nidq.XD1"].rising.size == 0
    np.testing.assert_array_equal(lines["imec1.sync"].rising, [50, 150])
    volts = noise(200, 2, seed=9).astype(np.float32) * np.float32(5 / 32768 * 1e6)
    np.testing.assert_allclose(recording["nidq"].read(), volts, rtol=1e-6)
    np.testing.assert_array_equal(
        recording["imec0.lf"].channels.position_um, recording["imec0.ap"].channels.position_um
    )
    assert recording["imec0.lf"].channels.gain_uv[0] == pytest.approx(gain_uv(kind="lf"))
    assert (recording.session.id, recording.session.day) == ("run", "2024-05-06")


def test_digital_words_alone(tmp_path):
    recording = read(write_nidq(tmp_path, noise(50, 0), digital=square(50, 10)))
    assert recording.signal.channels.kind == "digital"
    np.testing.assert_array_equal(recording.lines[0].rising, [10, 30])


def test_onebox_inputs(tmp_path):
    samples = noise(50, 3)
    samples[:, 2] = square(50, 10) * 64
    names = "(XA0;0:0)(XA1;1:1)(SY0;2:2)"
    meta = {
        "typeThis": "obx",
        "obSampRate": 30_300.0,
        "obAiRangeMax": 5,
        "obMaxInt": 32_768,
        "snsXaDwSy": "2,0,1",
        "~snsChanMap": f"(0,0,1,3){names}",
    }
    made = write_nidq(tmp_path, samples, **meta)
    for suffix in (".bin", ".meta"):
        made.with_suffix(suffix).rename(tmp_path / f"run_g0_t0.obx0.obx{suffix}")
    recording = read(tmp_path)
    signal = recording["obx0"]
    assert (signal.channels.kind, signal.rate_hz) == ("aux", 30_300.0)
    np.testing.assert_allclose(signal.read(), samples[:, :2] * (5e6 / 32_768), rtol=1e-5)
    assert [line.name for line in recording.lines] == ["obx0.sync"]
    np.testing.assert_array_equal(recording.lines[0].rising, [10, 30])


def test_triggers_become_segments(tmp_path):
    a, b = noise(100, seed=1), noise(80, seed=2)
    write_spikeglx(tmp_path, b, run="run_g0_t1", firstSample=400, sync=np.ones(80))
    write_spikeglx(tmp_path, a, run="run_g0_t0", firstSample=50, sync=square(100, 30))
    recording = read(tmp_path)
    signal = recording["ap"]
    assert [(s.start, s.stop) for s in signal.clock.segments] == [(0, 100), (100, 180)]
    assert [s.t0_s for s in signal.clock.segments] == [50 / 30_000, 400 / 30_000]
    np.testing.assert_array_equal(signal.read_raw(100, 180), b)
    np.testing.assert_array_equal(recording.lines[0].rising, [30, 90])  # none at the gap


def test_overlapping_triggers_are_refused(tmp_path):
    write_spikeglx(tmp_path, noise(100), run="run_g0_t0", firstSample=50)
    write_spikeglx(tmp_path, noise(100), run="run_g0_t1", firstSample=60)
    with pytest.raises(BadMetadataError, match="Times must increase"):
        read(tmp_path)


def test_two_runs_are_told_apart(tmp_path):
    for run in ("a_g0_t0", "b_g0_t0"):
        write_spikeglx(tmp_path, noise(20), run=run)
    with pytest.raises(BadArgumentError, match=r"\['a', 'b'\]"):
        read(tmp_path)


def test_what_a_person_wrote_is_not_copied(tmp_path):
    path = write_spikeglx(
        tmp_path, noise(), userNotes="patient Erika Mustermann", fileName="C:/Mustermann/x.bin"
    )
    recording = read(path)
    everything = repr(
        [vars(recording), recording["ap"].metadata, recording["ap"].channels.to_json()]
    )
    assert "Mustermann" not in everything


# Damage


def test_truncated(tmp_path):
    path = write_spikeglx(tmp_path, noise())
    path.write_bytes(path.read_bytes()[:-18])
    with pytest.raises(CorruptSourceError, match=r"5400 bytes .* got 5382"):
        read(path)


def test_wrong_channel_count(tmp_path):
    path = write_spikeglx(tmp_path, noise(), nSavedChans=11)
    with pytest.raises(NisslError):
        read(path)


def test_empty(tmp_path):
    with pytest.raises(CorruptSourceError, match="empty"):
        read(write_spikeglx(tmp_path, noise(0)))


@pytest.mark.parametrize("rate_hz", [0, -30_000.0, "nan", "fast"])
def test_impossible_rates(tmp_path, rate_hz):
    with pytest.raises(NisslError):
        read(write_spikeglx(tmp_path, noise(), imSampRate=rate_hz))


def test_meta_missing_or_garbage(tmp_path):
    path = write_spikeglx(tmp_path, noise())
    header = path.with_suffix(".meta")
    header.write_bytes(b"\x00\xff garbage")
    with pytest.raises(BadMetadataError, match="snsChanMap"):
        read(path)
    header.unlink()
    with pytest.raises(CorruptSourceError, match=r"\.meta beside"):
        read(path)


def test_lf_alone_needs_the_other_header(tmp_path):
    with pytest.raises(CorruptSourceError, match=r"imec0\.ap\.meta"):
        read(write_spikeglx(tmp_path, noise(), stream="imec0.lf"))


def test_a_probe_that_does_not_fit(tmp_path):
    path = write_spikeglx(tmp_path, noise(n_channels=8), snsSaveChanSubset="0:4,768")
    with pytest.raises(BadProbeError, match="8 contacts"):
        read(path)


def test_the_header_is_not_overruled(tmp_path):
    with pytest.raises(BadArgumentError, match="whose files state it"):
        read(write_spikeglx(tmp_path, noise()), rate_hz=20_000.0)
