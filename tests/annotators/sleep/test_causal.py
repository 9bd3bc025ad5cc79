"""Features of what an epoch follows: nothing later is looked at, and the weights know them."""

import json

import numpy as np

from nissl.annotators.sleep.causal import causal_context, causal_row, remembered
from nissl.annotators.sleep.model import CARD, shipped, weights_folder
from nissl.annotators.sleep.powers import NAMES

NUMBERS = tuple(f"{role}:{name}" for role in ("front", "back") for name in NAMES)


def night(n=60, seed=0):
    return np.random.default_rng(seed).standard_normal((n, len(NUMBERS)))


def test_nothing_later_is_looked_at():
    values = night()
    wide, names = causal_context(values, NUMBERS, 30.0)
    changed = values.copy()
    changed[40:] += 7
    again, _ = causal_context(changed, NUMBERS, 30.0)
    assert wide.shape == (60, len(names))
    assert np.array_equal(wide[:40], again[:40])
    assert not np.array_equal(wide[40:], again[40:])


def test_a_gain_changes_nothing_on_the_scale_so_far():
    values = night()
    louder = values + 0.3
    own = [k for k, n in enumerate(causal_row(values, NUMBERS, 30.0)[1]) if "|so far" in n]
    one, other = (causal_row(v, NUMBERS, 30.0)[0][own] for v in (values, louder))
    assert np.allclose(one, other)


def test_missing_numbers_stay_missing_and_spoil_no_others():
    values = night()
    values[:, 7:] = np.nan
    wide, names = causal_row(values, NUMBERS, 30.0)
    for value, name in zip(wide, names, strict=True):
        assert np.isnan(value) == ("back:" in name)


def test_what_is_forgotten_counts_in_the_hours_alone():
    values = night(remembered(30.0) + 5)
    whole, names = causal_row(values, NUMBERS, 30.0)
    rest, _ = causal_row(values[5:], NUMBERS, 30.0, earlier=5)
    assert np.array_equal(whole, rest)
    assert whole[names.index("hours since the start")] == (len(values) - 1) * 30 / 3600


def test_the_weights_know_these_features_and_hold_no_example():
    model = shipped(causal=True)
    _, names = causal_row(night(), NUMBERS, 30.0)
    assert set(model.features) <= set(names)
    assert len(model.members) == 1
    card = json.loads((weights_folder(causal=True) / CARD).read_text())
    assert card["licence"].startswith("ODC-BY")
    assert card["classes"] == list(model.classes)
