"""The journal in a real PostgreSQL; what both databases share is tested in test_store.py."""

from __future__ import annotations

import shutil

import pytest

from nissl.errors import BadArgumentError, CorruptProjectError, StoreError
from nissl.store import SourceRow, Store


def test_the_address_comes_from_the_environment(tmp_path, postgresql, monkeypatch, make_edit):
    monkeypatch.setenv("NISSL_DATABASE", postgresql)
    with Store.open(tmp_path) as store:
        store.append([make_edit(1)])
    assert not (tmp_path / "journal.db").exists()
    with Store.open(tmp_path, create=False) as store:
        assert store.edits() == [make_edit(1)]
        assert store.verify() == []


def test_a_project_without_its_database(tmp_path, postgresql):
    Store.open(tmp_path / "a", database=postgresql).close()
    with pytest.raises(StoreError, match="Set NISSL_DATABASE"):
        Store.open(tmp_path / "a")
    Store.open(tmp_path / "b").close()
    with pytest.raises(StoreError, match="Unset NISSL_DATABASE"):
        Store.open(tmp_path / "b", database=postgresql)


def test_a_project_of_another_database(tmp_path, postgresql):
    import psycopg

    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute("CREATE DATABASE other")
    Store.open(tmp_path / "a", database=postgresql).close()
    other = postgresql.rpartition("/")[0] + "/other"
    for _ in range(2):  # first without any schema, then with one but without the project
        with pytest.raises(CorruptProjectError, match="Check that NISSL_DATABASE"):
            Store.open(tmp_path / "a", database=other)
        Store.open(tmp_path / "b", database=other).close()
        shutil.rmtree(tmp_path / "b")


def test_addresses_that_cannot_work_hide_the_password(tmp_path):
    with pytest.raises(StoreError, match="reach the database") as caught:
        Store.open(tmp_path, database="postgresql://anna:secret@127.0.0.1:1/x")
    assert "secret" not in str(caught.value)
    for address in ("mysql://x/y", "no address"):
        with pytest.raises(BadArgumentError, match="NISSL_DATABASE"):
            Store.open(tmp_path, database=address)
    assert not (tmp_path / "project.toml").exists()


def test_a_snapshot_stands_alone(tmp_path, postgresql, make_edit, make_labels):
    with Store.open(tmp_path / "a", database=postgresql) as store:
        digest = store.put_labels(make_labels())
        store.record_labels(digest)
        store.set_head("f1", "spikes", digest, by="anna")
        store.append([make_edit(1), make_edit(2)])
        store.add_source(SourceRow("f1", "rec", "/data/x.bin", "raw"))
        store.record_findings(digest, [{"check": "c", "severity": "note", "item": None}])
        store.start_run("j", {"x": 1})
        copy = store.snapshot(tmp_path / "copy")
        with Store.open(copy, create=False) as other:
            assert other.edits() == store.edits()
            assert other.label_sets() == store.label_sets()
            assert other.sources() == store.sources()
            assert other.head_history("f1", "spikes") == store.head_history("f1", "spikes")
            assert other.findings(digest) == store.findings(digest)
            assert other.run("j") == store.run("j")
            assert other.verify() == []
            other.append([make_edit(3)])
