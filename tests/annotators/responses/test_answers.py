from __future__ import annotations

import numpy as np
import pytest

from nissl.annotators.responses.answers import Window, compared, responses
from nissl.errors import BadArgumentError, MissingInputError

RATE_HZ = 5.0
STARTS = np.array([100, 230, 340, 480, 590, 700, 830, 960])
STOPS = STARTS + 25
WINDOW = Window(before_s=4.0, after_s=4.0)


def slow_noise(rng: np.random.Generator, n: int, neurons: int) -> np.ndarray:
    """Fluctuations of some seconds, as traces have."""
    out = np.zeros((n, neurons))
    for t in range(1, n):
        out[t] = 0.93 * out[t - 1] + rng.standard_normal(neurons) * 0.1
    return out


def test_neurons_that_answer_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    traces = slow_noise(rng, 1200, 40)
    for start, stop in zip(STARTS, STOPS, strict=True):
        traces[start:stop, :5] += 0.6
        traces[stop : stop + 20, 5:9] += 0.7
    found = responses(traces, STARTS, STOPS, RATE_HZ, rng, window=WINDOW, permutations=999)
    assert (found.q_on[:5] < 0.05).all()
    assert (found.q_off[5:9] < 0.05).all()
    assert (found.q_on[9:] < 0.05).sum() <= 1
    assert found.on.shape == (8, 40)


def test_p_values_of_traces_without_answers_are_uniform() -> None:
    rng = np.random.default_rng(1)
    p = np.concatenate(
        [
            responses(slow_noise(rng, 1200, 40), STARTS, STOPS, RATE_HZ, rng, permutations=199).p_on
            for _ in range(5)
        ]
    )
    assert 0.01 <= np.mean(p <= 0.05) <= 0.1
    assert 0.4 <= p.mean() <= 0.6


def test_answers_that_wane_have_a_slope() -> None:
    rng = np.random.default_rng(2)
    traces = slow_noise(rng, 1200, 10) * 0.3
    for k, (start, stop) in enumerate(zip(STARTS, STOPS, strict=True)):
        traces[start:stop, 0] += 1.0 - 0.12 * k
    found = responses(traces, STARTS, STOPS, RATE_HZ, rng, window=WINDOW, permutations=999)
    assert found.adaptation[0] == pytest.approx(-0.12, abs=0.05)
    assert found.p_adaptation[0] < 0.01


def test_two_stimuli_are_told_apart_where_they_differ() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 0.2, (10, 6)), rng.normal(0, 0.2, (12, 6))
    a[:, 2] += 0.6
    a[0, 3] = np.nan
    difference, p, q = compared(a, b, rng, permutations=999)
    assert difference[2] == pytest.approx(0.6, abs=0.2)
    assert q[2] < 0.05
    assert (p[[0, 1, 4]] > 0.01).all()


def test_gaps_are_left_out_and_a_neuron_never_seen_has_no_p() -> None:
    rng = np.random.default_rng(4)
    traces = slow_noise(rng, 1200, 3)
    traces[:, 1] = np.nan
    traces[STARTS[0] - 30 : STARTS[0] + 30, 2] = np.nan
    found = responses(traces, STARTS, STOPS, RATE_HZ, rng, permutations=99)
    assert np.isnan(found.p_on[1])
    assert np.isnan(found.on[0, 2])
    assert np.isfinite(found.p_on[2])


def test_too_few_trials_and_stops_before_starts_are_told() -> None:
    rng = np.random.default_rng(0)
    traces = np.zeros((300, 2))
    with pytest.raises(MissingInputError, match="3 trials"):
        responses(traces, STARTS, STOPS, RATE_HZ, rng)
    with pytest.raises(BadArgumentError, match="a stop after each start"):
        responses(traces, [10, 20], [5, 30], RATE_HZ, rng)
