"""Training on traces whose spikes are known."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.rates.alignment import aligned
from nissl.annotators.rates.method import inferred
from nissl.annotators.rates.model import RateModel, shipped
from nissl.annotators.rates.train import by_group, fitted, recipe_for, simulated
from nissl.annotators.rates.training import Paired, Recipe, paired, train
from nissl.errors import BadArgumentError, MissingInputError

pytest.importorskip("torch")
QUICK = Recipe(steps=60, batch=8, frames=128)


@pytest.fixture(scope="module")
def known():
    return simulated(7.5, 5, np.random.default_rng(0), duration_s=60.0)


def test_a_paired_recording_on_other_frames():
    times = np.arange(3000) / 30 + 5
    made = paired(times, np.sin(times), np.array([20.0, 50.0]), rate_hz=7.5, sigma_s=0.2,
                  cell="a", group="g")  # fmt: skip
    assert made.dff.shape == made.rate.shape == (749,)
    assert made.rate.sum() / 7.5 == pytest.approx(2.0, rel=1e-3)
    assert np.argmax(made.rate[:400]) == pytest.approx((20 - 5) * 7.5, abs=1)


def test_training_learns_and_is_the_same_again(known):
    said = [train(known, 7.5, rng=np.random.default_rng(1), recipe=QUICK) for _ in range(2)]
    for name, array in said[0].arrays.items():
        np.testing.assert_array_equal(array, said[1].arrays[name])
    fewer = replace(QUICK, steps=1)
    raw = train(known, 7.5, rng=np.random.default_rng(1), recipe=fewer)
    fresh = simulated(7.5, 3, np.random.default_rng(5), duration_s=60.0)
    scores = [mean_r(each, fresh) for each in (raw, said[0])]
    assert scores[1] > max(scores[0], 0.4)


def mean_r(weights, traces):
    from nissl.annotators.rates.network import prepared

    r = [np.corrcoef(weights(prepared(t.dff, 7.5)), t.rate)[0, 1] for t in traces if t.rate.std()]
    return float(np.nanmean(r))


def test_a_model_of_ones_own(known):
    rng = np.random.default_rng(2)
    first = fitted(known, 7.5, rng=rng, members=1, recipe=QUICK)
    assert first.spread is None
    rate, low, _ = first.absolute(np.ones(5))
    assert np.isnan(low).all()
    assert np.all(rate == 1)
    left_out = by_group(first, simulated(7.5, 3, rng, duration_s=60.0))
    again = fitted(known, 7.5, rng=rng, members=1, start=first.members, left_out=left_out,
                   recipe=replace(QUICK, shares={"simulated OGB1": 0.5}))  # fmt: skip
    found = inferred(RateModel((again,)), known[0].dff.astype(np.float64), 7.5)
    assert found.rate.shape == known[0].dff.shape
    assert np.all(found.rate >= 0)


def test_lags_of_groups_are_taken_away_before_training(known, monkeypatch):
    from nissl.annotators.rates import train as module

    given = []
    monkeypatch.setattr(module, "train", lambda known, *rest, **how: given.append(known))
    shift = {"simulated GCaMP6f": 1.0}
    late = aligned(known, {group: -lag for group, lag in shift.items()}, 1.0)
    start = shipped().nearest(7.5).members
    for own_lag, begin in ((1.0, start), (0.0, start), (1.0, ())):
        fitted(late, 7.5, rng=np.random.default_rng(0), members=1, start=begin, own_lag=own_lag)
    for k, each in enumerate(late):
        # without networks that know where spikes were, nothing is moved
        assert given[1][k].rate is given[2][k].rate is each.rate
        if each.group in shift and each.rate.std() > 0:
            off = [np.abs(one[k].rate - known[k].rate).mean() for one in given[:2]]
            assert off[0] < 0.6 * off[1]


def test_of_one_group_nothing_is_known_about_others(known):
    own = [each for each in known if each.group == "simulated GCaMP6f"]
    made = fitted(own, 7.5, rng=np.random.default_rng(0), members=1,
                  recipe=replace(QUICK, steps=2))  # fmt: skip
    assert made.seen is None
    assert made.novel(own[0].dff) == ""


def test_what_cannot_be_learnt_from():
    rng = np.random.default_rng(0)
    silent = Paired(np.zeros(400, np.float32), np.zeros(400, np.float32), "a", "g")
    with pytest.raises(MissingInputError, match="spikes"):
        train([silent], 7.5, rng=rng, recipe=QUICK)
    bad = replace(silent, rate=np.zeros(3, np.float32))
    with pytest.raises(BadArgumentError):
        train([bad], 7.5, rng=rng, recipe=QUICK)


def test_as_many_frames_a_step_at_any_rate():
    assert {recipe_for(hz).frames * recipe_for(hz).batch for hz in (7.5, 15, 30, 60)} == {8192}
