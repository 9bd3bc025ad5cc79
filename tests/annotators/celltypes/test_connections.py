"""Planted synapses are found, and nothing else."""

import numpy as np
import pytest

from nissl.annotators.celltypes.connections import (
    correlograms,
    expected_counts,
    find_connections,
)
from nissl.annotators.celltypes.unit import Unit
from nissl.errors import BadArgumentError

EXCITES, INHIBITS = ((0, 1), (2, 3)), ((4, 5), (6, 7))


def recording(seed, *, n=10, duration_s=600.0, connected=False):
    """Units that share a slow drive; excitation adds a spike to 4 % of spikes after 1.8 ms."""
    rng = np.random.default_rng(seed)
    drive = np.repeat(np.exp(0.3 * rng.normal(size=int(duration_s * 10))), 100)
    trains = []
    for rate in rng.uniform(5, 20, n):
        cells = np.flatnonzero(rng.random(drive.size) < 0.001 * rate * drive)
        trains.append((cells + rng.random(cells.size)) * 0.001)
    if connected:
        for first, second in EXCITES:
            drives = trains[first][rng.random(trains[first].size) < 0.04]
            added = drives + rng.normal(0.0018, 0.0003, drives.size)
            trains[second] = np.concatenate([trains[second], added])
        for first, second in INHIBITS:
            before = np.sort(trains[first])
            own = np.sort(trains[second])
            last = np.searchsorted(before, own - 0.001) - 1
            since = np.where(last >= 0, own - before[np.maximum(last, 0)], 1.0)
            trains[second] = own[(since > 0.004) | (rng.random(own.size) > 0.7)]
    kept = (np.sort(t) for t in trains)
    return [Unit(t[(t > 0) & (t < duration_s)], duration_s) for t in kept]


def test_hardly_anything_is_found_where_nothing_is_connected():
    """Alpha is per recording: of 20, two with a finding would already be too many."""
    with_findings = sum(bool(find_connections(recording(seed)).found) for seed in range(20))
    assert with_findings <= 1


def test_planted_connections_are_found_with_sign_lag_and_strength():
    connections = find_connections(recording(50, connected=True, duration_s=1200.0))
    found = {(each.first, each.second): each for each in connections.found}
    assert set(found) == set(EXCITES) | set(INHIBITS)
    for pair in EXCITES:
        assert found[pair].sign == 1
        assert found[pair].lag_ms == pytest.approx(1.8, abs=0.5)
        assert found[pair].strength == pytest.approx(0.04, abs=0.02)
    for pair in INHIBITS:
        assert found[pair].sign == -1
        assert found[pair].strength < 0
        assert found[pair].observed < found[pair].expected
    outgoing = connections.outgoing()
    assert outgoing[0].tolist() == [1, 0]
    assert outgoing[4].tolist() == [0, 1]
    assert outgoing[8].tolist() == [0, 0]


def test_common_input_and_split_units_are_no_connections():
    rng = np.random.default_rng(2)
    common = np.sort(rng.uniform(0, 600, 3000))
    together = [
        np.sort(np.concatenate([rng.uniform(0, 600, 6000), common + rng.normal(0, 0.002, 3000)]))
        for _ in range(2)
    ]
    neuron = np.cumsum(0.003 + rng.exponential(0.03, 18_000))
    half = rng.random(neuron.size) < 0.5
    split = [neuron[half], neuron[~half]]
    for trains in (together, split):
        trains = [t[(t > 0) & (t < 600)] for t in trains]
        assert find_connections([Unit(t, 600.0) for t in trains]).found == ()


def test_a_pair_with_too_few_spikes_is_not_judged():
    units = [*recording(0, n=3), Unit(np.array([1.0, 2.0, 3.0]), 600.0), Unit()]
    connections = find_connections(units)
    assert not np.any(connections.judged[3:])
    assert not np.any(connections.judged[:, 3:])
    assert not np.any(np.diag(connections.judged))
    assert np.all(np.isnan(connections.outgoing()[3:]))
    assert np.all(connections.outgoing()[:3] == 0)
    assert find_connections([]).outgoing().shape == (0, 2)


def test_counts_are_those_of_plain_counting():
    rng = np.random.default_rng(4)
    trains = [np.sort(rng.integers(0, 300_000, n)) for n in (80, 40, 0)]
    counts = np.concatenate([block for _, block in correlograms(trains)])
    assert counts.shape == (3, 3, 201)
    lag = (trains[1][None, :] - trains[0][:, None]).ravel()
    exact = np.histogram(lag, (np.arange(202) - 100.5) * 40)[0]
    assert np.array_equal(counts[0, 1], exact)
    assert not counts[2].any()


def test_the_null_follows_what_is_slow_and_not_a_peak():
    slow = 200 + 50 * np.cos(np.arange(201) / 201 * 2 * np.pi)
    peaked = slow.copy()
    peaked[105] += 300
    assert np.max(np.abs(expected_counts(slow) - slow)[20:-20]) < 15
    assert np.max(np.abs(expected_counts(peaked) - expected_counts(slow))) < 2


def test_alpha_is_a_probability():
    with pytest.raises(BadArgumentError, match="alpha"):
        find_connections([], alpha=0.0)
