"""Reading files of others without trusting them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.errors import CorruptSourceError, NisslError, SourceNotFoundError
from nissl.io.files import (
    is_text,
    load_integers,
    load_json,
    load_npy,
    parse_assignments,
    read_table,
)

SHARED = [HealthCheck.function_scoped_fixture]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5, dtype=np.uint64),
        np.arange(5.0),
        np.arange(5, dtype=np.int8)[:, None],
        np.arange(5, dtype=">i4")[None],
    ],
)
def test_whole_numbers_in_whatever_form(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    out = load_integers(tmp_path / "a.npy")
    assert out.dtype == np.int64
    assert out.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    "array",
    [
        np.asarray([0.5]),
        np.asarray([np.nan]),
        np.asarray([1e300]),
        np.asarray([2**63], np.uint64),
        np.asarray([-1]),
        np.asarray(["a"]),
        np.zeros((2, 2), int),
        np.asarray([{}], dtype=object),
    ],
)
def test_what_is_no_list_of_whole_numbers(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(CorruptSourceError, match=r"a\.npy"):
        load_integers(tmp_path / "a.npy", lowest=0)


def test_strings_beyond_unicode(tmp_path):
    bad = np.frombuffer(np.asarray([0x7FFFFFFF, 65], np.uint32).tobytes(), "<U2")
    assert not is_text(bad)
    assert is_text(np.asarray(["µV", ""]))
    np.save(tmp_path / "a.npy", bad)
    with pytest.raises(CorruptSourceError):
        load_npy(tmp_path / "a.npy", kinds="U")


def test_files_that_are_not_there(tmp_path):
    for load in (load_npy, load_json, read_table, parse_assignments):
        with pytest.raises(SourceNotFoundError, match=r"nothing\.npy"):
            load(tmp_path / "nothing.npy")


def test_assignments_are_literals_only(tmp_path):
    path = tmp_path / "params.py"
    path.write_text(
        "a = 1\nb = c = 'x'\nd = [1.5, None]\ne = open('/etc/passwd')\nf: int = 3\n"
        "if True:\n    g = 1\na.b = 2\nh = 1 + 1\n"
    )
    assert parse_assignments(path) == {"a": 1, "b": "x", "c": "x", "d": [1.5, None]}


def test_tables(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('\ufeffid\tname\n1\t"a\tb"\n\n2\t\n', encoding="utf-8")
    assert read_table(path) == {"id": ["1", "2"], "name": ["a\tb", ""]}
    path.write_text("")
    assert read_table(path) == {}
    for text in ("a\ta\n1\t2\n", "a\tb\n1\n"):
        path.write_text(text)
        with pytest.raises(CorruptSourceError):
            read_table(path)


@settings(max_examples=80, deadline=None, suppress_health_check=SHARED)
@given(content=st.binary(max_size=80) | st.text(max_size=60).map(lambda t: t.encode("utf-8")))
def test_any_bytes_give_values_or_our_errors(tmp_path, content):
    for name, load in (
        ("a.npy", load_npy),
        ("a.json", load_json),
        ("a.tsv", read_table),
        ("a.py", parse_assignments),
    ):
        (tmp_path / name).write_bytes(content)
        try:
            load(tmp_path / name)
        except NisslError as error:
            assert name in str(error)  # noqa: PT017  the error is not required, only its kind is
