"""The probability that two units are one neuron."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.spikes.correlograms import Refractory
from nissl.annotators.spikes.pairing import merge_probability, simulated_pairs

SIMILAR = st.floats(0.0, 1.0)
COUNTS = st.integers(0, 10_000)


@given(SIMILAR, SIMILAR, COUNTS, st.floats(0, 1e4))
def test_more_alike_is_more_probable(a, b, observed, expected):
    evidence = Refractory(observed, expected, 0.5)
    low, high = sorted((merge_probability(a, evidence), merge_probability(b, evidence)))
    assert 0 <= low <= high <= 1
    if a <= b:
        assert merge_probability(a, evidence) <= merge_probability(b, evidence)


@given(SIMILAR, COUNTS, COUNTS, st.floats(0, 1e4))
def test_more_spikes_in_the_refractory_period_speak_against_it(similarity, a, b, expected):
    low, high = sorted((a, b))
    told = [merge_probability(similarity, Refractory(n, expected, 0.5)) for n in (low, high)]
    assert told[0] >= told[1]


def test_without_templates_half_of_what_the_trains_say():
    assert merge_probability(float("nan"), Refractory(0, 100.0, 0.9)) == pytest.approx(0.45)
    assert merge_probability(0.0, Refractory(0, 100.0, 0.9)) == 0.0


@pytest.mark.slow
def test_it_means_what_it_says_on_a_simulation_that_it_has_not_seen():
    alike, evidence, one = simulated_pairs(31, None)
    p = np.asarray([merge_probability(s, e) for s, e in zip(alike, evidence, strict=True)])
    assert one.sum() >= 10
    assert one[p < 0.05].mean() < 0.05
    assert one[p > 0.7].mean() > 0.8
    assert abs(p.mean() - one.mean()) < 0.08
