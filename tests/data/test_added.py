"""Signals with waveforms added, and parts of signals: lazy, exact, whatever the intervals."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.clock import Clock
from nissl.data import Signal
from nissl.data.added import AddedReader, Additions, part_of
from nissl.data.files import FilePart, FramesReader
from nissl.data.sample_readers import reader_from_json, reader_to_json
from nissl.errors import BadArgumentError, CorruptSourceError

N, CHANNELS, WIDTH = 400, 3, 12


def _additions(seed, n=30, *, low=-np.inf, high=np.inf):
    rng = np.random.default_rng(seed)
    return Additions(
        (40 * rng.standard_normal((4, WIDTH, 2))).astype(np.float32),
        np.array([[0, 1], [2, 0], [1, 2], [2, -1]]),
        np.sort(rng.integers(-WIDTH + 1, N, n)),
        rng.integers(0, 4, n),
        rng.uniform(0.5, 1.5, n).astype(np.float32),
        np.full(CHANNELS, low),
        np.full(CHANNELS, high),
    )


def _kept(made, folder, name="added.npz"):
    path = folder / name
    with path.open("wb") as file:
        made.write(file)
    return str(path)


def _whole(made):
    """What is added, one event after the other."""
    out = np.zeros((N + 2 * WIDTH, CHANNELS))
    for onset, shape, factor in zip(made.onset, made.shape, made.factor, strict=True):
        for k, channel in enumerate(made.columns[shape].tolist()):
            if channel >= 0:
                wave = made.shapes[shape, :, k] * float(factor)
                out[onset + WIDTH : onset + 2 * WIDTH, channel] += wave
    return out[WIDTH : WIDTH + N]


@pytest.mark.parametrize("dtype", ["<i2", "<f4"])
def test_the_difference_to_the_original_is_the_sum_of_the_waveforms(tmp_path, dtype):
    rng = np.random.default_rng(1)
    raw = rng.integers(-900, 900, (N, CHANNELS)).astype(dtype)
    made = _additions(2)
    signal = Signal.from_array(raw, 1000.0)
    changed = replace(signal, reader=AddedReader(signal.reader, _kept(made, tmp_path)))
    out = changed.read_raw()
    assert out.dtype == raw.dtype
    rounding = 0.5001 if raw.dtype.kind == "i" else 1e-3
    np.testing.assert_allclose(out.astype(float) - raw, _whole(made), atol=rounding)
    np.testing.assert_array_equal(signal.read_raw(), raw)


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(1, N - 1), max_size=8),
    columns=st.permutations(range(CHANNELS)),
    seed=st.integers(0, 3),
)
def test_any_intervals_and_columns_give_the_same_samples(tmp_path_factory, cuts, columns, seed):
    raw = np.random.default_rng(seed).integers(-900, 900, (N, CHANNELS)).astype(np.int16)
    signal = Signal.from_array(raw, 1000.0)
    path = _kept(_additions(seed), tmp_path_factory.mktemp("added"))
    changed = replace(signal, reader=AddedReader(signal.reader, path))
    whole = changed.read_raw()[:, columns]
    edges = [0, *sorted(set(cuts)), N]
    parts = [changed.read_raw(a, b, columns) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_channel_may_be_read_twice(tmp_path):
    raw = np.zeros((N, CHANNELS), np.int16)
    signal = Signal.from_array(raw, 1000.0)
    changed = replace(signal, reader=AddedReader(signal.reader, _kept(_additions(1), tmp_path)))
    whole = changed.read_raw()
    assert whole.any()
    twice = changed.reader.read(0, N, np.array([2, 0, 2]))
    np.testing.assert_array_equal(twice, whole[:, [2, 0, 2]])


def test_sums_stay_within_the_type_and_the_range_of_the_converter(tmp_path):
    raw = np.zeros((N, CHANNELS), np.int16)
    raw[:, 0], raw[100:200, 1] = 32700, -500
    shapes = np.full((1, WIDTH, CHANNELS), 300.0, np.float32)
    every = np.arange(0, N, WIDTH)
    one = np.ones(every.size, np.float32)
    low, high = np.array([-np.inf, -500, -np.inf]), np.array([np.inf, 200, np.inf])
    where = np.arange(CHANNELS)[None]
    made = Additions(shapes, where, every, np.zeros(every.size, np.int64), one, low, high)
    signal = Signal.from_array(raw, 1000.0)
    changed = replace(signal, reader=AddedReader(signal.reader, _kept(made, tmp_path)))
    out = changed.read_raw()
    assert (out[:, 0] == 32767).all()
    assert (out[100:200, 1] == -500).all()
    assert (out[:100, 1] == 200).all()
    assert (out[:, 2] == 300).all()


def test_readers_can_be_described_and_made_again(tmp_path):
    raw = np.arange(N * CHANNELS, dtype="<i2").reshape(N, CHANNELS)
    raw.tofile(tmp_path / "raw.bin")
    inner = FramesReader((FilePart(str(tmp_path / "raw.bin"), 0, N),), "<i2", CHANNELS)
    added = AddedReader(inner, _kept(_additions(0), tmp_path))
    signal = replace(Signal.from_array(raw, 1000.0), reader=added)
    part = part_of(signal, 50, 250)
    again = reader_from_json(reader_to_json(part.reader))
    every = np.arange(CHANNELS)
    np.testing.assert_array_equal(again.read(0, 200, every), signal.read_raw(50, 250))
    in_memory = AddedReader(Signal.from_array(raw, 1000.0).reader, added.path)
    assert reader_to_json(in_memory) is None
    assert reader_to_json(part_of(Signal.from_array(raw, 1000.0), 0, 9).reader) is None


def test_a_part_keeps_gaps_and_times():
    raw = np.arange(N * CHANNELS, dtype=np.int32).reshape(N, CHANNELS)
    clock = Clock.from_segments(100.0, [150, 250], [0.0, 10.0])
    part = part_of(Signal.from_array(raw, 100.0, clock=clock), 100, 300)
    assert [(s.start, s.stop, s.t0_s) for s in part.clock.segments] == [
        (0, 50, 1.0),
        (50, 200, 10.0),
    ]
    np.testing.assert_array_equal(part.read_raw(50, 200), raw[150:300])
    with pytest.raises(BadArgumentError, match="within the recording"):
        part_of(part, 10, 201)


def test_a_damaged_file_of_waveforms_is_named(tmp_path):
    path = tmp_path / "added.npz"
    path.write_bytes(b"no zip")
    signal = Signal.from_array(np.zeros((N, CHANNELS), np.int16), 1000.0)
    changed = replace(signal, reader=AddedReader(signal.reader, str(path)))
    with pytest.raises(CorruptSourceError, match=r"added\.npz"):
        changed.read_raw(0, 10)
