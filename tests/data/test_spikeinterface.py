"""Signal <-> SpikeInterface: nothing is lost, nothing is read early, processes can use it."""

import json
import pickle
import warnings

import numpy as np
import pytest

from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.files import FilePart, FramesReader
from nissl.data.read import read
from nissl.data.spikeinterface import (
    from_spikeinterface,
    signal_from_json,
    signal_to_json,
    to_spikeinterface,
)
from nissl.errors import CorruptSourceError

pytest.importorskip("spikeinterface")

RATE_HZ = 30_000.0


def make_table(n, **changes):
    values = {
        "gain_uv": np.linspace(0.5, 2.0, n),
        "offset_uv": np.linspace(-3.0, 3.0, n),
        "position_um": np.c_[np.arange(n) * 10.0, np.arange(n) * 20.0],
        "shank": np.arange(n) // 2,
        "phase": np.arange(n) / 13.0,
    }
    return ChannelTable.plain([f"AP{i}" for i in range(n)], **{**values, **changes})


@pytest.fixture
def on_disk(tmp_path):
    samples = np.random.default_rng(1).integers(-500, 500, (900, 4)).astype("<i2")
    path = tmp_path / "x.bin"
    samples.tofile(path)
    reader = FramesReader((FilePart(str(path), 0, 900),), "<i2", 4)
    clock = Clock.from_segments(RATE_HZ, [500, 400], [1.0, 7.0])
    return Signal("ap", reader, make_table(4), clock), samples


@pytest.fixture
def in_memory(on_disk):
    signal, samples = on_disk
    return Signal.from_array(
        samples, RATE_HZ, name="ap", channels=signal.channels, clock=signal.clock
    )


def check_recording(recording, samples):
    assert recording.get_num_segments() == 2
    np.testing.assert_array_equal(recording.get_traces(segment_index=0), samples[:500])
    np.testing.assert_array_equal(
        recording.get_traces(segment_index=1, start_frame=10, end_frame=20, channel_ids=["AP3"]),
        samples[510:520, 3:],
    )
    assert list(recording.channel_ids) == ["AP0", "AP1", "AP2", "AP3"]
    np.testing.assert_array_equal(recording.get_channel_gains(), np.linspace(0.5, 2.0, 4))
    np.testing.assert_array_equal(recording.get_channel_offsets(), np.linspace(-3.0, 3.0, 4))
    np.testing.assert_allclose(
        recording.get_channel_locations(), np.c_[np.arange(4) * 10.0, np.arange(4) * 20.0]
    )
    np.testing.assert_array_equal(recording.get_property("group"), [0, 0, 1, 1])
    np.testing.assert_allclose(recording.get_property("inter_sample_shift"), np.arange(4) / 13.0)
    assert recording.get_start_time(segment_index=1) == 7.0


def test_everything_of_a_file_signal_arrives(on_disk):
    signal, samples = on_disk
    check_recording(to_spikeinterface(signal), samples)


def test_everything_of_a_memory_signal_arrives(in_memory, on_disk):
    check_recording(to_spikeinterface(in_memory), on_disk[1])


def test_pickle_and_json_round_trips(on_disk, in_memory, tmp_path):
    from spikeinterface.core import load

    signal, samples = on_disk
    recording = to_spikeinterface(signal)
    assert recording.check_serializability("json")
    recording.dump(tmp_path / "recording.json")
    check_recording(load(tmp_path / "recording.json"), samples)
    check_recording(pickle.loads(pickle.dumps(recording)), samples)
    held = to_spikeinterface(in_memory)
    assert not held.check_serializability("json")
    check_recording(pickle.loads(pickle.dumps(held)), samples)


def test_microvolts_agree(on_disk):
    signal, _ = on_disk
    recording = to_spikeinterface(signal)
    np.testing.assert_allclose(
        recording.get_traces(segment_index=1, return_in_uV=True), signal.read(500, 900), rtol=1e-6
    )


def test_nothing_is_read_early(on_disk):
    signal, _ = on_disk
    path = signal.reader.parts[0].path
    with open(path, "r+b") as file:
        file.truncate(0)
    recording = to_spikeinterface(signal)
    with pytest.raises(CorruptSourceError, match="bytes before its end"):
        recording.get_traces(segment_index=0, start_frame=0, end_frame=5)


def test_worker_processes_can_read_it(on_disk, tmp_path):
    signal, samples = on_disk
    saved = to_spikeinterface(signal).save(
        folder=tmp_path / "copy", n_jobs=2, chunk_size=100, progress_bar=False, verbose=False
    )
    np.testing.assert_array_equal(saved.get_traces(segment_index=1), samples[500:])


def test_there_and_back_is_the_identity(on_disk):
    signal, _ = on_disk
    back = from_spikeinterface(to_spikeinterface(signal), "ap")
    assert back.clock == signal.clock
    assert back.channels.to_json() == signal.channels.to_json()
    np.testing.assert_array_equal(back.read(500, 900), signal.read(500, 900))
    again = pickle.loads(pickle.dumps(back))
    np.testing.assert_array_equal(again.read_raw(0, 500, ["AP2"]), signal.read_raw(0, 500, [2]))


def test_signal_as_json(on_disk, in_memory):
    signal, samples = on_disk
    some = signal.take([3, 1])
    again = signal_from_json(json.loads(json.dumps(signal_to_json(some))))
    np.testing.assert_array_equal(again.read_raw(0, 500), samples[:500, [3, 1]])
    assert again.channels.to_json() == some.channels.to_json()
    assert signal_to_json(in_memory) is None
    wrapped = from_spikeinterface(to_spikeinterface(signal), "ap")
    again = signal_from_json(json.loads(json.dumps(signal_to_json(wrapped))))
    np.testing.assert_array_equal(again.read_raw(0, 500), samples[:500])


def test_recordings_without_gain_or_probe():
    from spikeinterface.core import NumpyRecording

    samples = np.zeros((100, 2), np.int16)
    recording = NumpyRecording([samples, samples], 1000.0, t_starts=[0.0, 5.0])
    signal = from_spikeinterface(recording, "lf", kind="lfp")
    assert signal.metadata == {"gain_assumed": True}
    assert not signal.channels.has_geometry
    assert signal.channels.kind == "lfp"
    assert [s.t0_s for s in signal.clock.segments] == [0.0, 5.0]


def test_gaps_of_a_time_vector_become_segments():
    from spikeinterface.core import NumpyRecording

    recording = NumpyRecording([np.arange(100, dtype=np.float32)[:, None]], 100.0)
    times = np.arange(100) / 100.0
    times[40:] += 3.0
    recording.set_times(times)
    signal = from_spikeinterface(recording)
    assert [(s.start, s.stop) for s in signal.clock.segments] == [(0, 40), (40, 100)]
    np.testing.assert_array_equal(signal.read(40, 42)[:, 0], [40, 41])


def test_a_failing_recording_raises_our_error():
    from spikeinterface.core import NumpyRecording

    signal = from_spikeinterface(NumpyRecording([np.zeros((10, 1), np.float32)], 100.0))
    object.__setattr__(signal.reader.recording.segments[0], "_traces", None)
    with pytest.raises(CorruptSourceError, match=r"samples \[0, 10\)"):
        signal.read()


@pytest.mark.parametrize("minimal", [False, True])
def test_a_probe_file_comes_along(on_disk, tmp_path, minimal):
    from probeinterface import generate_linear_probe, write_probeinterface

    probe = generate_linear_probe(4, ypitch=15.0, contact_shape_params={"radius": 3.0})
    probe.set_device_channel_indices([3, 1, 0, 2])
    write_probeinterface(tmp_path / "probe.json", probe)
    if minimal:
        value = json.loads((tmp_path / "probe.json").read_text())["probes"][0]
        kept = {k: value[k] for k in ("contact_positions", "device_channel_indices")}
        (tmp_path / "probe.json").write_text(json.dumps(kept))
    path = on_disk[0].reader.parts[0].path
    options = {"rate_hz": RATE_HZ, "n_channels": 4, "gain_uv": 1.0}
    signal = read(path, probe=tmp_path / "probe.json", **options).signal
    recording = to_spikeinterface(signal)
    y = recording.get_channel_locations()[:, 1]
    np.testing.assert_array_equal(y, [30.0, 15.0, 45.0, 0.0])
    np.testing.assert_array_equal(y, signal.channels.position_um[:, 1])
    radius = recording.get_probe().contact_shape_params[0]["radius"]
    assert radius == (6.0 if minimal else 3.0)
    some = to_spikeinterface(signal.take([2, 0]))
    np.testing.assert_array_equal(some.get_channel_locations()[:, 1], [45.0, 30.0])


def test_memory_signals_reach_worker_processes(in_memory, on_disk, tmp_path):
    with warnings.catch_warnings():  # it cannot say where samples in memory are from
        warnings.simplefilter("ignore")
        saved = to_spikeinterface(in_memory).save(
            folder=tmp_path / "copy", n_jobs=2, chunk_size=100, progress_bar=False, verbose=False
        )
    np.testing.assert_array_equal(saved.get_traces(segment_index=0), on_disk[1][:500])
