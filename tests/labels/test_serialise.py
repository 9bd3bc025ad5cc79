"""Files of label sets and item tables: round trips, and damage that must be noticed."""

import json
import os
import subprocess
import sys
import textwrap
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import (
    BadLabelsError,
    CorruptProjectError,
    DiskFullError,
    NisslError,
    ProjectTooNewError,
    ReadOnlyError,
    StoreError,
)
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance
from nissl.labels.atomic import atomic_write, store_error
from nissl.labels.serialise import read_items, read_labels, write_items, write_labels
from nissl.testing.strategies import item_tables, label_sets

relaxed = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def spikes(n=50, seed=0):
    rng = np.random.default_rng(seed)
    columns = {
        "sample": np.sort(rng.integers(0, 10_000, n)),
        "item": rng.integers(0, 3, n),
        "amplitude": rng.normal(-80, 10, n).astype(np.float32),
    }
    provenance = Provenance("spikes", "f" * 64, Author("model", "spikes/x", "1"), stream="ap")
    return LabelSet.build(Kind.EVENTS, columns, ("unit",), provenance)


def templates():
    rng = np.random.default_rng(1)
    return ItemTable(
        "d" * 64,
        pa.table({"item": pa.array([0, 4, 9], pa.int64()), "snr": [1.5, float("nan"), 3.0]}),
        {"snr": "", "template": "uV"},
        {"template": rng.normal(size=(3, 20, 4)).astype(np.float32), "acg": np.ones((3, 5))},
        {"rate_hz": 30000.0, "position_um": [[0.0, 20.0]]},
    )


@relaxed
@given(label_sets())
def test_labels_come_back_as_written(tmp_path, labels):
    path = tmp_path / "labels.parquet"
    write_labels(labels, path)
    back = read_labels(path)
    assert back.digest == labels.digest
    assert back.table.equals(labels.table) or labels.column("confidence").size  # NaN != NaN
    assert back.provenance == labels.provenance
    assert back.vocabulary == labels.vocabulary
    assert [p.name for p in tmp_path.iterdir()] == ["labels.parquet"]


@relaxed
@given(item_tables())
def test_items_come_back_as_written(tmp_path, items):
    path = tmp_path / "items.parquet"
    write_items(items, path)
    back = read_items(path)
    assert back.digest == items.digest
    assert back.table.column_names == items.table.column_names
    assert set(back.arrays) == set(items.arrays)
    for name, array in items.arrays.items():
        assert back.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(back.arrays[name], array)
    assert back.context == items.context
    assert back.units == items.units


def test_same_labels_same_bytes(tmp_path):
    write_labels(spikes(), tmp_path / "a")
    write_labels(spikes(), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    write_labels(spikes(), folder / "labels")
    write_items(templates(), folder / "items")
    return {name: (folder / name).read_bytes() for name in ("labels", "items")}


READERS = {"labels": (read_labels, spikes), "items": (read_items, templates)}


@pytest.mark.parametrize("what", ["labels", "items"])
@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_noticed_or_harmless(tmp_path, written, what, data):
    read, make = READERS[what]
    content = bytearray(written[what])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            where = data.draw(st.integers(0, len(content) - 1))
            content[where] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content)
    with suppress(CorruptProjectError, ProjectTooNewError):
        assert read(path).digest == make().digest


@pytest.mark.parametrize("what", ["labels", "items"])
@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=200))
def test_garbage_is_refused(tmp_path, what, content):
    path = tmp_path / "garbage"
    path.write_bytes(content)
    with pytest.raises(CorruptProjectError):
        READERS[what][0](path)


def rewrite(path, **changes):
    table = pq.read_table(path)
    meta = json.loads(table.schema.metadata[b"nissl"]) | changes
    pq.write_table(table.replace_schema_metadata({b"nissl": json.dumps(meta).encode()}), path)


def test_metadata_that_was_changed_is_noticed(tmp_path):
    path = tmp_path / "labels"
    write_labels(spikes(), path)
    rewrite(path, provenance=Provenance("sleep", "", Author("person", "ana")).to_json())
    with pytest.raises(CorruptProjectError, match="digest"):
        read_labels(path)
    assert read_labels(path, verify=False).provenance.task == "sleep"


def test_rows_that_break_invariants_are_refused_even_unverified(tmp_path):
    path = tmp_path / "labels"
    write_labels(spikes(), path)
    rewrite(path, kind="classes")
    with pytest.raises(CorruptProjectError):
        read_labels(path, verify=False)


def test_newer_format_is_refused_by_name(tmp_path):
    path = tmp_path / "labels"
    write_labels(spikes(), path)
    rewrite(path, format=3)
    with pytest.raises(ProjectTooNewError, match="format 3"):
        read_labels(path)


def test_sets_without_optional_columns_are_files_of_the_first_format(tmp_path):
    labels = spikes()
    columns = {name: labels.table.column(name) for name in labels.table.column_names}
    place = np.linspace(0, 9, labels.n_rows, dtype=np.float32)
    placed = LabelSet.build(
        labels.kind, {**columns, "y_um": place}, labels.vocabulary, labels.provenance
    )
    for each, version in ((labels, 1), (placed, 2)):
        write_labels(each, tmp_path / "labels")
        facts = json.loads(pq.read_schema(tmp_path / "labels").metadata[b"nissl"])
        assert facts["format"] == version
        assert read_labels(tmp_path / "labels") == each
    assert placed.digest != labels.digest
    assert placed.table.column_names == [*labels.table.column_names, "y_um"]


def test_one_kind_of_file_is_not_the_other(tmp_path):
    write_labels(spikes(), tmp_path / "labels")
    with pytest.raises(CorruptProjectError, match="not of items"):
        read_items(tmp_path / "labels")


def test_missing_file(tmp_path):
    with pytest.raises(CorruptProjectError, match="no such file"):
        read_labels(tmp_path / "none")


def test_array_column_must_not_clash(tmp_path):
    table = pa.table({"item": pa.array([1], pa.int64()), "array:x": [1]})
    items = ItemTable("", table, arrays={"x": np.ones((1, 2))})
    with pytest.raises(BadLabelsError, match="array:"):
        write_items(items, tmp_path / "items")


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def half_way():
        with atomic_write(path) as file:
            file.write(b"new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        half_way()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_missing_folder_is_a_store_error(tmp_path):
    with pytest.raises(StoreError, match="folder exists"), atomic_write(tmp_path / "no" / "file"):
        pass


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ENOSPC", DiskFullError), ("EDQUOT", DiskFullError), ("EROFS", ReadOnlyError)],
)
def test_failures_of_the_file_system_are_named(code, kind):
    import errno

    error = store_error(OSError(getattr(errno, code), os.strerror(getattr(errno, code))), "x")
    assert type(error) is kind
    assert isinstance(error, NisslError)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
def test_full_disk_leaves_nothing(tmp_path):
    """A real limit of the kernel, in a child process."""
    script = """
        import resource, sys
        from nissl.errors import DiskFullError
        from nissl.labels.atomic import write_bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_bytes(sys.argv[1], bytes(10_000))
        except DiskFullError:
            sys.exit(42)
    """
    target = tmp_path / "file"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(target)], check=False)
    assert done.returncode == 42
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ReadOnlyError):
        write_labels(spikes(), tmp_path / "labels")
