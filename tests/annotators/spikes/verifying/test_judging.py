"""Pairing of spikes, fates of added units, verdicts, and agreement of sortings."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.verifying.agreement import halves_agreement, template_cosines
from nissl.annotators.spikes.verifying.judged import Judged, paired, within
from nissl.annotators.spikes.verifying.outcome import outcomes
from nissl.annotators.spikes.verifying.sortings import Sorting
from nissl.annotators.spikes.verifying.verdict import (
    Verdict,
    confidence_of,
    judge,
    not_verified,
)
from nissl.errors import BadLabelsError
from nissl.labels import Author, ItemTable, Kind, LabelSet, Provenance

ABOUT = Provenance("spikes", "f", Author("model", "m", "1"))


def _events(trains):
    item = np.concatenate([np.full(len(t), k) for k, t in trains.items()])
    sample = np.concatenate([np.asarray(t) for t in trains.values()])
    order = np.lexsort((item, sample))
    return LabelSet.build(
        Kind.EVENTS, {"item": item[order], "sample": sample[order]}, ("unit",), ABOUT
    )


def _added(train, snr=8.0):
    return SimpleNamespace(
        name="own unit 1", round=0, place_um=np.array([0.0, 40.0]), snr=snr, amplitude_uv=40.0,
        ticks=np.asarray(train), sample=np.asarray(train),
    )  # fmt: skip


def _outcome(true, found):
    made = SimpleNamespace(truth=_events({0: true}), units=(_added(true),))
    return outcomes(made, SimpleNamespace(labels=_events(found)), 30_000.0)[0]


TRUE = np.arange(1000, 101_000, 1000)


def test_a_unit_that_is_found_has_its_recall_and_precision():
    told = _outcome(TRUE, {7: np.concatenate([TRUE[:90] + 3, np.arange(200_000, 210_000, 1000)])})
    assert (told.fate, told.found) == ("found", 7)
    assert told.recall == pytest.approx(0.9)
    assert told.precision == pytest.approx(0.9)


def test_split_merged_partly_found_and_missed_units_are_named():
    split = _outcome(TRUE, {3: TRUE[:40], 5: TRUE[40:80]})
    assert (split.fate, split.others, split.recall) == ("split", (3, 5), 0.0)
    others = np.arange(500, 400_500, 1000)
    merged = _outcome(TRUE, {3: np.sort(np.concatenate([TRUE, others]))})
    assert (merged.fate, merged.others) == ("merged", (3,))
    part = _outcome(TRUE, {2: TRUE[:30]})
    assert (part.fate, part.others) == ("part", (2,))
    missed = _outcome(TRUE, {2: np.arange(500, 100_500, 1000)})
    assert missed.fate == "missed"
    assert missed.to_json()["precision"] is None


@settings(max_examples=60, deadline=None)
@given(
    true=st.lists(st.integers(0, 400), max_size=12),
    found=st.lists(st.integers(-20, 8200), max_size=30),
)
def test_pairing_gives_each_true_spike_one_hit_within_reach(true, found):
    true = np.unique(np.asarray(true, np.int64)) * 20 + 5
    found = np.sort(np.asarray(found, np.int64))
    hit, which = paired(true, found, 8)
    used = which[hit]
    assert np.unique(used).size == used.size
    assert np.all(np.abs(true[used] - found[hit]) <= 8)
    # a plain count: a true spike is hit if any found spike lies within reach
    plain = sum(bool(found.size) and np.abs(found - t).min() <= 8 for t in true.tolist())
    assert hit.sum() == plain
    np.testing.assert_array_equal(
        within(found, true, 8),
        [bool(true.size) and bool(np.abs(true - x).min() <= 8) for x in found.tolist()],
    )


def _judged(p, right, n_units=20):
    n = p.size
    unit = np.arange(n) % n_units
    snr = np.where(unit % 2, 6.0, 12.0)
    zero = np.zeros(n)
    return Judged(p, right, np.where(right, 0, 1), unit, snr, zero, zero)


def _verdict(spikes):
    rng = np.random.default_rng(0)
    return judge(
        confidence_of(spikes, rng), int(np.unique(spikes.unit).size), method="spikes/x 1",
        source="f", stream="ap",
    )  # fmt: skip


def test_confidence_that_means_what_it_says_is_calibrated_and_other_is_not():
    rng = np.random.default_rng(3)
    p = rng.beta(4, 1, 4000)
    right = rng.random(4000) < p
    good = _verdict(_judged(p, right))
    assert good.calibrated
    assert "is calibrated" in good.sentence
    bad = _verdict(_judged(p**6, right))
    assert bad.state == "not calibrated"
    assert "limit 0.05" in bad.sentence
    flat = _verdict(_judged(np.full(4000, right.mean()) + 1e-3 * rng.standard_normal(4000), right))
    assert not flat.calibrated
    assert "base rate" in flat.sentence
    assert Verdict.from_json(good.to_json()) == good


def test_a_band_that_misleads_is_named():
    rng = np.random.default_rng(3)
    p = rng.uniform(0.5, 1, 8000)
    spikes = _judged(p, rng.random(8000) < p)
    low = spikes.snr == 6.0
    wrong = Judged(
        np.where(low, 1.5 - p, p), spikes.right, spikes.kind, spikes.unit, spikes.snr,
        spikes.depth_um, spikes.amplitude_uv,
    )  # fmt: skip
    told = _verdict(wrong)
    assert not told.calibrated
    assert "ratio of 6" in told.sentence


def test_few_spikes_no_confidence_and_nobody_s_look_are_not_called_calibrated():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 100)
    few = _verdict(_judged(p, rng.random(100) < p, n_units=4))
    assert few.state == "unknown"
    assert "Add rounds" in few.sentence
    none = _verdict(_judged(np.full(500, np.nan), np.ones(500, bool)))
    assert none.state == "no confidence"
    nothing = _verdict(_judged(np.empty(0), np.empty(0, bool)))
    assert nothing.state == "unknown"
    assert nothing.n_spikes == 0
    assert not not_verified("spikes/x", "f", "ap").calibrated
    with pytest.raises(BadLabelsError, match="verify-sorting"):
        Verdict.from_json({"state": "calibrated", "colour": "red"})


def test_rounds_are_joined_with_units_of_their_own():
    one = _judged(np.full(6, 0.5), np.ones(6, bool), n_units=2)
    both = Judged.joined([one, one])
    assert np.unique(both.unit).tolist() == [0, 1, 2, 3]
    assert both.counts()["added spikes in their own unit"] == 12
    assert Judged.joined([]).confidence.size == 0


def _sorting(templates, place):
    n = len(templates)
    labels = _events({k: np.arange(10) * 1000 + k for k in range(n)})
    table = {
        "item": np.arange(n), "x_um": place[:, 0], "y_um": place[:, 1],
        "snr": np.full(n, 8.0), "channel": np.zeros(n, np.int32),
    }  # fmt: skip
    items = ItemTable(
        labels.digest, pa.table(table), {}, {"template": templates.astype(np.float32)},
        {"rate_hz": 30_000.0, "n_before": 20},
    )  # fmt: skip
    return Sorting(labels, items, 1.0)


def test_units_of_halves_match_by_template_and_place():
    rng = np.random.default_rng(0)
    templates = rng.standard_normal((3, 60, 8)).cumsum(axis=1)
    templates[:, :10] = templates[:, 50:] = 0.0
    place = np.array([[0.0, 0.0], [0.0, 100.0], [0.0, 200.0]])
    later = np.roll(templates, 4, axis=1) + 0.01 * rng.standard_normal(templates.shape)
    swapped = [2, 0, 1]
    one, two = _sorting(templates, place), _sorting(later[swapped], place[swapped])
    told = halves_agreement(one, two, np.random.default_rng(0))
    assert [u.partner for u in told.units] == [1, 2, 0]
    assert told.share.estimate == 1.0
    assert told.mean.estimate > 0.98
    far = halves_agreement(one, _sorting(later, place + 500.0), np.random.default_rng(0))
    assert far.share.estimate == 0.0
    cosines = template_cosines(one.items, one.items)
    np.testing.assert_allclose(np.diag(cosines), 1.0, atol=1e-6)
    np.testing.assert_allclose(cosines, cosines.T, atol=1e-9)
