"""Pickled arrays are read as data; nothing that they name is ever run."""

import os
import pickle
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from nissl.data.plain_pickle import Opaque, read_plain
from nissl.errors import CorruptSourceError, SourceNotFoundError
from nissl.io.pickled import save

DATA = {
    "int": 3,
    "big": 2**70,
    "float": 1.5,
    "text": "µm",
    "bytes": b"\x00\xff",
    "none": None,
    "flags": [True, False],
    "nested": {"a": ({"b": 1.0},), 4: "four"},
    "f4": np.linspace(0, 1, 7, dtype=np.float32).reshape(7, 1),
    "big_endian": np.arange(4, dtype=">i2"),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "empty": np.zeros((0, 3), np.int64),
    "texts": np.asarray(["ab", "c"]),
    "scalar": np.float64(2.5),
    "ordered": OrderedDict(a=1),
    "set": {1, 2},
}


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return a == b


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_plain_data_and_arrays_come_back(tmp_path, protocol):
    path = tmp_path / "ops.npy"
    save(path, DATA)
    assert same(read_plain(path), DATA)
    box = np.empty((), object)
    box[()] = DATA
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(box))
        pickle.dump(box, file, protocol=protocol)
    assert same(read_plain(path), DATA)


def test_lists_of_dictionaries_become_arrays_of_objects(tmp_path):
    path = tmp_path / "stat.npy"
    shared = np.arange(3)
    save(path, [{"ypix": shared}, {"ypix": shared, "n": 2}])
    found = read_plain(path)
    assert found.shape == (2,)
    assert found[1]["n"] == 2
    assert found[0]["ypix"] is found[1]["ypix"]
    assert np.load(path, allow_pickle=True)[0]["ypix"].tolist() == [0, 1, 2]
    np.save(path, np.arange(5))
    assert read_plain(path).tolist() == [0, 1, 2, 3, 4]


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_that_a_file_names_is_run(tmp_path):
    path, victim = tmp_path / "ops.npy", tmp_path / "made"
    save(path, {"good": 1, "evil": Evil(str(victim)), "where": Path("there")})
    found = read_plain(path)
    assert not victim.exists()
    assert found["good"] == 1
    assert found["evil"] == Opaque(f"{os.mkdir.__module__}.mkdir")
    assert isinstance(found["where"], Opaque)
    np.load(path, allow_pickle=True)
    assert victim.exists()  # unpickling would have


def test_arrays_of_structures_and_of_dates_are_refused(tmp_path):
    path = tmp_path / "ops.npy"
    for array in (np.zeros(2, [("a", "i4")]), np.zeros(2, "M8[s]")):
        save(path, {"a": array})
        with pytest.raises(CorruptSourceError):
            read_plain(path)


def test_damage_is_told(tmp_path):
    path = tmp_path / "ops.npy"
    with pytest.raises(SourceNotFoundError):
        read_plain(path)
    save(path, DATA)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        content = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(bytes(content))
        with suppress(CorruptSourceError):
            read_plain(path)


def test_deep_nesting_is_refused(tmp_path):
    value = []
    for _ in range(150):
        value = [value]
    save(tmp_path / "a.npy", {"a": value})
    with pytest.raises(CorruptSourceError, match="nested"):
        read_plain(tmp_path / "a.npy")


def test_a_value_within_itself_is_refused(tmp_path):
    loop = []
    loop.append(loop)
    save(tmp_path / "x.npy", [{"a": loop}])
    with pytest.raises(CorruptSourceError, match="within itself"):
        read_plain(tmp_path / "x.npy")


def test_a_small_file_stands_for_few_values(tmp_path):
    value = [1]
    for _ in range(80):
        value = [value, value]
    save(tmp_path / "x.npy", {"a": value})
    found = read_plain(tmp_path / "x.npy")["a"]
    assert found[0] is found[1]
