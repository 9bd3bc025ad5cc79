"""Every fault of a project folder gets its own error, and nothing half-written is left."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from nissl.errors import (
    BadArgumentError,
    CorruptProjectError,
    DiskFullError,
    MissingInputError,
    ProjectNotFoundError,
    ProjectTooNewError,
    ReadOnlyError,
    StoreError,
)
from nissl.store import SourceRow, Store
from nissl.store.filesystem import network_filesystem
from nissl.store.journal import _set_mode, sqlite_journal


@pytest.fixture
def project(tmp_path, make_labels, make_edit) -> Path:
    with Store.open(tmp_path / "p") as store:
        store.record_labels(store.put_labels(make_labels()))
        store.append([make_edit(n) for n in range(3)])
    return tmp_path / "p"


def test_not_a_project(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ProjectNotFoundError, match="nissl add"):
            Store.open(path, create=False)
    with pytest.raises(ProjectNotFoundError, match="got a file"):
        Store.open(tmp_path / "data.bin")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.bin"]
    Store.open(tmp_path).close()  # a folder of raw data may become a project
    assert (tmp_path / "data.bin").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("format = 2\nname = 'p'\nid = 'x'\njournal = 'sqlite'", ProjectTooNewError),
        ("format = 'one'", CorruptProjectError),
        ("format = true", CorruptProjectError),
        ("format = 1\nname = 'p'", CorruptProjectError),
        ("format = 1\nname = 'p'\nid = 'no uuid'\njournal = 'sqlite'", CorruptProjectError),
        ("]] garbage \x00", CorruptProjectError),
        ("", CorruptProjectError),
        ("x = " + "[" * 5000, CorruptProjectError),
    ],
)
def test_project_toml_of_all_kinds(project, text, error):
    (project / "project.toml").write_text(text)
    with pytest.raises(error):
        Store.open(project)
    assert (project / "project.toml").read_text() == text


def test_a_journal_of_a_newer_version(project):
    with sqlite3.connect(project / "journal.db") as db:
        db.execute("INSERT INTO schema_versions VALUES (99, 'future', 0)")
    db.close()
    with pytest.raises(ProjectTooNewError, match="schema 99"):
        Store.open(project)


def use(project):
    with Store.open(project) as store:
        store.edits()
        store.label_sets()
        faults = store.verify()
        if faults:
            raise CorruptProjectError("a sound project", faults[0], "")


def test_a_journal_that_is_gone_empty_garbage_or_cut(project):
    journal = project / "journal.db"
    whole = journal.read_bytes()
    for content in (b"", b"garbage" * 1000, whole[: len(whole) // 2], whole[:4096]):
        journal.write_bytes(content)
        with pytest.raises(CorruptProjectError):
            use(project)
        assert journal.read_bytes() == content
    journal.unlink()
    with pytest.raises(CorruptProjectError, match="no journal"):
        Store.open(project)
    assert not journal.exists()


def test_the_journal_of_another_project(project, tmp_path):
    Store.open(tmp_path / "q").close()
    shutil.copy(tmp_path / "q" / "journal.db", project / "journal.db")
    with pytest.raises(CorruptProjectError, match=r"project\.toml names"):
        Store.open(project)


def test_a_label_file_that_is_missing_flipped_or_another(project, make_labels):
    file = next((project / "labels").glob("*.parquet"))
    digest = file.stem
    whole = file.read_bytes()
    with Store.open(project) as store:
        refused = 0
        for at in range(0, len(whole), 50):
            flipped = bytearray(whole)
            flipped[at] ^= 0x10
            file.write_bytes(flipped)
            try:
                # some bytes of Parquet say nothing; what is read must be right in any case
                assert store.get_labels(digest) == make_labels()
            except CorruptProjectError:
                refused += 1
        assert refused > len(whole) // 50 // 2
        file.write_bytes(whole[:-20])
        assert len(store.verify()) == 1
        other = store.put_labels(make_labels(7))
        shutil.copy(project / "labels" / f"{other}.parquet", file)
        with pytest.raises(CorruptProjectError, match="digest"):
            store.get_labels(digest)
        file.unlink()
        with pytest.raises(CorruptProjectError, match="on record"):
            store.get_labels(digest)
        with pytest.raises(MissingInputError):
            store.get_labels("0" * 64)
        store.put_labels(make_labels())  # made again, it is mended
        assert store.verify() == []


def test_a_damaged_file_is_mended_by_putting_it_again(tmp_path, make_labels):
    array = np.arange(6.0)
    with Store.open(tmp_path) as store:
        digest, key = store.put_labels(make_labels()), store.put_array(array)
        (tmp_path / "labels" / f"{digest}.parquet").write_bytes(b"PAR1")
        (tmp_path / "arrays" / f"{key}.zarr" / "0").write_bytes(b"")
        with pytest.raises(CorruptProjectError):
            store.get_array(key)
        store.put_labels(make_labels())
        store.put_array(array)
        assert store.get_labels(digest) == make_labels()
        np.testing.assert_array_equal(store.get_array(key), array)
        (tmp_path / "arrays" / f"{key}.zarr" / "0").unlink()
        with pytest.raises(CorruptProjectError, match="chunks"):
            store.get_array(key)


def check_read_only(project, make_edit, make_labels):
    with Store.open(project) as store:
        assert len(store.edits()) == 3
        assert store.verify() == []
        with pytest.raises(ReadOnlyError):
            store.append([make_edit(9)])
        with pytest.raises(ReadOnlyError):
            store.put_labels(make_labels(9))
        with pytest.raises(ReadOnlyError):
            store.workdir("job")
        with pytest.raises(ReadOnlyError):
            store.put_array(np.arange(9.0))


def test_a_read_only_medium(project, tmp_path, mount, make_edit, make_labels):
    medium = tmp_path / "medium"
    medium.mkdir()
    mount(medium, "size=8m")
    shutil.copytree(project, medium / "p")
    mount(medium, "remount,ro,size=8m")
    check_read_only(medium / "p", make_edit, make_labels)
    with pytest.raises(ReadOnlyError):
        Store.open(medium / "new")
    mount(medium, "remount,rw,size=8m")
    with Store.open(medium / "p") as store:
        store.append([make_edit(9)])


def test_a_folder_without_the_right_to_write(project, make_edit, make_labels):
    folders = [project, *(p for p in project.iterdir() if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        if os.access(project, os.W_OK):
            pytest.skip("root may write anywhere; run the tests as another user")
        check_read_only(project, make_edit, make_labels)
    finally:
        for folder in folders:
            folder.chmod(0o755)


def fill(step):
    for n in range(10_000):
        step(n)


def test_a_full_disk(tmp_path, mount, make_edit, make_labels):
    medium = tmp_path / "medium"
    medium.mkdir()
    mount(medium, "size=1m")
    kept, acknowledged, note = [], [], {"text": "x" * 2000}
    with Store.open(medium / "p") as store:
        with pytest.raises(DiskFullError):
            fill(lambda n: kept.append(store.put_labels(make_labels(n))))
        with pytest.raises(DiskFullError):
            fill(lambda n: acknowledged.extend(store.append([make_edit(n, payload=note)])))
        with pytest.raises(DiskFullError):
            store.put_array(np.random.default_rng(0).normal(size=200_000))
        with pytest.raises(DiskFullError):
            store.snapshot(medium / "copy")
        assert [e.uuid for e in store.edits()] == acknowledged
    assert not list(medium.rglob(".*.partial"))
    assert not (medium / "copy").exists()
    with pytest.raises(DiskFullError):
        Store.open(medium / "q")
    assert not (medium / "q" / "project.toml").exists()
    mount(medium, "remount,size=9m")
    with Store.open(medium / "p") as store:
        assert [e.uuid for e in store.edits()] == acknowledged
        assert all(store.get_labels(digest).digest == digest for digest in kept)
        store.append([make_edit(20_000)])
        assert store.verify() == []
    Store.open(medium / "q").close()


def test_a_journal_that_another_program_holds(project, make_edit, monkeypatch):
    monkeypatch.setattr("nissl.store.journal.WAIT_S", 0.1)
    with Store.open(project) as store:
        other = sqlite3.connect(project / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="to be free"):
            store.append([make_edit(9)])
        other.close()
        store.append([make_edit(9)])


def test_values_that_no_database_can_hold(tmp_path):
    with Store.open(tmp_path) as store:
        for changes in ({"name": "\ud800"}, {"hashed": (2**70, 0)}, {"options": {"x": {1, 2}}}):
            values = {"fingerprint": "f", "name": "n", "path": "x", "format": "raw"} | changes
            with pytest.raises(BadArgumentError):
                store.add_source(SourceRow(**values))
        assert store.sources() == []


MOUNTS = (
    "/dev/vda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/vdb /home/local ext4 rw 0 0\n"
    "host /mnt/a\\040b fuse.sshfs rw 0 0\nbroken\n"
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/data/p", None),
        ("/home/anna/p", "nfs4"),
        ("/home/local/p", None),
        ("/homestead", None),
        ("/mnt/a b/p", "fuse.sshfs"),
    ],
)
def test_network_file_systems_are_told_apart(path, found):
    assert network_filesystem(Path(path), MOUNTS) == found


def test_a_rollback_journal_works_too(project, make_edit):
    file = project / "journal.db"
    _set_mode(file.as_uri(), "delete")
    assert file.read_bytes()[18] == 1  # the header's word for a rollback journal
    journal = sqlite_journal(file, create=False)
    journal.close()
    assert file.read_bytes()[18] == 2  # back to a write-ahead log on a local disk
    with Store.open(project) as store:
        store.append([make_edit(9)])
        assert len(store.edits()) == 4
