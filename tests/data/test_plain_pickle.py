"""Pickles read as data: right values, and nothing ever runs."""

import contextlib
import io
import os
import pickle

import numpy as np
import pytest

from nissl.data.plain_pickle import Opaque, loads, read_plain
from nissl.errors import CorruptSourceError

RNG = np.random.default_rng(0)
OPS = {
    "Ly": 512,
    "fs": 30.0,
    "nframes": np.int64(1000),
    "tau": np.float32(0.5),
    "mean": RNG.normal(size=(4, 3)).astype(np.float32),
    "columns": np.asfortranarray(RNG.normal(size=(4, 3))),
    "names": ["a", "ö"],
    "nested": {"x": (1, 2, None, True), "y": [b"bytes"]},
    "texts": np.array(["ab", "c"]),
    "big": 2**70,
    "empty": np.zeros((0, 2), np.int16),
}


def same(a, b):
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in b)
    if isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return a == b


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_values_are_those_of_the_pickle(protocol):
    assert same(loads(pickle.dumps(OPS, protocol)), OPS)


def test_npy_files_of_objects(tmp_path):
    np.save(tmp_path / "ops.npy", OPS)
    assert same(read_plain(tmp_path / "ops.npy"), OPS)
    stat = np.array([{"ypix": np.arange(3), "lam": np.ones(3, np.float32)}] * 2, dtype=object)
    np.save(tmp_path / "stat.npy", stat)
    found = read_plain(tmp_path / "stat.npy")
    assert len(found) == 2
    assert same(found[1], stat[1])
    np.save(tmp_path / "F.npy", OPS["mean"])
    np.testing.assert_array_equal(read_plain(tmp_path / "F.npy"), OPS["mean"])


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_runs(tmp_path):
    target = str(tmp_path / "made")
    found = loads(pickle.dumps({"a": 1, "b": Evil(target)}))
    assert found["a"] == 1
    assert isinstance(found["b"], Opaque)
    assert "mkdir" in found["b"].name
    assert not os.path.exists(target)


def test_damaged_files_raise_only_our_error(tmp_path):
    file = io.BytesIO()
    np.save(file, OPS)
    good = file.getvalue()
    path = tmp_path / "ops.npy"
    rng = np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(good)
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(len(data)))] if rng.random() < 0.3 else data)
        with contextlib.suppress(CorruptSourceError):
            read_plain(path)


def test_a_value_within_itself_is_refused(tmp_path):
    loop = []
    loop.append(loop)
    np.save(tmp_path / "x.npy", np.array([{"a": loop}], dtype=object))
    with pytest.raises(CorruptSourceError):
        read_plain(tmp_path / "x.npy")


def test_a_small_file_stands_for_few_values():
    value = [1]
    for _ in range(200):
        value = [value, value]
    found = loads(pickle.dumps(value))
    assert found[0] is found[1]
