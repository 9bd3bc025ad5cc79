import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.errors import BadArgumentError, EvaluationError
from nissl.trust.calibration import KINDS, Calibration, choose, fit, log_losses


def simulated(rng, n=600, k=3, sharpness=1.0):
    """Probabilities of a calibrated model, then sharpened: wrong by a known temperature."""
    logits = rng.normal(0, 1.5, (n, k))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(k, p=row) for row in true])
    sharp = np.exp(sharpness * logits)
    return sharp / sharp.sum(axis=1, keepdims=True), truth, true


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_temperature_is_recovered(sharpness):
    p, truth, _ = simulated(np.random.default_rng(0), n=3000, sharpness=sharpness)
    fitted = fit(p, truth, "temperature")
    assert fitted.parameters[0][0] == pytest.approx(sharpness, rel=0.12)


def test_beta_recovers_its_own_family_in_two_classes():
    rng = np.random.default_rng(1)
    p = rng.beta(0.8, 0.8, 8000)
    true = 1 / (1 + np.exp(-(1.8 * np.log(p) - 0.6 * np.log(1 - p) + 0.4)))
    truth = (rng.random(8000) < true).astype(int)
    fitted = fit(np.column_stack([1 - p, p]), truth, "beta")
    np.testing.assert_allclose(fitted.parameters[1], [1.8, 0.6, 0.4], atol=0.2)
    np.testing.assert_allclose(fitted.apply(np.column_stack([1 - p, p]))[:, 1], true, atol=0.03)


@pytest.mark.parametrize("kind", ["temperature", "beta", "isotonic"])
def test_every_kind_mends_an_overconfident_model(kind):
    rng = np.random.default_rng(2)
    p, truth, _ = simulated(rng, n=2000, sharpness=3.0)
    fitted = fit(p, truth, kind)
    fresh, fresh_truth, best = simulated(rng, n=2000, sharpness=3.0)
    before = log_losses(fresh, fresh_truth).mean()
    after = log_losses(fitted.apply(fresh), fresh_truth).mean()
    floor = log_losses(best, fresh_truth).mean()
    assert after - floor < 0.25 * (before - floor)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(KINDS), st.integers(2, 5), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_rows_stay_on_the_simplex(kind, k, n, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.2), n)
    p[0] = np.eye(k)[0]  # certain answers too
    fitted = fit(p, rng.integers(0, k, n), kind)
    out = fitted.apply(np.vstack([p, np.eye(k)]))
    assert np.isfinite(out).all()
    assert out.min() >= 0
    np.testing.assert_allclose(out.sum(axis=1), 1)
    if kind in ("isotonic", "beta"):
        assert out.min() > 0


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 6), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_temperature_keeps_the_order_of_the_classes(k, n, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    out = fit(p, rng.integers(0, k, n), "temperature").apply(p)
    assert (out.argmax(axis=1) == p.argmax(axis=1)).all()


@settings(deadline=None, max_examples=15)
@given(st.integers(3, 60), st.integers(0, 2**32 - 1))
def test_isotonic_and_beta_are_monotone_in_two_classes(n, seed):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    truth = rng.integers(0, 2, n)
    grid = np.linspace(0, 1, 201)
    for kind in ("isotonic", "beta"):
        fitted = fit(np.column_stack([1 - p, p]), truth, kind)
        out = fitted.apply(np.column_stack([1 - grid, grid]))[:, 1]
        assert (np.diff(out) >= -1e-9).all()


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_json_and_back_gives_an_equal_calibration(kind, seed):
    rng = np.random.default_rng(seed)
    fitted = fit(rng.dirichlet(np.ones(3), 30), rng.integers(0, 3, 30), kind)
    assert Calibration.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_choice_is_the_best_on_what_was_left_out():
    rng = np.random.default_rng(3)
    p, truth, _ = simulated(rng, n=600, sharpness=2.5)
    chosen, scores = choose(p, truth, rng.integers(0, 15, 600), rng=rng)
    assert set(scores) == set(KINDS)
    assert chosen.kind == min(scores, key=scores.get)
    assert scores["identity"] > scores["temperature"] + 0.1


def test_a_group_is_never_split():
    """Forty copies of each item: whoever tests inside a group sees the answers it learned."""
    rng = np.random.default_rng(8)
    p = np.repeat(rng.random(40), 40)
    truth = np.repeat((rng.random(40) < 0.5).astype(int), 40)
    two = np.column_stack([1 - p, p])
    _, honest = choose(two, truth, np.repeat(np.arange(40), 40), rng=rng)
    _, leaking = choose(two, truth, np.arange(1600) % 10, rng=rng)
    assert honest["isotonic"] > np.log(2) - 0.02
    assert leaking["isotonic"] < honest["isotonic"] - 0.05


def test_few_items_of_a_calibrated_model_are_left_alone_or_nearly():
    rng = np.random.default_rng(4)
    p, truth, true = simulated(rng, n=60)
    chosen, _ = choose(p, truth, np.arange(60) % 4, rng=rng)
    assert chosen.kind in ("identity", "temperature")
    assert np.abs(chosen.apply(p) - true).mean() < 0.1


def test_choice_does_not_hang_on_the_seed_with_few_groups():
    rng = np.random.default_rng(5)
    p, truth, _ = simulated(rng, n=80, sharpness=2.0)
    groups = np.arange(80) % 4
    a, b = (choose(p, truth, groups, rng=np.random.default_rng(s)) for s in (0, 1))
    assert a == b


def test_weights_undo_a_biased_choice_of_items():
    rng = np.random.default_rng(6)
    p = rng.beta(2, 2, 20000)
    truth = (rng.random(20000) < p**2).astype(int)
    asked = np.where((p > 0.5) == (truth == 1), 0.9, 0.3)  # odd ones are asked less
    seen = rng.random(20000) < asked
    two = np.column_stack([1 - p, p])
    whole = fit(two, truth, "beta").apply(two)
    plain = fit(two[seen], truth[seen], "beta").apply(two)
    mended = fit(two[seen], truth[seen], "beta", weights=1 / asked[seen]).apply(two)
    assert np.abs(mended - whole).mean() < 0.25 * np.abs(plain - whole).mean()


def test_no_answer_stays_no_answer():
    fitted = fit(np.array([[0.3, 0.7], [0.6, 0.4]]), [1, 0], "beta")
    out = fitted.apply(np.array([[np.nan, np.nan], [0.5, 0.5]]))
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()


def test_bad_input_is_refused():
    p = np.array([[0.3, 0.7], [0.6, 0.4]])
    with pytest.raises(EvaluationError, match="at least two groups"):
        choose(p, [0, 1], ["a", "a"], rng=np.random.default_rng(0))
    for bad in (p[:, :1], p * 2, p - 0.5, np.array([[np.nan, 1.0]])):
        with pytest.raises(BadArgumentError):
            fit(bad, [0] * len(bad), "beta")
    for truth in ([0, 2], [0], [0.5, 1], [0, -1]):
        with pytest.raises(BadArgumentError):
            fit(p, truth, "beta")
    with pytest.raises(BadArgumentError):
        fit(p, [0, 1], "platt")
    with pytest.raises(BadArgumentError):
        fit(p, [0, 1], "beta", weights=[1.0, 0.0])
    with pytest.raises(BadArgumentError):
        Calibration("identity", 3).apply(p)
    for damaged in ({}, {"kind": "beta", "n_classes": 2, "parameters": [[1, 1]]}, {"kind": 3}):
        with pytest.raises(BadArgumentError):
            Calibration.from_json(damaged)
    with pytest.raises(BadArgumentError):
        Calibration("temperature", 2, ((float("nan"),),))
