"""Groups by which acceptance may be off: named by the project's facts, judged by audited labels."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from nissl.labels import ItemTable
from nissl.review.groups import NAMED, SIZE, groups_of, off_in


@pytest.fixture
def desk(open_study):
    room, _ = open_study(n_units=6)
    return room.desks[0]


def test_items_are_named_by_session_subject_and_size(desk):
    source = replace(
        desk.source,
        session=dict(desk.source.session) | {"region": "CA1"},
        subject=dict(desk.source.subject) | {"species": "Mus musculus", "id": "m1"},
    )
    found = groups_of(replace(desk, source=source), desk.item_ids)
    assert list(found) == [*NAMED, SIZE]
    assert found["region"] == ["CA1"] * 6
    assert found["species"] == ["Mus musculus"] * 6
    assert found["lab"] == ["unknown"] * 6
    assert groups_of(desk, [10**6])[SIZE] == ["unknown"]
    assert all(len(values) == 6 for values in found.values())


def test_sizes_are_bands_of_the_amplitude_whatever_its_sign(desk):
    size = [-30.0, 50.0, -99.0, 100.0, None, float("nan")]
    table = pa.table({"item": desk.item_ids, "amplitude_median_uv": size})
    items = desk.store.put_items(ItemTable(desk.key, table, {"amplitude_median_uv": "uV"}, {}, {}))
    found = groups_of(replace(desk, row=replace(desk.row, items=items)), desk.item_ids)
    named = ["below 50 uV", "50 to 100 uV", "50 to 100 uV", "100 and more uV", "unknown", "unknown"]
    assert found[SIZE] == named


def test_a_group_over_the_budget_is_off_and_small_ones_are_left_to_the_whole():
    groups = {"region": ["CA1"] * 40 + ["CA3"] * 40 + ["DG"] * 5, "lab": ["one"] * 85}
    wrong = np.zeros(85, bool)
    wrong[40:46] = True  # 15 % of CA3
    wrong[80:] = True  # all of DG, but they are five
    found = off_in(wrong, groups, 0.1)
    assert found == {"region: CA3": "15.0% wrong among 40 audited, the budget is 10.0%"}
    assert off_in(wrong, groups, 0.2) == {}
    assert off_in(wrong, {"lab": ["one"] * 85}, 0.01) == {}
