"""Units looked for in zones: found in each, the same with any number of workers."""

from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.spikes.own import zones
from nissl.annotators.spikes.own.finding import discovery, seeking
from nissl.annotators.spikes.own.finding.seeking import seek, sought, together, zones_at_once
from nissl.annotators.spikes.own.matching import pursuit_on
from nissl.annotators.spikes.own.preprocessing.front import fit_front
from nissl.annotators.spikes.simulate import simulate
from nissl.run.context import Context

N = 16


@pytest.fixture(scope="module")
def recording():
    return simulate(104, n_channels=N, duration_s=10, n_units=4)


@pytest.fixture(scope="module")
def parts(recording):
    signal = recording[0].signal
    front = fit_front(signal, range(N), 300.0, 6000.0)
    return signal, front, np.asarray(signal.channels.position_um, float)[:, :2]


def test_zones_find_what_the_whole_probe_finds_with_any_workers(parts, tmp_path, monkeypatch):
    signal, front, position = parts
    whole, _ = seek(signal, front, position, Context(tmp_path), "whole")
    monkeypatch.setattr(zones, "ALONE", 8)
    monkeypatch.setattr(zones, "CORE", 8)
    monkeypatch.setattr(zones, "MARGIN_UM", 60.0)
    found = [
        seek(signal, front, position, Context(tmp_path, workers=workers), "zones")
        for workers in (1, 2)
    ]
    (one, unit), (two, _) = found
    np.testing.assert_array_equal(one.waveforms, two.waveforms)
    np.testing.assert_array_equal(unit, np.arange(len(one)))
    assert one.waveforms.shape[2] == N
    large = set(whole.main[whole.norms > 150].tolist())
    assert len(large) >= 2
    assert large <= set(one.main.tolist())
    assert abs(len(one) - len(whole)) <= 1


def test_a_device_finds_the_same_units(parts, tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="pip install 'nissl[train]'")
    signal, front, position = parts
    monkeypatch.setattr(seeking, "DISCOVERY_S", 5.0)
    used, on = [], pursuit_on.pursue_on
    monkeypatch.setattr(pursuit_on, "pursue_on", lambda *a: used.append(a[-1]) or on(*a))
    for alone in (N, 8):
        monkeypatch.setattr(zones, "ALONE", alone)
        monkeypatch.setattr(zones, "CORE", 8)
        known, found = (
            seek(signal, front, position, Context(tmp_path), "units", *device)
            for device in ((), ("torch:cpu",))
        )
        assert set(used) == {"torch:cpu"}
        used.clear()
        np.testing.assert_array_equal(known[1], found[1])
        np.testing.assert_allclose(known[0].waveforms, found[0].waveforms, atol=1e-2)


def test_seconds_are_the_same_for_all_zones(parts, monkeypatch):
    signal, front, _ = parts
    monkeypatch.setattr(seeking, "MOST_VALUES", round(5 * front.rate_hz * N))
    assert abs(len(sought(signal, front).z) / front.rate_hz - 5) < 0.1


def test_memory_and_workers_bound_the_zones_at_once(tmp_path):
    values = 1e7
    small = Context(tmp_path, workers=8, memory_bytes=10**9)
    assert zones_at_once(values, small) == 2
    assert zones_at_once(values, Context(tmp_path, workers=1)) == 1
    assert zones_at_once(1e12, small) == 1


def test_rounds_on_a_part_find_the_same_large_units(parts, tmp_path, monkeypatch):
    signal, front, position = parts
    mains = []
    for seconds in (4.0, float("inf")):
        rounds = tuple(replace(each, seconds=seconds) for each in discovery.ROUNDS)
        monkeypatch.setattr(discovery, "ROUNDS", rounds)
        found, _ = seek(signal, front, position, Context(tmp_path), "part")
        mains.append(sorted(found.main[found.norms > 150].tolist()))
    assert mains[0] == mains[1]
    assert len(mains[0]) >= 2


def test_templates_are_one_unit_by_either_count_and_in_turn():
    bursts, pieces = np.array([0, 0, 1, 2, 3, 3]), np.array([0, 1, 1, 2, 3, 4])
    np.testing.assert_array_equal(together(bursts, pieces), [0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(together(np.arange(3), np.arange(3)), [0, 1, 2])
    np.testing.assert_array_equal(together(np.array([1, 0, 1]), np.arange(3)), [0, 1, 0])
