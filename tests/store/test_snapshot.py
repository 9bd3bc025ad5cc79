from __future__ import annotations

import threading

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.store import SourceRow, Store


def test_a_snapshot_of_a_project_that_is_being_written_is_whole(tmp_path, make_edit, make_labels):
    stop = threading.Event()
    sets = [make_labels(n) for n in range(300)]

    def write():
        with Store.open(tmp_path / "live") as own:
            for n, labels in enumerate(sets):
                own.record_labels(own.put_labels(labels))
                own.append([make_edit(n, base=labels.digest)])
                if stop.is_set():
                    return

    with Store.open(tmp_path / "live") as store:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for n in range(4):
                before = len(store.edits())
                with Store.open(store.snapshot(tmp_path / f"copy{n}"), create=False) as copy:
                    assert copy.verify() == []
                    edits, rows = copy.edits(), copy.label_sets()
                    assert len(edits) >= before
                    # as of one moment: the set of an edit was recorded before it
                    assert {e.base for e in edits} <= {r.digest for r in rows}
                    assert len(rows) - len(edits) in (0, 1)
                    assert (copy.id, copy.name) == (store.id, store.name)
        finally:
            stop.set()
            writer.join()


def test_a_snapshot_is_independent_and_leads_to_the_raw_data(tmp_path, make_edit, make_labels):
    with Store.open(tmp_path / "a") as store:
        key = store.put_array(np.arange(5.0))
        store.add_source(SourceRow("f1", "in", str(tmp_path / "a" / "raw" / "x"), "raw"))
        store.add_source(SourceRow("f2", "beside", str(tmp_path / "raw" / "y"), "raw"))
        (tmp_path / "a" / "reports" / "r.html").write_text("one")
        store.workdir("job")
        copy = store.snapshot(tmp_path / "deep" / "er" / "copy")
        store.append([make_edit(1)])
        (tmp_path / "a" / "reports" / "r.html").write_text("two")
        with Store.open(copy, create=False) as other:
            assert other.edits() == []
            np.testing.assert_array_equal(other.get_array(key), np.arange(5.0))
            assert [other.locate(s) for s in other.sources()] == [
                tmp_path / "a" / "raw" / "x",
                tmp_path / "raw" / "y",
            ]
            other.append([make_edit(2)])
        assert (copy / "reports" / "r.html").read_text() == "one"
        assert list((copy / "work").iterdir()) == []
        assert store.edits() == [make_edit(1)]


def test_a_snapshot_never_overwrites(tmp_path):
    with Store.open(tmp_path / "a") as store:
        for destination in (tmp_path, tmp_path / "a", tmp_path / "a" / "labels" / "b"):
            with pytest.raises(BadArgumentError, match="new folder"):
                store.snapshot(destination)
