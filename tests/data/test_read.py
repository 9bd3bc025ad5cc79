"""read(): raw binary and NumPy arrays, options, and every kind of bad input."""

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.data.read import matching_reader, read
from nissl.errors import (
    BadArgumentError,
    BadMetadataError,
    BadProbeError,
    CorruptSourceError,
    NisslError,
    SourceNotFoundError,
    UnknownFormatError,
)

RAW = {"rate_hz": 20_000.0, "n_channels": 4, "gain_uv": 0.25}


@pytest.fixture
def samples():
    return np.random.default_rng(0).integers(-2000, 2000, (600, 4)).astype("<i2")


@pytest.fixture
def raw(tmp_path, samples):
    path = tmp_path / "night.bin"
    samples.tofile(path)
    return path


def probe_file(folder, n=4, **changes):
    contacts = {
        "ndim": 2,
        "si_units": "um",
        "contact_positions": [[0.0, 20.0 * i] for i in range(n)],
        "shank_ids": ["0", "0", "1", "1"][:n] if n <= 4 else None,
        "device_channel_indices": list(range(n))[::-1],
    }
    value = {"specification": "probeinterface", "probes": [{**contacts, **changes}]}
    path = folder / "probe.json"
    path.write_text(json.dumps(value))
    return path


def test_raw_binary_in_microvolts(raw, samples):
    recording = read(raw, **RAW)
    assert recording.format == "raw"
    assert list(recording) == ["raw"]
    np.testing.assert_array_equal(recording.read(), samples.astype(np.float32) * 0.25)
    np.testing.assert_array_equal(recording.read_raw(10, 20, [3, 0]), samples[10:20, [3, 0]])
    assert recording.rate_hz == 20_000.0
    assert recording.subject.id == "unknown"


def test_the_options_open_it_again(raw, tmp_path):
    probe = probe_file(tmp_path)
    first = read(raw, **RAW, probe=probe, subject="m1", session="day3")
    again = read(raw, **first.options)
    assert (again.subject.id, again.session.id) == ("m1", "day3")
    assert again.fingerprint == first.fingerprint
    assert json.loads(json.dumps(first.options)) == first.options


def test_probe_wiring_orders_the_contacts(raw, tmp_path):
    table = read(raw, **RAW, probe=probe_file(tmp_path)).signal.channels
    np.testing.assert_array_equal(table.position_um[:, 1], [60.0, 40.0, 20.0, 0.0])
    np.testing.assert_array_equal(table.shank, [1, 1, 0, 0])
    assert table.probe["si_units"] == "um"


def test_channel_count_from_the_probe(raw, tmp_path):
    recording = read(raw, rate_hz=1000.0, gain_uv=1.0, probe=probe_file(tmp_path, si_units="mm"))
    assert recording.signal.n_channels == 4
    assert recording.signal.channels.position_um[0, 1] == 60_000.0


def test_two_probes_are_laid_side_by_side(raw, tmp_path):
    path = probe_file(tmp_path, n=2, device_channel_indices=[0, 1])
    value = json.loads(path.read_text())
    value["probes"].append({**value["probes"][0], "device_channel_indices": [2, 3]})
    path.write_text(json.dumps(value))
    table = read(raw, **RAW, probe=path).signal.channels
    np.testing.assert_array_equal(table.position_um[:, 0], [0.0, 0.0, 250.0, 250.0])
    np.testing.assert_array_equal(table.shank, [0, 0, 1, 1])


def test_sidecar_says_what_the_file_does_not(raw, samples, tmp_path):
    probe_file(tmp_path)
    facts = {**RAW, "dtype": "int16", "channel_ids": list("abcd"), "probe": "probe.json"}
    (tmp_path / "night.bin.json").write_text(json.dumps({**facts, "offset_uv": 5.0}))
    signal = read(raw).signal
    assert signal.channels.ids == ("a", "b", "c", "d")
    assert signal.channels.has_geometry
    np.testing.assert_array_equal(signal.read(0, 5), samples[:5].astype(np.float32) * 0.25 + 5)
    with pytest.raises(BadMetadataError, match=r"rate_hz = 20000.0"):
        read(raw, rate_hz=30_000.0)


def test_header_bytes_are_skipped(tmp_path, samples):
    path = tmp_path / "x.dat"
    path.write_bytes(b"HEADER!!" + samples.tobytes())
    (tmp_path / "x.json").write_text(json.dumps({**RAW, "header_bytes": 8}))
    np.testing.assert_array_equal(read(path).read_raw(), samples)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("transposed", [False, True])
def test_npy_in_every_layout(tmp_path, samples, order, transposed):
    path = tmp_path / "x.npy"
    stored = samples.T if transposed else samples
    np.save(path, np.asarray(stored, order=order))
    signal = read(path, rate_hz=1000.0, gain_uv=0.5).signal
    np.testing.assert_array_equal(signal.read(7, 90), samples[7:90].astype(np.float32) * 0.5)
    np.testing.assert_array_equal(signal.read_raw(7, 90, [2, 1]), samples[7:90, [2, 1]])
    assert not signal.metadata


def test_npy_of_one_channel_is_taken_as_microvolts_and_says_so(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.linspace(-1, 1, 50, dtype=np.float32))
    signal = read(path, rate_hz=1000.0).signal
    assert signal.n_channels == 1
    assert signal.metadata == {"gain_assumed": True}
    np.testing.assert_array_equal(signal.read(48)[:, 0], np.linspace(-1, 1, 50, dtype="f4")[48:])


@pytest.mark.parametrize(
    ("facts", "rate_hz"),
    [
        ({"fs": 24_000.0}, 24_000.0),
        ({"Sampling_Rate": np.array([30_000])}, 30_000.0),
        ({"fs_khz": 24.0}, 24_000.0),
        ({"rate_hz": 50.0}, 50.0),
        ({"fs": 24_000.0, "rate_khz": 24.0}, 24_000.0),
    ],
)
def test_npz_rates_with_their_units(tmp_path, samples, facts, rate_hz):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, data=samples.T, other=np.arange(3), gain_uv=0.5, **facts)
    signal = read(path).signal
    assert signal.rate_hz == rate_hz
    np.testing.assert_array_equal(signal.read(3, 9), samples[3:9].astype(np.float32) * 0.5)


@pytest.mark.parametrize("facts", [{}, {"fs": 24.0}, {"fs": 24_000.0, "rate": 25_000.0}])
def test_npz_with_an_ambiguous_rate_asks_for_it(tmp_path, samples, facts):
    path = tmp_path / "x.npz"
    np.savez(path, data=samples, **facts)
    with pytest.raises(BadMetadataError, match="--rate"):
        read(path)


def test_an_option_settles_an_ambiguous_unit_but_contradicts_nothing(tmp_path, samples):
    path = tmp_path / "x.npz"
    np.savez(path, data=samples, fs=24.0)
    assert read(path, rate_hz=24_000.0).rate_hz == 24_000.0
    with pytest.raises(BadMetadataError, match="one rate"):
        read(path, rate_hz=30_000.0)


def test_npz_names_and_positions(tmp_path, samples):
    path = tmp_path / "x.npz"
    place = np.c_[np.zeros(4), np.arange(4.0)]
    np.savez(path, traces=samples, rate=1e4, ch_names=list("wxyz"), position_um=place)
    table = read(path).signal.channels
    assert table.ids == tuple("wxyz")
    np.testing.assert_array_equal(table.position_um, place)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.zeros((5, 2)), "b": np.zeros((5, 2))}, "one array of samples"),
        ({"data": np.zeros((5, 5))}, "longer of which is time"),
        ({"data": np.zeros((5, 2, 2)), "ch_names": ["a", "b"]}, "n_samples, n_channels"),
        ({"data": np.zeros((5, 2, 2, 2, 2))}, "a movie"),
        ({"data": np.array(["a", "b"])}, "real numbers"),
    ],
)
def test_npz_that_cannot_be_told(tmp_path, arrays, message):
    path = tmp_path / "x.npz"
    np.savez(path, fs=1e4, **arrays)
    with pytest.raises(BadMetadataError, match=message):
        read(path)


def test_objects_are_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    trap = np.empty(40, dtype=object)
    trap[:] = [Trap() for _ in range(40)]
    np.savez(tmp_path / "x.npz", data=trap, fs=1e4)
    np.save(tmp_path / "x.npy", trap)
    for name in ("x.npz", "x.npy"):
        with pytest.raises(NisslError):
            read(tmp_path / name, rate_hz=1e4).read()
    assert not (tmp_path / "sprung").exists()


# Bad input: each says what was expected, what came and what to do.


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"rate_hz": 0.0}, BadMetadataError, "above 0 Hz, got 0.0 Hz"),
        ({"rate_hz": -3.0}, BadMetadataError, "above 0 Hz, got -3.0 Hz"),
        ({"rate_hz": float("nan")}, BadMetadataError, "above 0 Hz"),
        ({"rate_hz": None}, BadMetadataError, "--rate"),
        ({"n_channels": None}, BadMetadataError, "--channels"),
        ({"n_channels": 0}, BadMetadataError, "at least one channel"),
        ({"gain_uv": None}, BadMetadataError, "--gain-uv"),
        ({"gain_uv": 0.0}, BadMetadataError, "finite gain"),
        ({"n_channels": 7}, CorruptSourceError, "whole frames of 14 bytes"),
        ({"dtype": "float1"}, BadArgumentError, "NumPy type"),
        ({"dtype": "O"}, BadArgumentError, "real numbers"),
        ({"format": "rwa"}, BadArgumentError, "Did you mean 'raw'"),
    ],
)
def test_impossible_options(raw, changes, error, message):
    with pytest.raises(error, match=message):
        read(raw, **{**RAW, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 3}, "4 wired contacts"),
        ({"contact_positions": [[0, 0], [0, 0], [0, 1], [0, 2]]}, r"\('2', '3'\)"),
        ({"contact_positions": [[0, float("nan")]] * 4}, "finite contact positions"),
        ({"contact_positions": "here"}, "as numbers"),
        ({"contact_positions": [[0, 1], [2]]}, "as numbers"),
        ({"device_channel_indices": [0, 1, 1, 2]}, "channel 1 twice"),
        ({"device_channel_indices": [0, 1, 2, 9]}, "without a gap"),
        ({"device_channel_indices": [-1] * 4}, "without a gap"),
        ({"shank_ids": ["0"]}, "one shank"),
        ({"si_units": "furlong"}, "furlong"),
    ],
)
def test_probes_that_do_not_fit(raw, tmp_path, changes, message):
    with pytest.raises(BadProbeError, match=message):
        read(raw, **RAW, probe=probe_file(tmp_path, **changes))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"probes": []}', '{"probes": [4]}', "[" * 9000]
)
def test_garbage_instead_of_a_probe(raw, tmp_path, text):
    path = tmp_path / "garbage.json"
    path.write_text(text)
    with pytest.raises(BadProbeError, match="probe file"):
        read(raw, **RAW, probe=path)


def test_no_such_paths(raw, tmp_path):
    with pytest.raises(SourceNotFoundError, match="no such file"):
        read(tmp_path / "nowhere.bin", **RAW)
    with pytest.raises(SourceNotFoundError, match="--probe"):
        read(raw, **RAW, probe=tmp_path / "nowhere.json")


def test_unknown_formats(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "notes.txt"):
        assert matching_reader(path) is None
        with pytest.raises(UnknownFormatError, match="--format"):
            read(path)


@pytest.mark.parametrize("name", ["x.bin", "x.npy", "x.npz"])
def test_empty_files(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(CorruptSourceError, match="an empty file"):
        read(tmp_path / name, **RAW)


def test_truncated_files(raw, tmp_path, samples):
    with raw.open("r+b") as file:
        file.truncate(4799)
    with pytest.raises(CorruptSourceError, match="7 too many"):
        read(raw, **RAW)
    np.save(tmp_path / "x.npy", samples)
    np.savez(tmp_path / "x.npz", data=samples, fs=1e4)
    for name in ("x.npy", "x.npz"):
        path = tmp_path / name
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 100)
        with pytest.raises(CorruptSourceError):
            read(path, rate_hz=1e4)


def test_a_file_shortened_while_open(raw):
    signal = read(raw, **RAW).signal
    with raw.open("r+b") as file:
        file.truncate(80)
    with pytest.raises(CorruptSourceError, match="shortened"):
        signal.read()


def test_arrays_without_samples(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((0, 4), np.int16))
    with pytest.raises(CorruptSourceError, match="empty recording"):
        read(tmp_path / "x.npy", rate_hz=1e4, n_channels=4)


@contextmanager
def as_nobody():
    """Root may read everything, so that for a moment we are somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unreadable_files(samples):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "x.bin"
        samples.tofile(path)
        path.chmod(0)
        with as_nobody(), pytest.raises(CorruptSourceError, match=r"[Pp]ermission denied"):
            read(path, **RAW)
        os.chmod(folder, 0)
        with as_nobody(), pytest.raises(NisslError, match=r"permission"):
            read(path, **RAW)
        os.chmod(folder, 0o755)


@pytest.mark.parametrize("text", ["{", "[1]", '{"rate_hz": "fast"}', '{"n_channels": "4"}'])
def test_garbage_beside_the_file(raw, text):
    Path(f"{raw}.json").write_text(text)
    with pytest.raises(NisslError):
        read(raw, n_channels=None if "n_ch" in text else 4, gain_uv=1.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
FACTS = (
    *("rate_hz", "n_channels", "dtype", "gain_uv", "offset_uv", "channel_ids", "header_bytes"),
    *("probe", "kind", "probes", "contact_positions", "device_channel_indices", "shank_ids"),
    *("si_units", "specification"),
)
facts = st.fixed_dictionaries({}, optional=dict.fromkeys(FACTS, json_values))


@settings(max_examples=150, deadline=None)
@given(facts, st.booleans())
def test_any_json_beside_a_file_raises_only_our_errors(value, with_options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        np.arange(40, dtype=np.int16).tofile(path)
        Path(f"{path}.json").write_text(json.dumps(value))
        with suppress(NisslError):
            recording = read(path, **(RAW if with_options else {}))
            recording.signal.read()


@settings(max_examples=150, deadline=None)
@given(facts, json_values)
def test_any_json_as_a_probe_raises_only_our_errors(probe, anything):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        np.arange(40, dtype=np.int16).tofile(path)
        for value in (probe, anything, {"probes": [probe]}, {"probes": anything}):
            (Path(folder) / "probe.json").write_text(json.dumps(value))
            with suppress(NisslError):
                read(path, **RAW, probe=Path(folder) / "probe.json")


SHARED = Path(os.environ.get("NISSL_DATA", "../shared/data")) / "ephys/paired_raw"


@pytest.mark.data
@pytest.mark.skipif(not SHARED.is_dir(), reason="set NISSL_DATA to the folder of real recordings")
@pytest.mark.parametrize(
    ("name", "n_channels", "rate_hz", "n_samples"),
    [
        ("harris_d533101_5s", 4, 10_000.0, 50_000),
        ("quiroga_C_Easy1_noise015_first50000", 1, 24_000.0, 50_000),
        ("locust20010201_tetrode_trial01", 4, 15_000.0, 431_548),
    ],
)
def test_real_arrays(name, n_channels, rate_hz, n_samples):
    signal = read(SHARED / f"{name}.npz").signal
    assert (signal.n_channels, signal.rate_hz, signal.n_samples) == (n_channels, rate_hz, n_samples)
    assert signal.read(100, 200).std() > 0


def test_npz_of_eeg_by_its_names(tmp_path):
    samples = np.arange(300, dtype=np.int16).reshape(3, 100)
    np.savez(tmp_path / "x.npz", X_uV=samples, fs=160.0, ch=["Fc5.", "C3..", "EOG"])
    recording = read(tmp_path / "x.npz")
    assert recording.channels.kind == "eeg"
    assert recording.channels.ids == ("Fc5.", "C3..", "EOG")
    assert "gain_assumed" not in recording.signal.metadata
    np.testing.assert_array_equal(recording.read(), samples.T)
    np.savez(tmp_path / "y.npz", x=np.zeros(500), fs=100.0, ch="C3-A1")
    assert read(tmp_path / "y.npz").channels.ids == ("C3-A1",)
