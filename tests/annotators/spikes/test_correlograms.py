"""Correlograms against counting every pair, and what their middle says."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.acg import autocorrelogram
from nissl.annotators.spikes.correlograms import (
    correlogram,
    crosscorrelogram,
    lag_counts,
    refractory,
)

RATE = 30_000.0
TRAINS = st.lists(st.integers(0, 300), max_size=40).map(lambda x: np.asarray(sorted(x), np.int64))


def every_pair(a, b, width, n_half):
    counts = np.zeros(2 * n_half + 1, np.int64)
    for s in a.tolist():
        for t in b.tolist():
            k = int(np.floor(abs(t - s) / width + 0.5)) * (1 if t > s else -1)
            if abs(k) <= n_half:
                counts[k + n_half] += 1
    return counts


@given(TRAINS, TRAINS, st.sampled_from([1.0, 2.5, 7.0, 30.0]), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_lags_are_those_of_every_pair(a, b, width, n_half):
    counts = lag_counts(a, b, width, n_half)
    assert counts.tolist() == every_pair(a, b, width, n_half).tolist()
    assert counts[::-1].tolist() == lag_counts(b, a, width, n_half).tolist()


def test_portions_of_pairs_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = (np.sort(rng.integers(0, 3000, n)) for n in (200, 300))
    whole = lag_counts(a, b, 10.0, 20)
    monkeypatch.setattr("nissl.annotators.spikes.correlograms._PAIRS_AT_ONCE", 7)
    assert lag_counts(a, b, 10.0, 20).tolist() == whole.tolist()
    assert whole.sum() > 1000


def test_a_train_with_itself_is_its_autocorrelogram():
    train = np.unique(np.random.default_rng(1).integers(0, 30_000, 400))
    cross = crosscorrelogram(train, train, RATE)
    cross[50] = 0.0
    assert cross == pytest.approx(autocorrelogram(train, RATE))
    assert correlogram(train, None, RATE) == pytest.approx(autocorrelogram(train, RATE))


def test_rates_are_in_hertz():
    a = np.arange(10) * 30_000 + 1000
    out = crosscorrelogram(a, a + 300, RATE, half_ms=20, bin_ms=2.0)
    assert out.size == 21
    assert out[15] == pytest.approx(500.0)  # one spike per spike of `a`, 10 ms later, in 2 ms
    assert np.flatnonzero(out).tolist() == [15]


def test_a_hundred_thousand_spikes_take_no_time():
    rng = np.random.default_rng(2)
    a, b = (np.sort(rng.integers(0, 3600 * 30_000, 100_000)) for _ in range(2))

    def once():
        start = time.process_time()
        crosscorrelogram(a, b, RATE)
        return time.process_time() - start

    assert min(once() for _ in range(5)) < 0.1


def one_neuron(rng, seconds=200, rate=20.0):
    gaps = rng.exponential(1 / rate, round(seconds * rate)) + 0.003
    return (np.cumsum(gaps) * RATE).astype(np.int64)


def test_halves_of_one_train_keep_one_refractory_period_and_two_trains_do_not():
    rng = np.random.default_rng(3)
    train = one_neuron(rng)
    mine = rng.random(train.size) < 0.5
    same = refractory(train[mine], train[~mine], RATE)
    assert same.observed == 0
    assert same.expected > 10
    assert same.probability > 0.98
    other = refractory(train[mine], one_neuron(rng)[:2000], RATE)
    assert other.probability < 0.05
    assert other.observed == pytest.approx(other.expected, rel=0.4)


def test_without_pairs_nothing_is_claimed():
    none = refractory(np.asarray([0]), np.asarray([10**7]), RATE)
    assert (none.observed, none.expected) == (0, 0.0)
    assert 0.3 < none.probability < 0.5


def test_a_spike_found_twice_is_no_violation():
    train = one_neuron(np.random.default_rng(4))
    assert refractory(train, train + 1, RATE).observed == 0
