"""Spike trains: counts, delays, nulls, and networks whose synapses are known."""

import numpy as np
import pytest

from nissl.align.directed.networks import spiking_network
from nissl.align.directed.trains import (
    Order,
    binned,
    directed_trains,
    gumbel_p,
    jittered,
    transfer_all,
)
from nissl.errors import BadArgumentError, BadSamplesError


def driven(delay=5, n=60_000, seed=0, chance=0.3):
    """Train 0 makes train 1 fire after `delay` bins; train 2 is alone."""
    rng = np.random.default_rng(seed)
    a, c = (np.flatnonzero(rng.random(n) < 0.01) for _ in range(2))
    b = np.flatnonzero(rng.random(n) < 0.008)
    echo = a[rng.random(a.size) < chance] + delay
    return (a, np.unique(np.r_[b, echo[echo < n]]), c), n


def test_transfer_is_that_of_counting_by_hand():
    trains, n = driven(n=4000)
    order = Order(own=((1, 2), (2, 3)), source=2, delays=(5,))
    found = transfer_all(trains, n, order)[0]
    dense = np.zeros((3, n + 10), dtype=int)
    for at, train in enumerate(trains):
        dense[at, train] = 1
    x, y = dense[0], dense[1]
    t = np.arange(n)
    past = y[t - 1] * (t >= 1) + 2 * y[t - 2] * (t >= 2)
    word = x[t - 5] * (t >= 5) + 2 * x[t - 6] * (t >= 6)
    counts = np.zeros((4, 4, 2))
    np.add.at(counts, (past, word, y[t]), 1)
    told = 0.0
    for s in range(4):
        without = counts[s].sum(axis=0) / max(1, counts[s].sum())
        for w in range(4):
            row = counts[s, w]
            for a in range(2):
                if row[a]:
                    told += row[a] * np.log(row[a] / row.sum() / without[a])
    assert found[0, 1] == pytest.approx(told / n, rel=1e-9)


def test_delay_and_arrow_are_found():
    trains, n = driven(delay=9)
    found = directed_trains(trains, n, rng=np.random.default_rng(0), surrogates=20)
    claimed = found.claimed()
    assert claimed[0, 1]
    assert claimed.sum() == 1
    assert found.matrix("delay")[0, 1] == 9


def test_trains_that_share_a_slow_rate_have_no_arrow():
    rng = np.random.default_rng(1)
    n = 120_000
    rate = 0.01 * (1 + np.sin(2 * np.pi * np.arange(n) / 2000))
    trains = [np.flatnonzero(rng.random(n) < rate) for _ in range(4)]
    assert directed_trains(trains, n, rng=rng, surrogates=20).claimed().sum() == 0


def test_a_common_driver_that_is_recorded_explains_its_followers():
    wrong = 0
    for seed in range(4):
        rng = np.random.default_rng(20 + seed)
        n = 80_000
        z = np.flatnonzero(rng.random(n - 30) < 0.01)
        a, b = (
            np.unique(
                np.r_[np.flatnonzero(rng.random(n) < 0.005), z[rng.random(z.size) < 0.4] + delay]
            )
            for delay in (3, 8)
        )
        order = Order(delays=tuple(range(1, 16)))
        options = {"rng": rng, "surrogates": 20, "order": order}
        pairs = directed_trains((z, a, b), n, multivariate=False, **options).claimed()
        given = directed_trains((z, a, b), n, multivariate=True, **options).claimed()
        for found in (pairs, given):
            assert found[0, 1]
            assert found[0, 2]
        assert pairs[1, 2]  # from a to b after 5 ms, which is not there
        wrong += int(given[1, 2])
    assert wrong <= 1


def test_jitter_keeps_the_rate():
    rng = np.random.default_rng(3)
    train = np.flatnonzero(rng.random(10_000) < 0.02)
    moved = jittered(train, 50, 10_000, rng)
    assert 0.95 * train.size <= moved.size <= train.size
    counts = [np.bincount(each // 50, minlength=200) for each in (train, moved)]
    assert np.abs(counts[0] - counts[1]).max() <= 2


def test_p_values_of_maxima_are_uniform():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((2000, 41, 30)).max(axis=2)
    p = np.array([gumbel_p(v[0], v[1:, None])[0] for v in values])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.02)


def test_synapses_of_a_simulated_network():
    net = spiking_network(np.random.default_rng(0), n_neurons=8, duration_s=90.0, probability=0.15)
    rates = np.array([len(t) for t in net.trains]) / 90.0
    assert ((rates > 2) & (rates < 20)).all()
    order = Order(own=((1, 4), (4, 12)), delays=tuple(range(1, 22)))
    found = directed_trains(
        net.trains, net.n_bins, rng=np.random.default_rng(1), surrogates=15, order=order
    )
    claimed = found.claimed()
    assert (claimed & net.truth).sum() >= 0.6 * net.truth.sum()
    assert (claimed & ~net.truth).sum() <= 2
    half = net.observed(np.arange(4))
    assert half.truth.shape == (4, 4)
    assert len(half.trains) == 4


def test_bins_and_refusals():
    trains, n = binned([[0.0105, np.nan, 0.0107, 3.0], [0.5]], 1.0)
    assert n == 1000
    assert trains[0].tolist() == [10]
    with pytest.raises(BadSamplesError, match="20 spikes"):
        directed_trains(trains, n, rng=np.random.default_rng(0))
    trains, n = driven(n=5000)
    with pytest.raises(BadSamplesError, match="sorted"):
        directed_trains((trains[0][::-1], trains[1]), n, rng=np.random.default_rng(0))
    with pytest.raises(BadArgumentError, match="jitter"):
        directed_trains(trains, n, rng=np.random.default_rng(0), jitter=10)
