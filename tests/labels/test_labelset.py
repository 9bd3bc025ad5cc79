"""The nouns: immutability, digests, invariants, speed."""

import pickle
import time
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadEditError, BadLabelsError
from nissl.labels import (
    Author,
    Edit,
    EditKind,
    FeatureTable,
    ItemTable,
    Kind,
    LabelSet,
    Provenance,
    Vocabulary,
    schema,
)
from nissl.labels.digest import digest_array, digest_files, digest_table
from nissl.testing.strategies import feature_tables, item_tables, journals, label_sets

PROVENANCE = Provenance("task", "", Author("model", "m"))
quick = settings(deadline=None, max_examples=60)


def build(kind, vocabulary=("x",), provenance=PROVENANCE, **columns):
    return LabelSet.build(kind, columns, vocabulary, provenance)


def test_rows_stand_in_order_and_defaults_are_filled():
    labels = build(Kind.EVENTS, sample=[30, 10, 20, 10])
    assert labels.column("sample").tolist() == [10, 10, 20, 30]
    assert labels.column("id").tolist() == [1, 3, 2, 0]
    assert labels.column("item").tolist() == [1, 3, 2, 0]
    assert np.isnan(labels.column("confidence")).all()
    assert labels.column("channel").tolist() == [-1] * 4
    assert labels.table.schema.equals(schema(Kind.EVENTS, 1))


def test_columns_cannot_be_written():
    sample = np.arange(5)
    labels = build(Kind.EVENTS, sample=sample, amplitude=[1.0, None, 2.0, 3.0, np.nan])
    digest = labels.digest
    for name in ("sample", "amplitude", "channel", "confidence"):
        column = labels.column(name)
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        labels.column("sample").setflags(write=True)
    with pytest.raises(ValueError, match="read-only"):
        labels.items[0] = 1
    sample[:] = 99  # the caller's own array
    assert labels.column("sample").tolist() == [0, 1, 2, 3, 4]
    assert LabelSet(labels.kind, labels.table, labels.vocabulary, PROVENANCE).digest == digest


def test_provenance_does_not_share_the_callers_dictionaries():
    parameters = {"a": {"b": [1]}}
    labels = build(
        Kind.EVENTS,
        provenance=Provenance("t", "", PROVENANCE.author, parameters=parameters),
        sample=[1],
    )
    digest = labels.digest
    parameters["a"]["b"].append(2)
    again = LabelSet(labels.kind, labels.table, labels.vocabulary, labels.provenance)
    assert again.digest == digest


@pytest.mark.parametrize("value", [float("nan"), np.int64(3), {1, 2}, object()])
def test_parameters_are_plain_values(value):
    with pytest.raises(BadLabelsError, match="plain JSON"):
        Provenance("t", "", PROVENANCE.author, parameters={"x": value})


@quick
@given(label_sets())
def test_digest_does_not_depend_on_chunks(labels):
    table = labels.table
    pieces = [table.slice(k, 1) for k in range(table.num_rows)] or [table]
    again = LabelSet(labels.kind, pa.concat_tables(pieces), labels.vocabulary, labels.provenance)
    assert again == labels
    assert hash(again) == hash(labels)
    assert pickle.loads(pickle.dumps(labels)) == labels


@quick
@given(label_sets(), st.data())
def test_digest_depends_on_every_part(labels, data):
    others = [
        LabelSet(
            labels.kind,
            labels.table,
            Vocabulary(labels.vocabulary.names, terms=("t",) * len(labels.vocabulary)),
            labels.provenance,
        ),
        LabelSet(
            labels.kind,
            labels.table,
            labels.vocabulary,
            Provenance("other task", "", Author("person", "x")),
        ),
    ]
    if labels.n_rows:
        row = data.draw(st.integers(0, labels.n_rows - 1))
        rest = labels.table.take(
            pa.array([i for i in range(labels.n_rows) if i != row], pa.int64())
        )
        others.append(LabelSet(labels.kind, rest, labels.vocabulary, labels.provenance))
    assert all(other != labels for other in others)


@quick
@given(label_sets())
def test_rows_of_items_are_a_partition(labels):
    rows = [labels.rows_of(int(item)) for item in labels.items]
    for item, mine in zip(labels.items, rows, strict=True):
        assert mine.tolist() == np.flatnonzero(labels.column("item") == item).tolist()
    assert sum(r.size for r in rows) == labels.n_rows
    assert labels.rows_of(10**12).size == 0


@pytest.mark.parametrize(
    ("kind", "columns", "fault"),
    [
        (Kind.EVENTS, {"sample": [-1]}, "negative samples"),
        (Kind.EVENTS, {"sample": [1, 2], "id": [3, 3]}, "ids repeat"),
        (Kind.EVENTS, {"sample": [1], "label": [1]}, "label codes"),
        (Kind.EVENTS, {"sample": [1], "label": [-1]}, "label codes"),
        (Kind.EVENTS, {"sample": [1], "confidence": [1.5]}, "confidence outside"),
        (Kind.EVENTS, {"sample": [1, None]}, "null in 1 rows"),
        (Kind.EVENTS, {"sample": [1.5]}, "'sample'"),
        (Kind.EVENTS, {"sample": np.array([1.5])}, "'sample'"),
        (Kind.EVENTS, {"sample": ["1"]}, "'sample'"),
        (Kind.EVENTS, {"sample": [True]}, "'sample'"),
        (Kind.EVENTS, {"sample": [2**63]}, "'sample'"),
        (Kind.REGIONS, {"pixels": [[1.5]]}, "'pixels'"),
        (Kind.EVENTS, {"sample": [1, 2], "item": [1]}, "with 1 values, got 2"),
        (Kind.EVENTS, {"sample": [1], "place": [1]}, "unknown"),
        (Kind.EVENTS, {"channel": [1]}, "missing"),
        (Kind.EVENTS, {}, "missing"),
        (
            Kind.EVENTS,
            {"sample": [1, 2], "item": [0, 0], "probabilities": [[1.0], [1.0]]},
            "probabilities on rows",
        ),
        (Kind.SPANS, {"start": [1], "stop": [2], "probabilities": [[0.5]]}, "sum of 1"),
        (Kind.SPANS, {"start": [1], "stop": [2], "probabilities": [[1.0, 0.0]]}, "probabilities"),
        (Kind.SPANS, {"start": [5], "stop": [5]}, "stop <= start"),
        (
            Kind.POINTS,
            {"frame": [0], "x": [np.nan], "y": [0.0], "visible": [True]},
            "visible points without x",
        ),
        (Kind.REGIONS, {"pixels": [[1, 2], []]}, "row 1: pixels"),
        (Kind.REGIONS, {"pixels": [[1, 2], [5, 3, 5]]}, "row 1: pixels"),
        (Kind.REGIONS, {"pixels": [[-1]]}, "row 0: pixels"),
        (Kind.REGIONS, {"pixels": [[1, None]]}, "null"),
        (Kind.REGIONS, {"pixels": [[1], [2]], "weights": [None, [1.0, 2.0]]}, "row 1: 2 weights"),
    ],
)
def test_rows_that_break_an_invariant_are_refused(kind, columns, fault):
    with pytest.raises(BadLabelsError) as caught:
        build(kind, **columns)
    assert fault in str(caught.value)


def test_a_foreign_schema_is_refused():
    table = pa.table({"id": [1], "sample": [2]})
    with pytest.raises(BadLabelsError, match=r"LabelSet\.build"):
        LabelSet(Kind.EVENTS, table, Vocabulary(("x",)), PROVENANCE)


def test_rows_out_of_order_are_refused():
    labels = build(Kind.EVENTS, sample=[1, 2])
    with pytest.raises(BadLabelsError, match="not in order of sample"):
        LabelSet(Kind.EVENTS, labels.table.take(pa.array([1, 0])), labels.vocabulary, PROVENANCE)


def test_many_regions_are_checked_without_a_loop():
    rng = np.random.default_rng(0)
    pixels = [rng.choice(10_000, 30, replace=False) for _ in range(3000)]
    began = time.process_time()
    labels = build(Kind.REGIONS, pixels=pixels)
    assert time.process_time() - began < 1
    assert labels.n_rows == 3000


@pytest.mark.slow
def test_ten_million_events_take_seconds():
    rng = np.random.default_rng(0)
    sample, item = np.sort(rng.integers(0, 10**9, 10**7)), rng.integers(0, 300, 10**7)
    began = time.process_time()
    labels = build(Kind.EVENTS, sample=sample, item=item)
    assert len(labels.digest) == 64
    assert time.process_time() - began < 15  # 3 s on an idle core


@quick
@given(item_tables())
def test_item_tables_are_sealed(items):
    for array in items.arrays.values():
        assert not array.flags.writeable
    again = ItemTable(items.of, items.table, items.units, items.arrays, items.context)
    assert again == items
    for row, item in enumerate(items.items.tolist()):
        assert items.row_of(item) == row
    with pytest.raises(BadLabelsError):
        items.row_of(10**9)


@pytest.mark.parametrize(
    ("table", "arrays"),
    [
        (pa.table({"item": pa.array([2, 1], pa.int64())}), {}),
        (pa.table({"item": pa.array([1, None], pa.int64())}), {}),
        (pa.table({"snr": [1.0]}), {}),
        (pa.table({"item": pa.array([1], pa.int64())}), {"x": np.ones(2)}),
        (pa.table({"item": pa.array([1], pa.int64())}), {"x": np.array([object()])}),
    ],
)
def test_item_tables_that_do_not_fit_are_refused(table, arrays):
    with pytest.raises(BadLabelsError):
        ItemTable("", table, arrays=arrays)


@quick
@given(feature_tables())
def test_feature_tables_through_arrow(features):
    back = FeatureTable.from_arrow(features.to_arrow())
    np.testing.assert_array_equal(back.values, features.values)
    assert (back.names, back.units, back.subject, back.session) == (
        features.names,
        features.units,
        features.subject,
        features.session,
    )


@quick
@given(st.data())
def test_edits_through_json(data):
    labels = data.draw(label_sets())
    for edit in data.draw(journals(labels)):
        assert Edit.from_json(edit.to_json()) == edit


@quick
@given(
    st.dictionaries(
        st.sampled_from(
            ["uuid", "kind", "base", "items", "reviewer", "when_s", "payload", "group"]
        ),
        st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
    )
)
def test_malformed_edits_are_refused(value):
    with pytest.raises(BadEditError):
        Edit.from_json(value)


def test_an_edit_needs_a_reviewer():
    with pytest.raises(BadEditError):
        Edit(UUID(int=1), EditKind.ACCEPT, "", (), "", 0.0)


@pytest.mark.parametrize("changes", [{"when_s": np.nan}, {"payload": {"x": np.float32(1)}}])
def test_edits_hold_plain_values(changes):
    facts = {"when_s": 0.0, "payload": {"text": "x"}} | changes
    with pytest.raises(BadEditError):
        Edit(UUID(int=1), EditKind.NOTE, "", (), "ana", **facts)


def test_digest_of_files_depends_on_names_and_contents_not_on_order():
    one = digest_files({"a": b"12", "b": b"3"})
    assert one == digest_files({"b": b"3", "a": b"12"})
    others = [{"a": b"1", "b": b"23"}, {"a": b"12", "c": b"3"}, {"a": b"12"}, {"ab": b"123"}]
    assert len({one, *(digest_files(files) for files in others)}) == 5


def test_digest_of_arrays_and_tables():
    a = np.arange(6, dtype="<i4").reshape(2, 3)
    assert digest_array(a) == digest_array(a.astype(">i4")) == digest_array(np.asfortranarray(a))
    assert digest_array(a) != digest_array(a.reshape(3, 2))
    assert digest_array(a) != digest_array(a.astype("<i8"))
    quiet, other = np.array([np.nan]), np.array([-np.nan])
    assert digest_array(quiet) == digest_array(other)
    small, large = (
        pa.table({"x": pa.array(["a", None], t)}) for t in (pa.string(), pa.large_string())
    )
    assert digest_table(small) == digest_table(large)
    assert digest_table(small) != digest_table(pa.table({"y": ["a", None]}))
    with pytest.raises(BadLabelsError, match="Cast"):
        digest_array(np.array([object()]))
    with pytest.raises(BadLabelsError, match="Cast"):
        digest_table(pa.table({"x": [b"bytes"]}))
