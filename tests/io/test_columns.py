"""Columns as plain arrays, and imported units' facts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.errors import BadLabelsError, ExportError
from nissl.io.columns import Plain, from_plain, to_plain
from nissl.io.names import plain_name
from nissl.io.unit_facts import Sorted, best_channels, item_table
from nissl.labels.digest import digest_table
from nissl.testing.exporters import example_spikes

VALUES = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint64": st.integers(0, 2**64 - 1),
    "int8": st.integers(-128, 127),
    "double": st.floats(),
    "float": st.floats(width=32),
    "bool": st.booleans(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
}


@given(data=st.data(), n=st.integers(0, 6))
def test_any_column_comes_back(data, n):
    columns = {}
    for kind, values in VALUES.items():
        rows = data.draw(st.lists(st.none() | values, min_size=n, max_size=n))
        columns[kind] = pa.array(rows, pa.type_for_alias(kind), from_pandas=False)
    table = pa.table(columns)
    plain = to_plain(table)
    back = from_plain(plain)
    assert back.schema == table.schema
    assert digest_table(back) == digest_table(table)
    assert all(len(v) == n for v in plain.values.values())


def test_nested_columns_are_refused():
    with pytest.raises(ExportError, match="parquet"):
        to_plain(pa.table({"a": [[1], [2]]}))


@pytest.mark.parametrize(
    "plain",
    [
        Plain({}, {"a": "int64"}),
        Plain({"a": np.asarray([1])}, {"a": "list<int64>"}),
        Plain({"a": np.asarray([0.5])}, {"a": "int64"}),
        Plain({"a": np.asarray(["x"])}, {"a": "double"}),
        Plain({"a": np.asarray([1])}, {"a": "int64"}, {"a": [7]}),
    ],
)
def test_values_that_do_not_fit(plain):
    with pytest.raises(BadLabelsError):
        from_plain(plain)


def test_names():
    assert plain_name("Reviewer A/µ") == "reviewer_a"
    assert plain_name("µ") == "unnamed"


def test_best_channels():
    template = np.zeros((4, 3, 2), np.float32)
    template[0, 1] = [-5, 4]
    template[1, 2] = [1, 2]
    template[2] = np.nan
    assert best_channels(template).tolist() == [0, 1, -1, -1]
    assert best_channels(np.zeros((2, 0, 3), np.float32)).tolist() == [-1, -1]


def test_facts_of_imported_units():
    labels = example_spikes(np.random.default_rng(0), n_units=3, n_spikes=90)
    units = np.asarray([0, 1, 2, 9])
    template = np.zeros((4, 5, 2), np.float32)
    template[:3, 2, 1] = -50
    template[3] = np.nan
    facts = Sorted(
        rate_hz=30000.0,
        n_samples=300_000,
        template=template,
        position_um=np.asarray([[0, 0], [0, 20.0]]),
        shank=np.asarray([0, 1]),
        columns={"mine": np.arange(4.0), "n_spikes": np.zeros(4)},
    )
    items = item_table(labels, units, facts)
    counts = [labels.rows_of(k).size for k in (0, 1, 2)]
    assert items.table.column("n_spikes").to_pylist() == [*counts, 0]
    assert np.allclose(items.table.column("firing_rate_hz").to_numpy()[:3], np.asarray(counts) / 10)
    assert items.table.column("channel").to_pylist() == [1, 1, 1, -1]
    assert items.table.column("shank").to_pylist() == [1, 1, 1, 0]
    assert items.table.column("y_um").to_pylist()[:3] == [20, 20, 20]
    assert np.isnan(items.table.column("y_um").to_pylist()[3])
    medians = [np.median(labels.column("amplitude")[labels.rows_of(k)]) for k in (0, 1, 2)]
    assert np.allclose(items.table.column("amplitude_median_uv").to_numpy()[:3], medians)
    assert items.table.column("mine").to_pylist() == [0, 1, 2, 3]
    assert items.context["n_before"] == 2
    assert items.units["template"] == "uV"
    assert items.arrays["acg"].shape == (4, 101)
