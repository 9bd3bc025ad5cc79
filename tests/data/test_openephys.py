"""Open Ephys: samples, inputs, gaps by sample numbers, recordings as segments, TTL lines."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.data.read import read
from nissl.data.readers.openephys import gaps
from nissl.errors import BadArgumentError, BadMetadataError, CorruptSourceError, NisslError
from nissl.testing.files import write_openephys


def noise(n_samples=300, n_channels=4, seed=0):
    return np.random.default_rng(seed).integers(-900, 900, (n_samples, n_channels)).astype(np.int16)


def test_microvolts(tmp_path):
    samples = noise()
    recording = read(write_openephys(tmp_path, samples))
    assert recording.format == "openephys"
    assert list(recording) == ["example_data"]
    np.testing.assert_array_equal(recording.read(), samples.astype(np.float32) * np.float32(0.195))
    assert recording.signal.channels.ids == ("CH1", "CH2", "CH3", "CH4")
    assert recording.session.day == "2024-05-06"


def test_every_folder_of_it_can_be_given(tmp_path):
    write_openephys(tmp_path, noise())
    below = tmp_path / "Record Node 101"
    inner = below / "experiment1" / "recording1"
    for path in (tmp_path, below, below / "experiment1", inner, inner / "structure.oebin"):
        assert read(path).n_samples == 300


def test_analogue_inputs_are_a_stream_of_their_own(tmp_path):
    samples = noise()
    names = ["CH1", "CH2", "CH3", "ADC1"]
    recording = read(write_openephys(tmp_path, samples, names=names))
    assert list(recording) == ["example_data", "example_data.aux"]
    aux = recording["example_data.aux"]
    assert aux.channels.kind == "aux"
    expected = samples[:, 3:].astype(np.float32) * np.float32(0.195e6)
    np.testing.assert_allclose(aux.read(), expected, rtol=1e-6)
    np.testing.assert_array_equal(recording["example_data"].read_raw(), samples[:, :3])


def test_dropped_samples_are_gaps_and_lines_follow_the_clock(tmp_path):
    numbers = np.arange(1000, 1300)
    numbers[100:] += 50
    numbers[250:] += 7
    ttl = {0: ([1010, 1160], [1090, 1170]), 4: ([1350], [])}
    recording = read(write_openephys(tmp_path, noise(), numbers=numbers, ttl=ttl))
    clock = recording.signal.clock
    assert [(s.start, s.stop) for s in clock.segments] == [(0, 100), (100, 250), (250, 300)]
    np.testing.assert_allclose(clock.to_seconds([0, 100, 250]) * 30_000, [1000, 1150, 1307])
    first, fifth = recording.lines
    assert (first.name, fifth.name) == ("example_data.TTL1", "example_data.TTL5")
    np.testing.assert_array_equal(first.rising, [10, 110])
    np.testing.assert_array_equal(first.falling, [90, 120])
    np.testing.assert_array_equal(numbers[fifth.rising], [1350])


def test_recordings_of_an_experiment_are_segments(tmp_path):
    a, b = noise(100, seed=1), noise(50, seed=2)
    write_openephys(tmp_path, a, ttl={0: ([5], [9])})
    write_openephys(tmp_path, b, numbers=np.arange(500, 550), recording=2, ttl={0: ([520], [])})
    recording = read(tmp_path)
    np.testing.assert_array_equal(recording.read_raw(100, 150), b)
    assert recording.clock.segments[1].t0_s == 500 / 30_000
    np.testing.assert_array_equal(recording.lines[0].rising, [5, 120])


def test_ten_recordings_come_in_their_order(tmp_path):
    for index in range(1, 12):
        samples = np.full((5, 1), index, np.int16)
        numbers = np.arange(5) + 10 * index
        write_openephys(tmp_path, samples, numbers=numbers, recording=index)
    signal = read(tmp_path).signal
    assert [int(signal.read_raw(a, b)[0, 0]) for a, b in signal.blocks(5)] == list(range(1, 12))


def test_two_nodes_and_two_experiments(tmp_path):
    write_openephys(tmp_path, noise())
    write_openephys(tmp_path, noise(), node=105)
    assert list(read(tmp_path)) == ["101:example_data", "105:example_data"]
    write_openephys(tmp_path, noise(), experiment=2)
    with pytest.raises(BadArgumentError, match="one experiment"):
        read(tmp_path)


def test_names_before_version_06(tmp_path):
    write_openephys(tmp_path, noise(), ttl={2: ([30], [40])})
    for folder in tmp_path.rglob("*"):
        if (folder / "sample_numbers.npy").is_file():
            (folder / "sample_numbers.npy").rename(folder / "timestamps.npy")
        if (folder / "states.npy").is_file():
            (folder / "states.npy").rename(folder / "channel_states.npy")
    (header,) = tmp_path.rglob("structure.oebin")
    value = json.loads(header.read_text())
    for entry in (*value["continuous"], *value["events"]):
        del entry["stream_name"]
        for channel in entry.get("channels", []):
            del channel["units"]
    header.write_text(json.dumps(value))
    recording = read(tmp_path)
    assert list(recording) == ["Source-100.example_data"]
    np.testing.assert_allclose(recording.read(), noise() * 0.195, rtol=1e-5)
    assert recording.lines[0].name == "Source-100.example_data.TTL3"
    np.testing.assert_array_equal(recording.lines[0].rising, [30])


def test_events_of_a_stream_that_was_not_recorded(tmp_path):
    write_openephys(tmp_path, noise(), ttl={0: ([30], [])})
    (header,) = tmp_path.rglob("structure.oebin")
    value = json.loads(header.read_text())
    value["events"][0]["stream_name"] = "another"
    header.write_text(json.dumps(value))
    assert read(tmp_path).lines[0].name == "example_data.TTL1"  # on the clock of the same rate
    value["events"][0]["sample_rate"] = 12.0
    header.write_text(json.dumps(value))
    with pytest.raises(BadMetadataError, match="clock of the events"):
        read(tmp_path)


def test_damaged_events(tmp_path):
    write_openephys(tmp_path, noise(), ttl={0: ([30], [50])})
    (states,) = tmp_path.rglob("states.npy")
    np.save(states, np.array([1], np.int16))
    with pytest.raises(CorruptSourceError, match="2 states"):
        read(tmp_path)


def test_the_same_as_spikeinterface(tmp_path):
    pytest.importorskip("spikeinterface")
    from spikeinterface.extractors import read_openephys

    write_openephys(tmp_path, noise())
    theirs = read_openephys(tmp_path)
    ours = read(tmp_path).signal
    np.testing.assert_allclose(ours.read(), theirs.get_traces(return_in_uV=True), rtol=1e-6)


@pytest.mark.parametrize("part_number", ["NP1000", "NP2013"])
def test_neuropixels_geometry(tmp_path, part_number):
    pytest.importorskip("spikeinterface")
    from spikeinterface.extractors import read_openephys

    names = [f"AP{i}" for i in range(384)]
    options = {"stream": "ProbeA-AP", "part_number": part_number, "names": names}
    write_openephys(tmp_path, noise(n_channels=384), **options)
    ours = read(tmp_path)["ProbeA-AP"].channels
    theirs = read_openephys(tmp_path)
    np.testing.assert_array_equal(ours.position_um, theirs.get_channel_locations())
    shifts = theirs.get_property("inter_sample_shift")
    assert (shifts is None) == (not np.any(ours.phase))
    if shifts is not None:
        np.testing.assert_allclose(ours.phase, shifts)


def test_the_computers_name_is_not_copied(tmp_path):
    recording = read(write_openephys(tmp_path, noise(), machine="Mustermann-PC"))
    assert "Mustermann" not in repr([vars(recording), vars(recording.signal)])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.data())
def test_gaps_finds_every_cut(lengths, data):
    jumps = data.draw(st.lists(st.integers(2, 1000), min_size=len(lengths), max_size=len(lengths)))
    runs, number = [], 0
    for length, jump in zip(lengths, jumps, strict=True):
        number += jump - 1
        runs.append(np.arange(number, number + length))
        number += length
    expected = np.cumsum(lengths)[:-1].tolist()
    assert gaps(np.concatenate(runs)) == expected


@given(st.lists(st.integers(0, 30), min_size=2, max_size=20))
def test_gaps_never_accepts_disorder(numbers):
    array = np.array(numbers)
    try:
        cuts = [0, *gaps(array), len(array)]
    except BadMetadataError:
        assert np.any(np.diff(array) <= 0)
    else:
        for a, b in itertools.pairwise(cuts):
            assert np.all(np.diff(array[a:b]) == 1)


def test_times_that_do_not_increase(tmp_path):
    numbers = np.arange(300)
    numbers[150:] -= 100
    with pytest.raises(BadMetadataError, match="increase"):
        read(write_openephys(tmp_path, noise(), numbers=numbers))


def test_truncated(tmp_path):
    write_openephys(tmp_path, noise())
    (path,) = tmp_path.rglob("continuous.dat")
    data = path.read_bytes()
    path.write_bytes(data[:-8])
    with pytest.raises(CorruptSourceError, match="300 frames"):
        read(tmp_path)
    path.write_bytes(data[:-3])
    with pytest.raises(CorruptSourceError, match="whole frames"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(CorruptSourceError, match="no such file"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"continuous": 3}', '{"continuous": [{}]}'])
def test_garbage_header(tmp_path, text):
    write_openephys(tmp_path, noise())
    (path,) = tmp_path.rglob("structure.oebin")
    path.write_text(text)
    with pytest.raises(NisslError):
        read(tmp_path)


@pytest.mark.parametrize("rate_hz", [0, -5, None, "x"])
def test_impossible_rates(tmp_path, rate_hz):
    write_openephys(tmp_path, noise())
    (path,) = tmp_path.rglob("structure.oebin")
    value = json.loads(path.read_text())
    value["continuous"][0]["sample_rate"] = rate_hz
    path.write_text(json.dumps(value))
    with pytest.raises(NisslError):
        read(tmp_path)
