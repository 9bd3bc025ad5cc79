"""Likeness of units, on templates and trains made by hand."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.similarity import (
    Templates,
    likely_merges,
    near_rows,
    neighbours,
    similarities,
)
from nissl.labels import ItemTable

RATE = 30_000.0


def wave(at=20, n=60, width=4.0):
    return -np.exp(-(((np.arange(n) - at) / width) ** 2))


def template(channel, *, at=20, size=100.0, width=4.0, n_channels=12):
    fall = np.exp(-np.abs(np.arange(n_channels) - channel) / 1.5)
    return (size * wave(at, width=width)[:, None] * fall).astype(np.float32)


def table(templates, x=None, items=None):
    n = len(templates)
    columns = {
        "item": pa.array(np.arange(n) if items is None else items, pa.int64()),
        "x_um": np.zeros(n),
        "y_um": np.zeros(n) if x is None else np.asarray(x, float),
    }
    arrays = {"template": np.stack(templates)}
    return ItemTable("d", pa.table(columns), {}, arrays, {"rate_hz": RATE})


def compared(templates, a, b):
    value, shift = similarities(Templates.of(table(templates)), a, np.asarray([b]))
    return float(value[0]), int(shift[0])


@given(st.integers(0, 11), st.integers(0, 11), st.integers(-15, 15), st.floats(0.1, 50))
@settings(max_examples=40, deadline=None)
def test_it_is_symmetric_bounded_and_blind_to_size(a, b, shift, gain):
    pair = [template(a, at=25), template(b, at=25 + shift) * np.float32(gain)]
    there, by = compared(pair, 0, 1)
    back, yb = compared(pair, 1, 0)
    assert there == pytest.approx(back, abs=1e-5)
    assert 0 <= there <= 1
    assert by == -yb or there < 0.05
    if a == b:
        assert there > 0.99
        assert by == shift


def test_place_and_shape_tell_units_apart():
    one = template(2)
    assert compared([one, template(9)], 0, 1)[0] < 0.05
    assert compared([one, template(4)], 0, 1)[0] < 0.8
    assert compared([one, template(2, width=12.0)], 0, 1)[0] < 0.95


def test_missing_channels_and_templates():
    holed = template(2)
    holed[:, 3] = np.nan
    assert compared([holed, template(2)], 0, 1)[0] > 0.85
    assert compared([np.full_like(holed, np.nan), holed], 0, 1)[0] == 0.0
    bare = ItemTable("d", pa.table({"item": pa.array([3, 5])}), {}, {}, {"rate_hz": RATE})
    (alone,) = neighbours(Templates.of(bare), 0, lambda i: np.asarray([1, 2, 3]), RATE)
    assert (alone.a, alone.b) == (3, 5)
    assert alone.to_json()["similarity"] is None
    assert "no templates" in alone.sentence


def test_units_that_the_table_lacks_have_no_template():
    templates = Templates.of(table([template(2), template(5)], items=[4, 8]), np.asarray([4, 6, 8]))
    assert templates.norm[[0, 2]].min() > 0
    assert templates.norm[1] == 0
    assert np.isnan(templates.place_um[1]).all()


def test_far_units_are_no_neighbours():
    templates = Templates.of(table([template(2)] * 3, x=[0, 100, 200]))
    assert near_rows(templates, 0).tolist() == [1]
    assert near_rows(templates, 1).tolist() == [0, 2]


def trains(rng, n_units):
    """Refractory trains; the last two are one neuron's spikes divided at random."""
    out = {}
    for k in range(n_units - 1):
        gaps = rng.exponential(1 / 25, 3000) + 0.003
        out[k] = (np.cumsum(gaps) * RATE).astype(np.int64)
    whole = out[n_units - 2]
    mine = rng.random(whole.size) < 0.5
    out[n_units - 2], out[n_units - 1] = whole[mine], whole[~mine]
    return out


def test_the_neuron_that_was_cut_in_two_is_named_and_no_other_pair():
    rng = np.random.default_rng(0)
    known = trains(rng, 6)
    shapes = [template(c, size=s) for c, s in ((2, 90), (2, 100), (6, 80), (8, 70), (5, 60))]
    units = table([*shapes, template(5, size=75, at=23)])
    (found,) = likely_merges(Templates.of(units), known.__getitem__, RATE)
    assert (found.a, found.b, found.shift) == (4, 5, 3)
    assert found.score > 0.9
    assert "one refractory period" in found.sentence
    assert found.to_json()["observed"] == 0
    near = {one.b: one for one in neighbours(Templates.of(units), 0, known.__getitem__, RATE)}
    assert near[1].similarity > 0.99  # the same template, another neuron
    assert near[1].score < 0.05
    assert "do not share" in near[1].sentence
