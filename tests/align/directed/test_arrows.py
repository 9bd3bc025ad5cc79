"""Verdicts: what is an arrow, what is not, and what cannot be told."""

import numpy as np
import pytest

from nissl.align.directed.arrows import BOLD, FIELDS, SPIKES, VERDICTS, Arrow, judge
from nissl.align.directed.embedding import Past
from nissl.align.directed.series import (
    delayed,
    directed,
    net_transfer,
    order_by_bic,
    partial_correlation,
    stacked,
)
from nissl.align.directed.simulate import autoregression, blood_flow, mixed
from nissl.errors import BadArgumentError


def verdicts(arrows, direction=None):
    found = judge(arrows, ("a", "b", "c"), method="test", direction=direction)
    return {(a.source, a.target): a.verdict for a in found.arrows}


def test_the_rule_of_verdicts():
    strong, weak = 1e-6, 0.6
    tested = [Arrow(0, 1, 1.0, strong), Arrow(1, 0, 0.0, weak)]
    assert verdicts(tested) == {(0, 1): "arrow", (1, 0): "no evidence"}
    doubted = verdicts(tested, direction=lambda s, t: 0.5)
    assert set(doubted.values()) == {"direction not identifiable"}
    both = [Arrow(0, 1, 1.0, strong), Arrow(1, 0, 1.0, strong)]
    assert set(verdicts(both).values()) == {"arrow"}
    at_once = [Arrow(0, 1, 0.0, weak, together_p=strong), Arrow(1, 0, 0.0, weak, together_p=strong)]
    assert set(verdicts(at_once).values()) == {"direction not identifiable"}
    assert set(verdicts([Arrow(0, 1, 0.0, weak), Arrow(1, 2, 0.0, weak)]).values()) == {
        "no evidence"
    }


def test_direction_is_asked_of_significant_arrows_only():
    asked = []
    judge(
        [Arrow(0, 1, 1.0, 1e-6), Arrow(1, 0, 0.0, 0.7)],
        ("a", "b"),
        method="test",
        direction=lambda s, t: asked.append((s, t)) or 0.0,
    )
    assert asked == [(0, 1)]


def test_pairs_are_given_once():
    with pytest.raises(BadArgumentError, match="once"):
        judge([Arrow(0, 1, 1.0, 0.1), Arrow(0, 1, 1.0, 0.1)], ("a", "b"), method="test")
    with pytest.raises(BadArgumentError, match="alpha"):
        judge([], (), method="test", alpha=1.5)


def test_arrows_of_an_autoregression_are_found_with_their_direction():
    hits = wrong = truth = 0
    for seed in range(6):
        made = autoregression(np.random.default_rng(seed), n_samples=2000)
        found = directed(made.series, FIELDS)
        assert {a.verdict for a in found.arrows} <= set(VERDICTS)
        hits += int((found.claimed() & made.truth).sum())
        wrong += int((found.claimed() & ~made.truth).sum())
        truth += int(made.truth.sum())
    assert hits >= 0.9 * truth
    assert wrong <= 0.1 * hits


def test_sensors_that_see_the_same_sources_have_no_arrows():
    claimed = plain = 0
    for seed in range(6):
        made = mixed(np.random.default_rng(seed))
        claimed += int(directed(made.series, FIELDS).claimed().sum())
        plain += int(directed(made.series, SPIKES).claimed().sum())
    assert plain >= 10  # Granger's test alone is taken in
    assert claimed <= 1


def test_blood_flow_leaves_directions_open():
    wrong = undecided = pairs = 0
    for seed in range(6):
        made = blood_flow(np.random.default_rng(seed), lag_sd_s=1.0)
        found = directed(made.series, BOLD, interval_s=2.0)
        wrong += int((found.claimed() & ~made.truth).sum())
        undecided += sum(a.verdict == "direction not identifiable" for a in found.arrows)
        pairs += len(found.arrows)
    assert wrong <= 0.02 * pairs
    assert undecided > 0.2 * pairs


def test_nearest_neighbours_find_what_is_not_linear():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 500))
    y[1:] += 1.2 * np.abs(x[:-1]) ** 1.5
    found = directed([x, y], SPIKES, method="ksg", order=1, surrogates=60, rng=rng)
    assert found.claimed().tolist() == [[False, True], [False, False]]
    assert directed([x, y], SPIKES, order=1).arrows[0].estimate < found.arrows[0].estimate


def test_net_transfer_swaps_sign_with_its_ends():
    made = autoregression(np.random.default_rng(1), n_series=2, n_arrows=1, n_samples=800)
    x = stacked(made.series)
    options = {"past": Past(1), "method": "gaussian", "k": 4}
    there = net_transfer(x[0], x[1], x[2:], **options)
    back = net_transfer(x[1], x[0], x[2:], **options)
    assert there + back == pytest.approx(1)
    assert (there < 0.01) == bool(made.truth[0, 1])


def test_a_series_is_held_back_by_parts_of_samples():
    wave = np.sin(2 * np.pi * np.arange(400) / 40)[None]
    late = delayed(wave, 2.5)
    told = np.sin(2 * np.pi * (np.arange(400) - 2.5) / 40)
    np.testing.assert_allclose(late[0, 40:-40], told[40:-40], atol=0.02)


def test_order_and_edges():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3000))
    x[:, :] = x
    for t in range(3, 3000):
        x[0, t] += 0.5 * x[0, t - 3]
    assert order_by_bic(x) == 3
    chain = rng.standard_normal((1000, 3))
    chain[:, 1] += chain[:, 0]
    chain[:, 2] += chain[:, 1]
    partial = partial_correlation(chain)
    assert abs(partial[0, 2]) < 0.1 < min(partial[0, 1], partial[1, 2])


def test_what_is_predicted_exactly_and_what_is_there_twice():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(500)
    late = directed([x, np.roll(x, 1)], SPIKES, order=1)
    assert late.claimed()[0, 1]
    assert np.isfinite(late.matrix()[0, 1])
    twice = directed([x, x, rng.standard_normal(500)], FIELDS, order=1)
    assert not twice.claimed().any()


def test_table_and_matrix_agree():
    made = autoregression(np.random.default_rng(2), n_series=3, n_arrows=2)
    found = directed(made.series, FIELDS, names=("V1", "V5", "SPC"))
    table = found.table()
    assert len(table) == 6
    assert set(table["source"]) == {"V1", "V5", "SPC"}
    row = table.iloc[0]
    at = found.names.index(row["source"]), found.names.index(row["target"])
    assert found.matrix()[at] == row["estimate"]
