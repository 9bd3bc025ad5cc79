"""NWB, Zarr and folders that SpikeInterface saved."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data.read import read
from nissl.data.readers.nwb import clock_of_stamps
from nissl.errors import BadMetadataError, CorruptSourceError, NisslError, UnknownFormatError
from nissl.testing.files import write_nwb

pytest.importorskip("spikeinterface")

GRID = np.c_[np.arange(4) % 2 * 16.0, np.arange(4) * 20.0]


def noise(n_samples=200, n_channels=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-900, 900, (n_samples, n_channels)).astype(np.int16)


# NWB


def test_nwb_series_of_scalp_electrodes_are_eeg(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = write_nwb(tmp_path / "x.nwb", noise(), rate_hz=250.0)
    with h5py.File(path, "a") as file:
        table = file["general/extracellular_ephys/electrodes"]
        names = table.create_dataset("channel_name", data=["Fp1", "C3", "EOG", "M1"])
        names.attrs.update(table["group_name"].attrs)
    channels = read(path)["ElectricalSeries"].channels
    assert channels.ids == ("Fp1", "C3", "EOG", "M1")
    assert channels.kind == "eeg"


def test_nwb_in_microvolts(tmp_path):
    samples = noise()
    path = write_nwb(tmp_path / "x.nwb", samples, offset_uv=7.0, start_s=3.0, position_um=GRID)
    signal = read(path)["ElectricalSeries"]
    np.testing.assert_allclose(signal.read(), samples * 0.5 + 7.0, atol=1e-3)
    np.testing.assert_array_equal(signal.read_raw(20, 30, [3, 1]), samples[20:30, [3, 1]])
    assert signal.clock.segments[0].t0_s == 3.0
    np.testing.assert_array_equal(signal.channels.position_um, GRID)
    assert signal.read_raw(5, 5).shape == (0, 4)


def test_nwb_gain_per_channel(tmp_path):
    gains = np.array([0.5, 0.25, 2.0, 1.0])
    path = write_nwb(tmp_path / "x.nwb", noise(), gain_uv=gains)
    np.testing.assert_allclose(read(path).signal.channels.gain_uv, gains)


def test_nwb_with_lfp_shanks_and_identity(tmp_path):
    path = write_nwb(
        tmp_path / "x.nwb",
        noise(),
        lf=noise(20, seed=1),
        shank=[0, 0, 1, 1],
        position_um=np.tile(GRID[:2], (2, 1)),
        subject={"subject_id": "m7", "species": "Mus musculus", "sex": "F", "age": "P90D"},
    )
    recording = read(path)
    assert [(k, s.channels.kind, s.rate_hz) for k, s in recording.items()] == [
        ("ElectricalSeries", "ephys", 20_000.0),
        ("lf", "lfp", 2000.0),
    ]
    table = recording["lf"].channels
    np.testing.assert_array_equal(table.shank, [0, 0, 1, 1])
    np.testing.assert_array_equal(table.position_um[:2], GRID[:2])
    np.testing.assert_array_equal(table.position_um[2:] - table.position_um[:2], [[266, 0]] * 2)
    subject = recording.subject
    assert (subject.id, subject.species, subject.sex) == ("m7", "Mus musculus", "F")
    assert (subject.age, subject.region) == ("P90D", "CA1")
    assert (recording.session.id, recording.session.day) == ("day-3", "2024-05-06")


def test_nwb_time_stamps_with_a_gap(tmp_path):
    times = np.arange(200) / 1000.0
    times[120:] += 5.0
    clock = read(write_nwb(tmp_path / "x.nwb", noise(), timestamps_s=times)).signal.clock
    assert [(s.start, s.stop) for s in clock.segments] == [(0, 120), (120, 200)]
    np.testing.assert_allclose(clock.to_seconds(np.arange(200)), times)


def test_nwb_time_stamps_out_of_order(tmp_path):
    times = np.arange(200) / 1000.0
    times[50] = times[49]
    with pytest.raises(BadMetadataError, match="increasing"):
        read(write_nwb(tmp_path / "x.nwb", noise(), timestamps_s=times))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(2, 30), min_size=1, max_size=6), st.integers(3, 25))
def test_stamps_in_blocks_give_the_same_clock(lengths, block):
    pieces, t_s = [], 0.0
    for length in lengths:
        pieces.append(t_s + np.arange(length) / 100.0)
        t_s = pieces[-1][-1] + 7.0
    times = np.concatenate(pieces)
    whole, blocked = Clock.from_times(times), clock_of_stamps(times, len(times), block=block)
    if min(lengths) > 8:  # where a gap is not the median step
        assert [(s.start, s.stop) for s in blocked.segments] == [
            (s.start, s.stop) for s in whole.segments
        ]
        np.testing.assert_allclose(blocked.to_seconds(np.arange(len(times))), times)


def test_disorder_between_blocks_is_seen():
    times = np.r_[np.arange(10), np.arange(9, 19)].astype(float)
    with pytest.raises(BadMetadataError, match="sample 10"):
        clock_of_stamps(times, 20, block=10)


@pytest.mark.parametrize("damage", ["cut", "half", "header"])
def test_damaged_nwb(tmp_path, damage):
    path = write_nwb(tmp_path / "x.nwb", noise())
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[-20:]
    elif damage == "half":
        del data[len(data) // 2 :]
    else:
        data[:16] = bytes(16)
    path.write_bytes(data)
    with pytest.raises(CorruptSourceError):
        read(path)


def test_nwb_without_raw_data(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.nwb", "w") as file:
        file.create_group("units")
    with pytest.raises(UnknownFormatError, match="ElectricalSeries"):
        read(tmp_path / "x.nwb")


def test_nwb_in_another_unit(tmp_path):
    import h5py

    path = write_nwb(tmp_path / "x.nwb", noise())
    with h5py.File(path, "r+") as file:
        file["acquisition/ElectricalSeries/data"].attrs["unit"] = "furlongs"
    with pytest.raises(BadMetadataError, match="furlongs"):
        read(path)


# SpikeInterface folders and Zarr


@pytest.fixture
def recording():
    from spikeinterface.core import generate_recording

    made = generate_recording(num_channels=4, durations=[0.1, 0.2], sampling_frequency=2000.0)
    made.set_channel_gains([0.5, 1.0, 2.0, 4.0])
    made.set_channel_offsets([0.0, 1.0, 2.0, 3.0])
    made.set_property("inter_sample_shift", np.arange(4) / 4)
    return made.select_channels(made.channel_ids[[2, 0, 3]])


@pytest.mark.parametrize("kind", ["binary", "zarr"])
def test_saved_recordings(tmp_path, recording, kind):
    folder = tmp_path / ("x.zarr" if kind == "zarr" else "x")
    recording.save(folder=folder, format=kind, progress_bar=False, verbose=False)
    signal = read(folder).signal
    assert read(folder).format == {"binary": "spikeinterface", "zarr": "zarr"}[kind]
    assert signal.channels.ids == tuple(str(i) for i in recording.channel_ids)
    for index, (a, b) in enumerate(signal.blocks(10_000)):
        expected = recording.get_traces(segment_index=index, return_in_uV=True)
        np.testing.assert_allclose(signal.read(a, b), expected, rtol=1e-5)
        some = recording.get_traces(segment_index=index, start_frame=5, end_frame=9)
        np.testing.assert_array_equal(signal.read_raw(a + 5, a + 9, [2]), some[:, 2:])
    np.testing.assert_array_equal(signal.channels.position_um, recording.get_channel_locations())
    np.testing.assert_allclose(signal.channels.phase, [0.5, 0.0, 0.75])


@pytest.mark.parametrize("kind", ["binary", "zarr"])
def test_saved_times(tmp_path, recording, kind):
    times = np.arange(200) / 2000.0 + 4.0
    times[150:] += 1.0
    recording.set_times(times, segment_index=0)
    recording.set_times(np.arange(400) / 2000.0 + 9.0, segment_index=1)
    folder = tmp_path / ("x.zarr" if kind == "zarr" else "x")
    recording.save(folder=folder, format=kind, progress_bar=False, verbose=False)
    clock = read(folder).signal.clock
    assert [(s.start, s.stop) for s in clock.segments] == [(0, 150), (150, 200), (200, 600)]
    np.testing.assert_allclose(clock.to_seconds([0, 150, 200]), [4.0, 5.075, 9.0])


def test_a_folders_properties_are_not_unpickled(tmp_path, recording):
    folder = tmp_path / "x"
    recording.save(folder=folder, progress_bar=False, verbose=False)
    np.save(folder / "properties" / "group.npy", np.array([{"a": 1}] * 3, dtype=object))
    with pytest.raises(NisslError):
        read(folder)


def test_a_truncated_folder(tmp_path, recording):
    folder = tmp_path / "x"
    recording.save(folder=folder, progress_bar=False, verbose=False)
    file = next(folder.glob("*.raw"))
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(CorruptSourceError, match="whole frames"):
        read(folder)


def test_plain_zarr(tmp_path):
    import zarr

    samples = noise()
    array = zarr.open(str(tmp_path / "x.zarr"), "w", shape=(4, 200), chunks=(4, 32), dtype="i2")
    array[:] = samples.T
    signal = read(tmp_path / "x.zarr", rate_hz=1e4, gain_uv=0.5).signal
    np.testing.assert_array_equal(signal.read(30, 70), samples[30:70].astype(np.float32) * 0.5)
    array.attrs["sampling_rate"] = 2e4
    assert read(tmp_path / "x.zarr").rate_hz == 2e4


def test_zarr_groups(tmp_path):
    import zarr

    group = zarr.open_group(str(tmp_path / "x.zarr"), "w")
    with pytest.raises(UnknownFormatError, match="an array of samples"):
        read(tmp_path / "x.zarr")
    group["traces"] = noise()
    group["other"] = np.arange(5)
    group.attrs["fs"] = 1e4
    assert read(tmp_path / "x.zarr").n_channels == 4
    group["data"] = noise()
    with pytest.raises(BadMetadataError, match="one array of samples"):
        read(tmp_path / "x.zarr")
    group.attrs[".specloc"] = "specifications"
    with pytest.raises(UnknownFormatError, match="NWB"):
        read(tmp_path / "x.zarr")


def test_zarr_codecs_that_unpickle_are_refused(tmp_path):
    import numcodecs
    import zarr

    zarr.array(noise(), store=str(tmp_path / "x.zarr"), filters=[numcodecs.Pickle()])
    with pytest.raises(BadMetadataError, match="pickle"):
        read(tmp_path / "x.zarr", rate_hz=1e4)


def test_damaged_zarr(tmp_path):
    import zarr

    zarr.array(noise(), store=str(tmp_path / "x.zarr"), chunks=(50, 4)).attrs["fs"] = 1e4
    signal = read(tmp_path / "x.zarr").signal
    (tmp_path / "x.zarr" / "1.0").write_bytes(b"garbage")
    with pytest.raises(CorruptSourceError):
        signal.read()
    np.testing.assert_array_equal(signal.read_raw(0, 50), noise()[:50])
    header = json.loads((tmp_path / "x.zarr" / ".zarray").read_text())
    (tmp_path / "x.zarr" / ".zarray").write_text(json.dumps({**header, "dtype": "nonsense"}))
    with pytest.raises(NisslError):
        read(tmp_path / "x.zarr")
    shutil.rmtree(tmp_path / "x.zarr")
    with pytest.raises(NisslError):
        read(tmp_path / "x.zarr")
