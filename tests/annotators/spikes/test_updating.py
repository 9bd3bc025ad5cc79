"""Cheap updates of the unit table, against what they must keep."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.units import SCHEMA, to_arrow
from nissl.annotators.spikes.updating import update
from nissl.labels import Edit, EditKind, ItemTable


def table(counts):
    n = len(counts)
    columns = {c.name: np.linspace(1, 2, n) for c in SCHEMA}
    columns |= {
        "item": 10 * np.arange(n),
        "n_spikes": np.asarray(counts),
        "channel": np.arange(n),
        "shank": np.zeros(n),
        "firing_rate_hz": np.asarray(counts) / 10.0,
        "x_um": np.arange(n, dtype=float),
    }
    arrays = {
        "template": np.stack([np.full((4, 2), float(k), np.float32) for k in range(n)]),
        "acg": np.ones((n, 5), np.float32),
    }
    return ItemTable("d", to_arrow(columns), {}, arrays, {"rate_hz": 1.0})


def edit(kind, items, **payload):
    return Edit(UUID(int=1), kind, "d", items, "me", 0.0, payload)


def values(items, name):
    return items.table.column(name).to_numpy()


def test_a_merge_is_weighted_by_spikes():
    merged = update(table([100, 300, 50]), edit(EditKind.MERGE, (10, 0)))
    assert merged.items.tolist() == [0, 20]
    assert values(merged, "n_spikes").tolist() == [400, 50]
    assert values(merged, "firing_rate_hz").tolist() == [40, 5]
    assert values(merged, "x_um")[0] == pytest.approx(0.75)
    assert values(merged, "channel")[0] == 1
    assert merged.arrays["template"][0] == pytest.approx(np.full((4, 2), 0.75))
    assert np.isnan(merged.arrays["acg"][0]).all()
    assert values(merged, "expected_false_positives")[0] == pytest.approx(1.375)
    assert np.isnan(values(merged, "expected_false_negatives")[0])
    assert np.isnan(values(merged, "nn_isolation")[0])
    assert np.isfinite(values(merged, "nn_isolation")[1])
    assert merged.of == "d"


def test_what_was_said_of_pairs_goes_with_a_unit_that_changed():
    items = table([100, 300, 50, 70])
    context = {"rate_hz": 1.0, "apart": [[0, 10, 2.0], [20, 30, -1.0]]}
    items = ItemTable("d", items.table, {}, items.arrays, context)
    merged = update(items, edit(EditKind.MERGE, (0, 10)))
    assert merged.context == {"rate_hz": 1.0, "apart": [[20, 30, -1.0]]}
    parted = update(items, edit(EditKind.SPLIT, (20,), rows=[[1, 2]]))
    assert parted.context["apart"] == [[0, 10, 2.0]]


def test_a_split_shares_the_spikes():
    rest = update(table([100, 50]), edit(EditKind.SPLIT, (0,), rows=[[1, 2, 3], [4, 5]]))
    assert rest.items.tolist() == [0, 10, 11, 12]
    assert values(rest, "n_spikes").tolist() == [95, 50, 3, 2]
    assert np.isnan(values(rest, "snr")[[0, 2, 3]]).all()
    assert rest.arrays["template"][2] == pytest.approx(rest.arrays["template"][0])
    whole = update(table([3, 50]), edit(EditKind.SPLIT, (0,), rows=[[1], [2, 3]]))
    assert whole.items.tolist() == [10, 11, 12]


def test_removed_units_leave_and_other_edits_change_nothing():
    before = table([100, 50])
    assert update(before, edit(EditKind.REMOVE, (10,))).items.tolist() == [0]
    for kind in (EditKind.ACCEPT, EditKind.RELABEL, EditKind.NOTE, EditKind.UNSURE):
        assert update(before, edit(kind, (0,))) == before
    assert update(before, edit(EditKind.MERGE, (77, 78))) == before


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8), st.data())
def test_merging_keeps_every_spike(counts, data):
    before = table(counts)
    chosen = data.draw(st.permutations(before.items.tolist()))[
        : data.draw(st.integers(2, len(counts)))
    ]
    after = update(before, edit(EditKind.MERGE, tuple(chosen)))
    assert values(after, "n_spikes").sum() == sum(counts)
    assert set(after.items.tolist()) == set(before.items.tolist()) - set(sorted(chosen)[1:])
    low, high = before.arrays["template"].min(), before.arrays["template"].max()
    template = after.arrays["template"]
    assert low - 1e-5 <= template.min() <= template.max() <= high + 1e-5
