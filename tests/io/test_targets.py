"""Targets that are there whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from nissl.errors import BadArgumentError, DiskFullError, ReadOnlyError, StoreError
from nissl.io.targets import new_file, new_folder


def test_a_file_appears_when_it_is_complete(tmp_path):
    with new_file(tmp_path / "a.nwb") as partial:
        partial.write_bytes(b"x")
        assert not (tmp_path / "a.nwb").exists()
        assert partial.suffix == ".nwb"
    assert (tmp_path / "a.nwb").read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["a.nwb"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with new_folder(tmp_path / "out") as partial:
        (partial / "sub").mkdir()
        (partial / "sub" / "a").write_bytes(b"x")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "sub" / "a").read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("target", [new_file, new_folder])
def test_an_error_inside_leaves_nothing(tmp_path, target):
    def interrupted():
        with target(tmp_path / "out") as partial:
            (partial / "a" if partial.is_dir() else partial).write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("target", [new_file, new_folder])
@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "full"), DiskFullError),
        (OSError(errno.EROFS, "read-only"), ReadOnlyError),
        (OSError("30 requested and 7 written"), DiskFullError),
        (OSError("Unable to flush (errno = 28, error message = 'x')"), DiskFullError),
        (RuntimeError("file write failed: errno = 27"), DiskFullError),
        (OSError("something else"), StoreError),
    ],
)
def test_errors_of_the_file_system_are_ours(tmp_path, target, raised, expected):
    with pytest.raises(expected), target(tmp_path / "out"):
        raise raised
    assert os.listdir(tmp_path) == []


def test_errors_that_are_not_the_file_systems_pass(tmp_path):
    with pytest.raises(RuntimeError, match="a bug"), new_folder(tmp_path / "out"):
        raise RuntimeError("a bug")


def test_an_old_export_stays_until_the_new_one_is_complete(tmp_path):
    old = tmp_path / "out"
    (old / "nissl").mkdir(parents=True)
    (old / "nissl" / "facts.json").write_text("{}")
    with pytest.raises(BadArgumentError), new_folder(old):
        pass
    with pytest.raises(KeyboardInterrupt), new_folder(old, overwrite=True):
        raise KeyboardInterrupt
    assert (old / "nissl" / "facts.json").exists()
    with new_folder(old, overwrite=True) as partial:
        (partial / "b").write_bytes(b"new")
        assert (old / "nissl" / "facts.json").exists()
    assert os.listdir(old) == ["b"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_missing_parent_is_named(tmp_path):
    with pytest.raises(StoreError, match="nowhere"), new_folder(tmp_path / "nowhere" / "out"):
        pass
