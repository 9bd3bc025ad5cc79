"""Finished chunks: complete or absent, and damage is told."""

import os
import signal

import numpy as np
import pytest
from chunk_functions import double, fail
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nissl.clock import Clock
from nissl.errors import BadArgumentError, DiskFullError, MethodFailedError, ReadOnlyError
from nissl.run.chunks import plan_chunks
from nissl.run.results import ChunkFiles, read_arrays, stage_key, write_arrays

PLAN = plan_chunks(Clock.regular(10.0, 40), 10)
dtypes = st.sampled_from(["<i8", "<f4", "<f8", "|b1", "<u2", "<c16", "<U5", "|S3", "<i2"])
arrays = dtypes.flatmap(
    lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_/]{1,8}", fullmatch=True), arrays, max_size=4))
def test_arrays_round_trip(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("npz") / "00000000.npz"
    write_arrays(path, values)
    back = read_arrays(path)
    assert set(back) == set(values)
    for name, value in values.items():
        assert back[name].dtype == value.dtype
        assert back[name].shape == value.shape
        assert back[name].tobytes() == value.tobytes()


def test_equal_arrays_give_equal_files(tmp_path):
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    write_arrays(a, {"x": np.arange(9), "y": np.zeros(2)})
    write_arrays(b, {"y": np.zeros(2), "x": np.arange(9)})
    assert a.read_bytes() == b.read_bytes()


def test_every_damaged_byte_is_told_or_harmless(tmp_path):
    files = ChunkFiles(tmp_path, "stage", plan=PLAN, function=double)
    path = files.path(PLAN[0])
    truth = {"x": np.arange(20, dtype=np.int16)}
    write_arrays(path, truth)
    good = path.read_bytes()
    refused = 0
    for place in range(len(good)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x40]) + good[place + 1 :])
        found = files.load(PLAN[0])
        if found is None:
            refused += 1
            assert not path.exists()
        else:  # a date or a flag of the zip, which say nothing about the arrays
            assert next(iter(found.values())).tobytes() == truth["x"].tobytes()
    assert refused > 0.6 * len(good)


def test_every_truncation_is_told(tmp_path):
    files = ChunkFiles(tmp_path, "stage", plan=PLAN, function=double)
    write_arrays(files.path(PLAN[0]), {"x": np.arange(20)})
    good = files.path(PLAN[0]).read_bytes()
    for length in range(len(good)):
        files.path(PLAN[0]).write_bytes(good[:length])
        assert files.load(PLAN[0]) is None


def test_another_plan_or_function_discards_what_is_there(tmp_path):
    files = ChunkFiles(tmp_path, "stage", plan=PLAN, function=double)
    write_arrays(files.path(PLAN[1]), {"x": np.arange(3)})
    assert ChunkFiles(tmp_path, "stage", plan=PLAN, function=double).has(PLAN[1])
    assert not ChunkFiles(tmp_path, "stage", plan=PLAN, function=fail).has(PLAN[1])
    write_arrays(files.path(PLAN[1]), {"x": np.arange(3)})
    other = plan_chunks(Clock.regular(10.0, 40), 10, halo=1)
    assert not ChunkFiles(tmp_path, "stage", plan=other, function=fail).has(other[1])


def test_a_key_stands_for_the_whole_definition():
    assert stage_key("filter", {"a": 1, "b": 2}) == stage_key("filter", {"b": 2, "a": 1})
    assert stage_key("filter", {"a": 1}) != stage_key("filter", {"a": 2})


@pytest.mark.parametrize("key", ["", "../up", "a/b", ".hidden", "a b"])
def test_a_key_is_a_plain_name(tmp_path, key):
    with pytest.raises(BadArgumentError, match="a key of letters"):
        ChunkFiles(tmp_path, key, plan=PLAN, function=double)


def test_objects_are_refused(tmp_path):
    with pytest.raises(MethodFailedError, match="'x' of object"):
        write_arrays(tmp_path / "a.npz", {"x": np.asarray([None])})
    with pytest.raises(MethodFailedError, match="'x' of list"):
        write_arrays(tmp_path / "a.npz", {"x": [1, 2]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full (Linux)")
def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    path = tmp_path / "a.npz"
    (tmp_path / f"a.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match="room on the disk"):
        write_arrays(path, {"x": np.zeros(10**6)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ReadOnlyError, match="can be written"):
        ChunkFiles(tmp_path, "stage", plan=PLAN, function=double)


def test_a_file_size_limit_leaves_nothing_half_written(tmp_path):
    resource = pytest.importorskip("resource", reason="needs POSIX")
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            write_arrays(tmp_path / "a.npz", {"x": np.zeros(10**6)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []
