from __future__ import annotations

import shutil
import threading
import time
import tomllib
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa

from nissl.errors import (
    BadArgumentError,
    BadEditError,
    CorruptProjectError,
    MissingInputError,
    StoreError,
)
from nissl.labels import EditKind
from nissl.store import SourceRow, Store, schema
from nissl.store.migrate import Migration, migrate, migrations


def row(n=1, **changes):
    values = {"fingerprint": f"{n:064x}"[::-1], "name": f"rec{n}", "path": "raw/x.bin"}
    return SourceRow(**({"format": "raw", **values} | changes))


def test_labels_items_and_arrays_come_back_equal(store, make_labels, make_items):
    labels = make_labels()
    items = make_items(labels)
    array = np.arange(12, dtype=">i4").reshape(3, 4)
    assert store.get_labels(store.put_labels(labels)) == labels
    assert store.get_items(store.put_items(items)) == items
    found = store.get_array(store.put_array(array))
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable
    assert store.put_labels(labels) == labels.digest  # again does nothing


@pytest.mark.parametrize(
    "array",
    [np.array(2.5), np.empty((0, 3)), np.array([True, False]), np.array([1j, np.nan])],
    ids=["scalar", "empty", "bool", "complex"],
)
def test_arrays_of_unusual_shape_or_type(tmp_path, array):
    with Store.open(tmp_path) as store:
        found = store.get_array(store.put_array(array))
    np.testing.assert_array_equal(found, array)
    assert (found.shape, found.dtype) == (array.shape, array.dtype)


def test_arrays_of_objects_are_refused(tmp_path):
    with Store.open(tmp_path) as store, pytest.raises(BadArgumentError, match="dtype object"):
        store.put_array(np.array([{}], dtype=object))


def test_record_and_filter(store, make_labels, make_items):
    first, second = make_labels(1), make_labels(2, source="f2")
    classes = make_labels(3, task="curation", targets=(first.digest,))
    for labels in (first, second, classes):
        store.put_labels(labels)
    store.record_labels(first.digest, run="job1")
    store.record_labels(second.digest)
    store.record_labels(classes.digest)
    old, new = make_items(first, 1.0), make_items(first, 2.0)
    for items in (old, new):
        store.record_labels(first.digest, items=store.put_items(items))
    rows = store.label_sets()
    assert [r.digest for r in rows] == [first.digest, second.digest, classes.digest]
    assert rows[0].items == new.digest
    assert rows[0].run == "job1"
    assert (rows[0].n_rows, rows[0].n_items, rows[0].kind) == (40, 3, "events")
    assert rows[0].author == first.provenance.author
    assert rows[1].items is None
    assert [r.digest for r in store.label_sets(source="f2")] == [second.digest]
    assert [r.digest for r in store.label_sets(target=first.digest)] == [classes.digest]
    assert store.label_sets(kind="classes", task="spikes") == []
    assert store.verify() == []


def test_labels_put_by_another_process_can_be_recorded(tmp_path, make_labels):
    labels = make_labels()
    with Store.open(tmp_path) as one, Store.open(tmp_path) as other:
        one.put_labels(labels)
        other.record_labels(labels.digest)
        assert one.label_sets()[0].n_rows == labels.n_rows


def test_unknown_and_malformed_digests(store):
    with pytest.raises(MissingInputError, match="label set"):
        store.get_labels("0" * 64)
    with pytest.raises(BadArgumentError):
        store.get_labels("../../etc/passwd")
    with pytest.raises(MissingInputError):
        store.record_labels("0" * 64)
    with pytest.raises(BadArgumentError):
        store.workdir("../up")


def test_heads_move_and_remember(store, make_labels):
    first, second = make_labels(1), make_labels(2)
    for labels in (first, second):
        store.record_labels(store.put_labels(labels))
    assert store.head("f1", "spikes") is None
    store.set_head("f1", "spikes", first.digest, by="anna")
    store.set_head("f1", "spikes", second.digest, by="ben")
    assert store.head("f1", "spikes") == second.digest
    history = [(m.digest, m.by) for m in store.head_history("f1", "spikes")]
    assert history == [(first.digest, "anna"), (second.digest, "ben")]
    with pytest.raises(BadArgumentError, match="task"):
        store.set_head("f1", "curation", first.digest, by="anna")
    with pytest.raises(BadArgumentError, match="who"):
        store.set_head("f1", "spikes", first.digest, by="")
    with pytest.raises(MissingInputError):
        store.set_head("f1", "spikes", "1" * 64, by="anna")
    assert store.head("f1", "spikes") == second.digest


def test_findings_of_the_last_check_count(store):
    one = {"check": "snr", "severity": "warning", "sentence": "low", "item": 3, "value": np.nan}
    store.record_findings("d", [one, {**one, "item": None, "value": np.float32(2)}])
    found = store.findings("d")
    assert [f["item"] for f in found] == [3, None]
    assert np.isnan(found[0]["value"])
    assert found[1]["value"] == 2.0
    store.record_findings("d", [])
    assert store.findings("d") == []
    assert store.findings("never") == []


def test_runs(store):
    assert store.run("j1") is None
    store.start_run("j1", {"seed": 1})
    scratch = store.workdir("j1")
    store.fail_run("j1", "boom")
    assert (store.run("j1").state, store.run("j1").error) == ("failed", "boom")
    assert scratch.is_dir()
    store.start_run("j1", {"seed": 1})
    assert (store.run("j1").state, store.run("j1").attempts) == ("running", 2)
    store.finish_run("j1", outputs=["d"], log={"wall_s": 2.5, "rate": np.float64(3)})
    done = store.run("j1")
    assert (done.state, done.outputs, done.log) == ("finished", ("d",), {"wall_s": 2.5, "rate": 3})
    assert done.job == {"seed": 1}
    assert not scratch.exists()
    store.start_run("j1", {"seed": 1})
    store.fail_run("j1", "late")
    assert store.run("j1") == done
    with pytest.raises(MissingInputError):
        store.finish_run("never", outputs=[], log={})


def test_sources(store):
    a = store.add_source(row(1, name="night", subject={"id": "m1"}, hashed=(2**62, 5)))
    b = store.add_source(row(2, name="night", path=str(store.path.parent / "raw" / "b.bin")))
    far = store.add_source(row(3, path="/data/far.bin"))
    assert [s.name for s in store.sources()] == ["night", "night-2", "rec3"]
    assert (b.path, far.path) == ("../raw/b.bin", "/data/far.bin")
    assert store.locate(b) == store.path.parent / "raw" / "b.bin"
    assert store.add_source(row(1, name="other")) == a
    assert store.source("night") == store.source(a.fingerprint[:6]) == a
    assert store.source(str(store.path.parent / "raw" / "b.bin")) == b
    assert store.sources()[0].hashed == (2**62, 5)
    with pytest.raises(MissingInputError, match="Did you mean 'night"):
        store.source("nihgt")
    store.add_source(row(4, fingerprint="1000ffff"))
    with pytest.raises(BadArgumentError, match="fits"):
        store.source("1000")


def test_update_source_keeps_what_was(store):
    store.add_source(row(1, subject={"id": "m1"}))
    store.add_source(row(2))
    key = row(1).fingerprint
    moved = store.update_source(key, path="/new/x.bin", subject={"id": "m2"})
    assert store.source(key) == moved
    assert moved.subject == {"id": "m2"}
    store.update_source(key, path="/new/x.bin")  # nothing new
    history = store.source_history(key)
    assert [(h["before"], h["after"]) for h in history] == [
        (
            {"path": "raw/x.bin", "subject": {"id": "m1"}},
            {"path": "/new/x.bin", "subject": {"id": "m2"}},
        )
    ]
    with pytest.raises(BadArgumentError):
        store.update_source(key, fingerprint="x")
    with pytest.raises(BadArgumentError):
        store.update_source(key, name="rec2")
    with pytest.raises(MissingInputError):
        store.update_source("nope", name="x")


def test_edits_come_back_equal_in_journal_order(store, make_edit):
    edits = [make_edit(n, base="ab"[n % 2] * 64) for n in (5, 3, 9, 1)]
    assert store.append(edits[:3]) == [e.uuid for e in edits[:3]]
    store.append(edits[3:])
    assert store.edits() == edits
    assert store.edits(base="a" * 64) == [e for e in edits if e.base[0] == "a"]
    assert store.append([]) == []


def test_a_uuid_is_stored_once(store, make_edit):
    edit = make_edit(1)
    store.append([edit])
    assert store.append([edit, make_edit(2), edit, make_edit(2)])[0] == edit.uuid
    assert store.edits() == [edit, make_edit(2)]
    with pytest.raises(BadEditError, match="other content"):
        store.append([make_edit(3), replace(edit, reviewer="ben")])
    with pytest.raises(BadEditError, match="other content"):
        store.append([make_edit(4), replace(make_edit(4), kind=EditKind.NOTE)])
    assert store.edits() == [edit, make_edit(2)]  # the whole batch was refused


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": {"x": float("nan")}},
        {"payload": {"x": object()}},
        {"payload": {"x": "\ud800"}},
        {"reviewer": "a\0b"},
        {"when_s": float("inf")},
    ],
    ids=["nan", "object", "surrogate", "nul", "infinite"],
)
def test_edits_that_cannot_be_kept_exactly_are_refused(store, make_edit, changes):
    with pytest.raises(BadEditError):
        store.append([make_edit(1, **changes)])
    assert store.edits() == []


@pytest.mark.parametrize("statement", ["UPDATE edits SET reviewer = 'x'", "DELETE FROM edits"])
def test_the_database_itself_refuses_to_change_edits(store, make_edit, statement):
    store.append([make_edit(1)])
    with pytest.raises(StoreError, match="only ever appended"), store._journal.writing() as db:
        db.execute(sa.text(statement))
    assert store.edits() == [make_edit(1)]


def test_a_changed_edit_is_told_apart(tmp_path, make_edit):
    with Store.open(tmp_path) as store:
        store.append([make_edit(1)])
        with store._journal.writing() as db:
            db.execute(sa.text("DROP TRIGGER edits_no_update"))
            db.execute(sa.text("UPDATE edits SET reviewer = 'mallory'"))
        with pytest.raises(CorruptProjectError, match="digest"):
            store.edits()
        assert "edit 1" in store.verify()[0]


def test_positions_count_up_over_threads(store, make_edit):
    def work(k):
        for n in range(5):
            store.append([make_edit(100 * k + n)])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store._journal.reading() as db:
        positions = [r["position"] for r in store._journal.select(db, schema.edits)]
    assert positions == list(range(1, 21))
    numbers = [e.uuid.int for e in store.edits()]
    for k in range(4):
        own = [n for n in numbers if n // 100 == k]
        assert own == sorted(own)
        assert len(own) == 5


def test_projects_in_one_database_do_not_see_each_other(tmp_path, postgresql, make_edit):
    with (
        Store.open(tmp_path / "a", database=postgresql) as a,
        Store.open(tmp_path / "b", database=postgresql) as b,
    ):
        a.append([make_edit(1)])
        b.append([make_edit(1, reviewer="ben")])
        assert [e.reviewer for e in a.edits()] == ["anna µ"]
        assert [e.reviewer for e in b.edits()] == ["ben"]


def test_schema_matches_the_sql(store):
    inspector = sa.inspect(store._journal.engine)
    found = {t: {c["name"] for c in inspector.get_columns(t)} for t in inspector.get_table_names()}
    declared = {t.name: {c.name for c in t.columns} for t in schema.TABLES}
    versions = found.pop("schema_versions")
    assert found == declared
    assert versions == {"number", "name", "applied_s"}
    assert all("project_id" in columns for columns in declared.values())


def test_a_missing_migration_is_run_at_open_all_or_nothing(tmp_path, make_edit):
    with Store.open(tmp_path) as store:
        store.append([make_edit(1)])
        n = migrations()[-1].number
        good = Migration(n + 1, "colour", "-- [all]\nALTER TABLE sources ADD COLUMN colour TEXT;")
        bad = Migration(
            n + 2, "bad", "CREATE TABLE half (a TEXT);\nINSERT INTO nowhere VALUES (1);"
        )
        steps = [*migrations(), good]
        with pytest.raises(CorruptProjectError), store._journal.writing() as db:
            migrate(db, "journal", create=False, steps=[*steps, bad])
        with store._journal.reading() as db:
            tables = {r[0] for r in db.execute(sa.text("SELECT name FROM sqlite_master"))}
            assert "half" not in tables
        with store._journal.writing() as db:
            assert migrate(db, "journal", create=False, steps=steps) == 1
            assert migrate(db, "journal", create=False, steps=steps) == 0
        assert store.edits() == [make_edit(1)]


def test_opening_is_quick_with_a_hundred_sources(tmp_path):
    with Store.open(tmp_path) as store:
        for n in range(100):
            store.add_source(row(n, name="r", streams={"ap": {"ids": list(range(384))}}))
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        with Store.open(tmp_path) as store:
            assert len(store.sources()) == 100
        best = min(best, time.perf_counter() - start)
    assert best < 0.3


def test_what_was_left_half_written_is_swept_after_a_day(tmp_path, make_labels):
    with Store.open(tmp_path) as store:
        left = tmp_path / "labels" / ".x.parquet.00.partial"
        left.write_bytes(b"half")
        assert store._objects.sweep() == 0
        assert store._objects.sweep(time.time() + 25 * 3600) == 1
        assert not left.exists()


def test_a_closed_store_says_so_and_a_copied_folder_works(tmp_path, make_labels):
    with Store.open(tmp_path / "a") as store:
        digest = store.put_labels(make_labels())
        store.record_labels(digest)
        store.add_source(row(1, path=str(tmp_path / "a" / "raw" / "x.bin")))
    with pytest.raises(StoreError, match="closed"):
        store.edits()
    shutil.copytree(tmp_path / "a", tmp_path / "far" / "b")
    with Store.open(tmp_path / "far" / "b", create=False) as copy:
        assert copy.get_labels(digest) == make_labels()
        assert copy.locate(copy.sources()[0]) == tmp_path / "far" / "b" / "raw" / "x.bin"
        assert (copy.id, copy.name) == (store.id, "a")


def test_a_project_is_what_its_toml_says(tmp_path):
    with Store.open(tmp_path / 'we "ird\\ \x7fname') as store:
        values = tomllib.loads((store.path / "project.toml").read_text())
        assert UUID(values["id"]) == store.id
        assert values["name"] == 'we "ird\\ \x7fname'
        assert (values["format"], values["journal"]) == (1, "sqlite")
