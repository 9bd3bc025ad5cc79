"""Units of two runs, matched by spikes and templates."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.matching import match_units
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance


def labels(trains, name="a"):
    sample = np.concatenate([*trains.values(), np.empty(0, np.int64)])
    item = np.repeat(list(trains), [len(t) for t in trains.values()]).astype(np.int64)
    made = Provenance("spikes", "f", Author("model", name))
    return LabelSet.build(Kind.EVENTS, {"sample": sample, "item": item}, ("unit",), made)


def items(of, channel, names="abcdef"):
    """Units on these channels of the probe, in order of items."""
    out = np.zeros((len(channel), 30, len(names)), np.float32)
    wave = -100 * np.exp(-(((np.arange(30) - 10) / 3.0) ** 2))
    for row, c in enumerate(channel):
        out[row, :, names.index(c)] = wave
    table = pa.table({"item": pa.array(of.items)})
    return ItemTable(of.digest, table, {}, {"template": out},
                     {"rate_hz": 30_000.0, "channel_ids": list(names)})  # fmt: skip


def trains(rng, n_units, n=80):
    return {k: np.sort(rng.integers(0, 3 * 10**6, n)) for k in range(n_units)}


@given(st.permutations(range(6)), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_run_with_jitter_misses_and_other_names_is_recognised(order, seed):
    rng = np.random.default_rng(seed)
    old = trains(rng, 6)
    new = {
        10 + order[k]: train[rng.random(train.size) < 0.8] + rng.integers(-5, 6)
        for k, train in old.items()
    }
    found = match_units(labels(old), labels(new, "b"))
    assert found == {k: 10 + order[k] for k in old}
    back = match_units(labels(new, "b"), labels(old))
    assert back == {b: a for a, b in found.items()}


def halves(rng):
    """A train, and two that hold a third and a half of it."""
    whole = np.sort(rng.integers(0, 3 * 10**6, 120))
    return labels({0: whole}), labels({0: whole[::3], 1: whole[1::2]}, "b")


def test_the_template_decides_between_parts_and_cannot_make_up_for_spikes():
    old, new = halves(np.random.default_rng(0))
    assert match_units(old, new) == {0: 1}
    assert match_units(old, new, items(old, "b"), items(new, "bf")) == {0: 0}
    assert match_units(old, new, items(old, "b"), items(new, "ff")) == {}
    other = labels(trains(np.random.default_rng(5), 1), "c")
    assert match_units(old, other, items(old, "b"), items(other, "b")) == {}


def test_channels_are_compared_by_name():
    old, new = halves(np.random.default_rng(0))
    turned = items(new, "bf", names="fedcba")
    assert match_units(old, new, items(old, "b"), turned) == {0: 0}
    strangers = items(new, "uu", names="uvwxyz")
    assert match_units(old, new, items(old, "b"), strangers) == {0: 1}  # spikes alone


def test_units_without_facts_are_matched_by_their_spikes():
    old, new = halves(np.random.default_rng(0))
    some = items(new, "bf")
    blank = ItemTable(some.of, some.table, {}, {"template": some.arrays["template"] * np.nan},
                      some.context)  # fmt: skip
    assert match_units(old, new, items(old, "b"), blank) == {0: 1}
    none = ItemTable(new.digest, some.table.slice(0, 0), {}, {"template": np.empty((0, 30, 6))},
                     some.context)  # fmt: skip
    assert match_units(old, new, items(old, "b"), none) == {0: 1}


def test_the_tolerance_is_in_samples():
    old = labels({0: np.arange(1, 50) * 10_000})
    new = labels({0: np.arange(1, 50) * 10_000 + 20}, "b")
    assert match_units(old, new) == {}
    assert match_units(old, new, tolerance=20) == {0: 0}


@pytest.mark.parametrize("empty", [0, 1])
def test_nothing_matches_nothing(empty):
    pair = [labels({0: np.arange(5) * 1000}), labels({0: np.arange(5) * 1000}, "b")]
    pair[empty] = labels({}, "none")
    assert match_units(*pair) == {}
